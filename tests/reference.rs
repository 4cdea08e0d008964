//! What people read of the command: help, completions, the manual, and the demo at a terminal.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{fs, process::Command};

use ockam_actix_harness::program::clean;

fn ockam(arguments: &[&str]) -> String {
    let mut command: Command = clean(env!("CARGO_BIN_EXE_ockam"));
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn shells_complete_commands_and_options() {
    for shell in ["bash", "zsh", "fish"] {
        let script = ockam(&["completions", shell]);
        assert!(script.contains("inlet") && script.contains("resume-for"), "{shell}");
    }
}

#[test]
fn each_command_has_a_manual_page() {
    assert!(ockam(&["man"]).contains(".TH ockam 1"));
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    ockam(&["man", pages.to_str().unwrap()]);
    for name in ["ockam", "ockam-inlet", "ockam-trace", "ockam-identity-create"] {
        let page = fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
    }
}

#[test]
fn help_fits_the_terminal() {
    for columns in ["40", "80", "200"] {
        for command in ["hub", "outlet", "inlet", "run", "trace"] {
            let mut help = clean(env!("CARGO_BIN_EXE_ockam"));
            let output = help.args([command, "--help"]).env("COLUMNS", columns).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let (text, _) = text.split_once("\nExamples:").unwrap();
            let most: usize = columns.parse().unwrap();
            // A single word may be longer than a narrow terminal.
            let is_wide = |line: &&str| {
                line.chars().count() > most && line.trim().contains(' ') && !line.contains("Usage:")
            };
            assert_eq!(text.lines().find(is_wide), None, "{command} at {columns} columns");
            // First what is the command's own, then what many have.
            let own = text.find("\nOptions:").unwrap();
            assert!(own < text.find("\nLog:").unwrap(), "{command}: {text}");
        }
    }
}

#[test]
fn examples_can_be_pasted_from_80_columns() {
    for command in ["hub", "outlet", "inlet", "invite", "join", "run", "trace", "status", "demo"] {
        let mut help = clean(env!("CARGO_BIN_EXE_ockam"));
        let output = help.args([command, "--help"]).env("COLUMNS", "80").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, examples) = text.split_once("\nExamples:\n").unwrap();
        // A line goes on where its end says so, and nowhere else.
        for example in examples.replace("\\\n", "").lines() {
            assert!(example.starts_with("  ockam ") || example.starts_with("  ssh "), "{example}");
        }
    }
}

#[test]
fn help_shows_no_values_of_variables() {
    let mut help = clean(env!("CARGO_BIN_EXE_ockam"));
    let output =
        help.args(["join", "--help"]).env("OCKAM_INVITATION", "a-secret").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("[env: OCKAM_INVITATION]") && !text.contains("a-secret"), "{text}");
}

#[test]
fn wrong_turns_are_told_the_way() {
    for (line, hint) in [
        ("hub --listen 127.0.0.1:4000", "ockam hub 0.0.0.0:4000"),
        ("inlet --listen 127.0.0.1:4001", "--to ID/SERVICE --via HUB"),
        ("outlet --to 127.0.0.1:5000", "--listen HOST:PORT, or --via HUB"),
        ("outlet --to localhost --via 127.0.0.1:9", "did you mean localhost:"),
        ("outlet --to udp://5000 --via 127.0.0.1:9", "127.0.0.1:5000"),
        ("inlet --listen 4001 --route tcp#127.0.0.1:9,,x", "127.0.0.1:4001"),
        ("inlet --listen 127.0.0.1:4001 --route = ", "put the route in quotes"),
    ] {
        let mut command = clean(env!("CARGO_BIN_EXE_ockam"));
        let output = command.args(line.split(' ')).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(hint), "{line}: {said}");
        // Nothing has started before the mistake was found.
        assert!(!said.contains(" INFO ") && output.stdout.is_empty(), "{line}: {output:?}");
    }
}

#[test]
fn the_demo_is_drawn_at_a_terminal() {
    let script = |columns: u8| {
        let command = format!(
            "stty cols {columns}; {} demo --once",
            env!("CARGO_BIN_EXE_ockam").replace(' ', "\\ ")
        );
        let mut script = clean("script");
        script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
        script.env("TERM", "xterm").output()
    };
    for columns in [80, 120] {
        let Ok(output) = script(columns) else { return println!("skipped: no script") };
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("CANNOT read the page"), "{text}");
        // Without what gives colours.
        let plain = without_escapes(&text);
        let widest = plain.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns.into()), "{widest:?}: {plain}");
    }
}

/// The text without the sequences that begin with escape and end with a letter.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut all = text.chars();
    while let Some(one) = all.next() {
        match one {
            '\u{1b}' => drop(all.by_ref().find(char::is_ascii_alphabetic)),
            '\r' => {}
            one => plain.push(one),
        }
    }
    plain
}
