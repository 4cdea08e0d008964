//! The page about security names tests: each of them is there.

// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

/// All Rust sources under `directory`, in one text.
fn sources(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn every_test_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let all: String = ["runtime", "transports", "workers", "tests"]
        .map(|part| sources(&root.join(part)))
        .concat();
    // What stands in backquotes and has the form of a test's name.
    let named = page.split('`').skip(1).step_by(2).filter(|name| {
        name.matches('_').count() > 1
            && name.chars().all(|letter| {
                letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit()
            })
    });
    let mut count = 0;
    for name in named {
        assert!(all.contains(&format!("fn {name}()")), "{name} is no test");
        count += 1;
    }
    assert!(count > 50, "{count} names were found");
    for weakness in 1..=19 {
        assert!(page.contains(&format!("| W{weakness} |")), "W{weakness} is on the page");
    }
}
