//! The inputs that fuzzing found, and the examples that it began with, still hold every property.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use fuzz_properties::PROPERTIES;

/// Maximum time for one input: one that takes longer is an attack by itself.
const LONGEST: Duration = Duration::from_secs(5);

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_input_of_the_corpora_holds_its_property() {
    for (name, check) in PROPERTIES {
        let folder = fuzz().join("corpus").join(name);
        let inputs = names(&folder);
        assert!(inputs.len() >= 3, "{} inputs for {name}", inputs.len());
        for input in &inputs {
            let bytes = fs::read(folder.join(input)).unwrap();
            let begun = Instant::now();
            // The harness shows it if the property does not hold.
            println!("{name}: {input}");
            check(&bytes);
            assert!(begun.elapsed() < LONGEST, "{name}: {input} took {:?}", begun.elapsed());
        }
    }
}

#[test]
fn every_fuzz_target_has_property_and_corpus() {
    let properties: BTreeSet<String> =
        PROPERTIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let targets = names(&fuzz().join("fuzz_targets"));
    let targets = targets.iter().map(|file| file.trim_end_matches(".rs").to_owned()).collect();
    assert_eq!(properties, targets);
    assert_eq!(properties, names(&fuzz().join("corpus")));
}
