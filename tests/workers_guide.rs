//! The guide for authors of workers: its code is that of the examples, and they print what it says.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use ockam_actix_harness::{
    deadline::PATIENCE,
    program::{example, Program},
};

/// One program of the guide, and what it prints.
struct Step {
    code: String,
    output: Vec<String>,
}

/// The blocks of code in a document, each as its language and its lines.
fn blocks(text: &str) -> Vec<(String, String)> {
    let (mut blocks, mut open): (Vec<(String, String)>, bool) = (Vec::new(), false);
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) if !open => blocks.push((language.to_owned(), String::new())),
            None if open => {
                let block = &mut blocks.last_mut().unwrap().1;
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
        open ^= line.starts_with("```");
    }
    blocks
}

/// Each program is followed by what it prints.
fn steps() -> Vec<Step> {
    let page = fs::read_to_string(root().join("docs/workers.md")).unwrap();
    let blocks = blocks(&page);
    let pairs = blocks.windows(2).filter(|pair| pair[0].0 == "rust");
    let steps = pairs.map(|pair| {
        assert_eq!(pair[1].0, "text", "what this prints: {}", pair[0].1);
        let output = pair[1].1.lines().map(str::to_owned).collect();
        Step { code: pair[0].1.clone(), output }
    });
    steps.collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the programs, in their order.
fn names() -> Vec<String> {
    let folder = fs::read_dir(root().join("examples/workers")).unwrap();
    let mut names: Vec<_> = folder
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_guide_shows_the_examples() {
    let (steps, names) = (steps(), names());
    assert_eq!(steps.len(), names.len());
    for (step, name) in steps.iter().zip(names) {
        let file = root().join("examples/workers").join(&name).with_extension("rs");
        assert_eq!(step.code, fs::read_to_string(file).unwrap(), "{name}");
    }
}

#[test]
fn the_examples_print_what_the_guide_says() {
    for (step, name) in steps().iter().zip(names()) {
        if name.contains("virtual") && !cfg!(feature = "testing") {
            println!("skipped: {name} needs the feature testing");
            continue;
        }
        let mut program = Program::start(&mut example(&format!("workers-{name}")));
        if name.contains("restart") {
            program.may_panic();
        }
        let status = program.wait_for_exit(PATIENCE);
        assert!(status.success(), "{status}: {program}");
        assert_eq!(program.stdout(), step.output, "{name}");
    }
}
