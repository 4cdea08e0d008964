//! Vault files of unknown origin: none that was not sealed with the key is opened.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::LazyLock};

use ockam_actix_workers::{identity::vault::file::Secret, Vault};
use ring::digest::{digest, SHA256};
use tempfile::TempDir;

/// Where the header's checksum begins and ends.
const CHECKSUM: std::ops::Range<usize> = 54..62;

/// A folder with a key file. A key from a passphrase would cost 64 MiB for each input.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    write_private(&folder.path().join("key"), &[7; 32]);
    folder
});

/// Writes a file of this user's alone: others are refused unread.
fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a private file");
}

/// Checks one input as a file, as it is and with a checksum that fits.
pub fn check(input: &[u8]) {
    let mut repaired = input.to_vec();
    if repaired.len() >= CHECKSUM.end {
        let sum = digest(&SHA256, &input[..CHECKSUM.start]);
        repaired[CHECKSUM].copy_from_slice(&sum.as_ref()[..8]);
    }
    for file in [input, &repaired] {
        // An empty file is a vault that is yet to be created.
        if !file.is_empty() {
            is_refused(file);
        }
    }
}

fn is_refused(file: &[u8]) {
    let folder: &Path = FOLDER.path();
    // Tests may run on several threads.
    let path = folder.join(format!("{:?}", std::thread::current().id()));
    write_private(&path, file);
    let opened = Vault::open(&path, &Secret::key_file(folder.join("key")));
    assert!(opened.is_err(), "a forged vault was opened");
}
