//! The house rules, checked on the files themselves: the length of files and lines, the
//! documentation at the top of each file, what pure folders must not name, and no rings of imports
//! between product files.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

mod imports;
mod names;
mod prose;
mod purity;
mod repeatable;
mod source;

use source::{all_files, product_files};

/// Maximum lines of a source file, its tests included.
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
