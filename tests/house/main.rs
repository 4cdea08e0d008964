//! What the house promises whoever reads it, checked on the files themselves: how long files and
//! lines are, how each file opens, what pure folders do not know, and that no two product files
//! import each other.

// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

mod imports;
mod prose;
mod purity;
mod source;

use source::{all_files, product_files};

/// Lines of a source file at most, its tests included.
const MAX_FILE_LINES: usize = 450;

#[test]
fn files_have_at_most_450_lines() {
    let long = |file: &source::File| file.text.lines().count() > MAX_FILE_LINES;
    let long: Vec<_> = all_files("rs").into_iter().filter(long).map(|file| file.path).collect();
    assert!(long.is_empty(), "too long: {long:#?}");
}

#[test]
fn files_open_with_their_documentation() {
    let bare = |file: &source::File| !file.text.starts_with("//!");
    let bare: Vec<_> = product_files().into_iter().filter(bare).map(|file| file.path).collect();
    assert!(bare.is_empty(), "no //! at the top: {bare:#?}");
}
