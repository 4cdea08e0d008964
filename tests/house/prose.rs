//! Prose wraps at 100 columns: comments, and documents outside of tables and blocks of code.

use crate::source::{all_files, File};

/// Maximum columns of a line of prose.
const COLUMNS: usize = 100;

/// The lines that are longer, each as `file:line`.
fn too_long(file: &File, is_prose: impl Fn(&str) -> bool) -> Vec<String> {
    let mut in_code = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let text = line.trim_start().trim_start_matches(['/', '!']).trim_start();
        if text.starts_with("```") {
            in_code = !in_code;
        }
        let excepted = in_code || text.starts_with('|') || text.contains("://");
        if line.chars().count() > COLUMNS && !excepted && is_prose(line) {
            found.push(format!("{}:{number}", file.path.display()));
        }
    }
    found
}

#[test]
fn comments_wrap_at_100_columns() {
    let is_comment = |line: &str| line.trim_start().starts_with("//");
    let long: Vec<_> = all_files("rs").iter().flat_map(|file| too_long(file, is_comment)).collect();
    assert!(long.is_empty(), "longer than {COLUMNS} columns: {long:#?}");
}

#[test]
fn comments_in_manifests_wrap_at_100_columns() {
    let is_comment = |line: &str| line.trim_start().starts_with('#');
    let long: Vec<_> =
        all_files("toml").iter().flat_map(|file| too_long(file, is_comment)).collect();
    assert!(long.is_empty(), "longer than {COLUMNS} columns: {long:#?}");
}

#[test]
fn documents_wrap_at_100_columns() {
    // A list of links and badges has lines that cannot be broken.
    let is_prose = |line: &str| line.contains(' ') && !line.starts_with('[');
    let long: Vec<_> = all_files("md").iter().flat_map(|file| too_long(file, is_prose)).collect();
    assert!(long.is_empty(), "longer than {COLUMNS} columns: {long:#?}");
}
