//! Vault files from elsewhere.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use ockam_workers::{vault_file::Secret, Vault};

fuzz_target!(|input: &[u8]| {
    // An empty file is a vault that is yet to be made.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vault");
    fs::write(&path, input).expect("a file");
    let opened = Vault::open(&path, &Secret::passphrase("fuzzed"));
    assert!(opened.is_err() || input.is_empty(), "a forged vault was opened");
});
