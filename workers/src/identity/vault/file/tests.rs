//! Vault files: round trips, wrong secrets, damage. [`sharing`] is about others on the machine.

use std::{fs, path::Path};

use super::*;
use crate::identity::vault::{Vault, VaultError};
use proptest::prelude::*;
use tempfile::TempDir;

mod sharing;

/// The least that Argon2 allows: these tests are about files, not about guessing.
const CHEAP: KdfCost = KdfCost { memory: 8, passes: 1, lanes: 1 };

fn open(path: &Path, passphrase: &str) -> Result<Vault, VaultError> {
    Vault::open_with_cost(path, &Secret::passphrase(passphrase), CHEAP)
}

fn error(result: Result<Vault, VaultError>) -> VaultFileError {
    match result {
        Err(VaultError::File(error)) => error,
        other => panic!("expected an error about the file, not {other:?}"),
    }
}

/// A vault with one identity, closed again.
fn made() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vault");
    open(&path, "correct horse").unwrap().create_identity("alice").unwrap();
    (directory, path)
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

#[test]
fn every_change_is_on_disk_when_it_returns() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vault");
    let vault = open(&path, "correct horse").unwrap();
    assert!(open(&path, "correct horse").unwrap().names().is_empty());
    let alice = vault.create_identity("alice").unwrap();
    let bob = vault.create_identity("bob").unwrap();
    assert_eq!(open(&path, "correct horse").unwrap().names(), vault.names());
    let rotated = vault.rotate(&alice).unwrap();
    let again = open(&path, "correct horse").unwrap();
    assert_eq!(again.identity(&alice).unwrap(), rotated);
    assert!(rotated.verify(b"message", &again.sign(&alice, b"message").unwrap()));
    let static_key = |vault: &Vault| *vault.local_identity(&alice).unwrap().static_key().public();
    assert_eq!(static_key(&again), static_key(&vault));
    vault.remove(&bob).unwrap();
    assert_eq!(open(&path, "correct horse").unwrap().names(), [("alice".to_owned(), alice)]);
}

#[test]
fn the_default_cost_is_stored_and_works() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vault");
    let secret = Secret::passphrase("correct horse");
    Vault::open(&path, &secret).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes[10..22], [0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1]);
    assert!(Vault::open(&path, &secret).is_ok());
}

#[test]
fn no_secret_stands_in_the_file() {
    let (_directory, path) = made();
    let vault = open(&path, "correct horse").unwrap();
    let alice = vault.find("alice").unwrap();
    let local = vault.local_identity(&alice).unwrap();
    let bytes = fs::read(&path).unwrap();
    for secret in [local.seed(), local.static_key().secret()] {
        assert!(!bytes.windows(8).any(|window| window == &secret.expose()[..8]));
    }
    assert!(!bytes.windows(5).any(|window| window == b"alice"));
}

#[test]
fn wrong_passphrases_and_damaged_bodies_say_the_same() {
    let (_directory, path) = made();
    let text = error(open(&path, "wrong")).to_string();
    assert!(
        text.contains(&path.display().to_string()) && text.contains("the passphrase is wrong"),
        "{text}"
    );
    let mut bytes = fs::read(&path).unwrap();
    bytes[80] ^= 1;
    write(&path, &bytes);
    assert_eq!(error(open(&path, "correct horse")).to_string(), text);
}

#[test]
fn every_bit_flip_and_truncation_is_an_error() {
    let (_directory, path) = made();
    let good = fs::read(&path).unwrap();
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        write(&path, &bytes);
        let error = error(open(&path, "correct horse"));
        let fits = match bit / 8 {
            0..8 => matches!(error, VaultFileError::NotAVault { .. }),
            8 => matches!(error, VaultFileError::Version { .. }),
            9..62 => matches!(error, VaultFileError::Damaged { .. }),
            _ => matches!(error, VaultFileError::WrongSecretOrDamaged { .. }),
        };
        assert!(fits, "bit {bit}: {error}");
    }
    for length in 0..good.len() {
        write(&path, &good[..length]);
        assert!(
            matches!(error(open(&path, "correct horse")), VaultFileError::Damaged { .. }),
            "length {length}"
        );
    }
    write(&path, &[&good[..], &[0]].concat());
    assert!(matches!(error(open(&path, "correct horse")), VaultFileError::Damaged { .. }));
    write(&path, &good);
    assert!(open(&path, "correct horse").is_ok());
}

#[test]
fn a_header_may_not_ask_for_the_moon() {
    let (_directory, path) = made();
    let good = fs::read(&path).unwrap();
    let most = u32::MAX;
    for cost in
        [(most, 1, 1), (8, most, 1), (8, 1, most), (7, 1, 1), (8, 0, 1), (8, 1, 0), (15, 1, 2)]
    {
        let cost = KdfCost { memory: cost.0, passes: cost.1, lanes: cost.2 };
        let header = Header::new(
            header::Kdf::Passphrase(cost),
            [0; 16],
            [0; 12],
            good.len() - HEADER_LENGTH,
        );
        write(&path, &[header.as_bytes().as_slice(), &good[HEADER_LENGTH..]].concat());
        assert!(
            matches!(error(open(&path, "correct horse")), VaultFileError::Damaged { .. }),
            "{cost:?}"
        );
    }
    write(&path, &vec![0; header::MAX_FILE + 1]);
    assert!(matches!(error(open(&path, "correct horse")), VaultFileError::NotRead { .. }));
}

#[test]
fn other_files_and_missing_directories_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing").join("vault");
    assert!(matches!(error(open(&path, "x")), VaultFileError::NoDirectory { .. }));
    let (_directory, path) = made();
    write(
        &path,
        b"#!/bin/sh\necho this is some other kind of file that is long enough for a header\n",
    );
    assert!(matches!(error(open(&path, "x")), VaultFileError::NotAVault { .. }));
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(
        error(open(&directory.path().join("new"), "")),
        VaultFileError::EmptyPassphrase { .. }
    ));
}

#[test]
fn key_files_are_created_and_required() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("vault"), directory.path().join("key"));
    let secret = Secret::key_file(&key);
    let alice = Vault::open(&path, &secret).unwrap().create_identity("alice").unwrap();
    assert_eq!(fs::read(&key).unwrap().len(), KEY_FILE_LENGTH);
    assert_eq!(Vault::open(&path, &secret).unwrap().names(), [("alice".to_owned(), alice)]);
    let asked = error(Vault::open(&path, &Secret::passphrase("x")));
    assert!(matches!(asked, VaultFileError::OtherSecretKind { wanted: "key file", .. }));
    fs::rename(&key, directory.path().join("elsewhere")).unwrap();
    assert!(matches!(error(Vault::open(&path, &secret)), VaultFileError::NoKeyFile { .. }));
    assert!(!key.exists(), "an existing vault must not get a new key");
    write_private(&key, &[0; 31]);
    assert!(matches!(error(Vault::open(&path, &secret)), VaultFileError::BadKeyFile { .. }));
    write_private(&key, &[0; 32]);
    assert!(matches!(
        error(Vault::open(&path, &secret)),
        VaultFileError::WrongSecretOrDamaged { .. }
    ));
    let (_directory, path) = made();
    let asked = error(Vault::open(&path, &secret));
    assert!(matches!(asked, VaultFileError::OtherSecretKind { wanted: "passphrase", .. }));
}

fn write_private(path: &Path, bytes: &[u8]) {
    disk::WriteLock::take(path).unwrap().replace(bytes).unwrap();
}

#[test]
fn debug_output_contains_no_secret() {
    let (_directory, path) = made();
    let secret = Secret::passphrase("correct horse");
    let (file, _) = VaultFile::open_or_create(&path, &secret, CHEAP, &[]).unwrap();
    let shown = format!("{secret:?} {file:?} {:?}", Secret::key_file("/the/key"));
    assert!(!shown.contains("correct") && shown.contains("/the/key"), "{shown}");
    assert!(
        !shown.contains(&format!("{:?}", &file.key.expose()[..3]).replace(['[', ']'], "")),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn random_and_mutated_headers_never_panic(
        random in prop::collection::vec(any::<u8>(), 0..200),
        body in prop::collection::vec(any::<u8>(), 0..80),
        at in 0usize..62,
        value: u8,
    ) {
        let path = Path::new("vault");
        prop_assert!(Header::read(path, &random).is_err());
        let header = Header::new(header::Kdf::Passphrase(CHEAP), [1; 16], [2; 12], body.len());
        let mut bytes = [header.as_bytes().as_slice(), &body].concat();
        prop_assert_eq!(Header::read(path, &bytes).is_ok(), body.len() >= TAG_LENGTH);
        let before = bytes[at];
        bytes[at] = value;
        prop_assert!(value == before || Header::read(path, &bytes).is_err());
    }
}

/// A file with a header as it must be.
pub(crate) fn example_header() -> Vec<u8> {
    let header =
        header::Header::new(header::Kdf::Passphrase(KdfCost::DEFAULT), [1; 16], [2; 12], 40);
    [&header.as_bytes()[..], &[3; 40]].concat()
}

/// Whether a file's header is read, with the checksum that it has and with one that fits.
pub(crate) fn decode_header(file: &[u8]) -> bool {
    let path = std::path::Path::new("vault");
    let read = |file: &[u8]| header::Header::read(path, file).map(|(header, _)| header);
    let mut repaired = file.to_vec();
    if let Some((checked, rest)) = repaired.split_at_mut_checked(54) {
        let sum = ring::digest::digest(&ring::digest::SHA256, checked);
        let length = rest.len().min(header::HEADER_LENGTH - 54);
        rest[..length].copy_from_slice(&sum.as_ref()[..length]);
    }
    let _ = read(&repaired);
    read(file).is_ok()
}
