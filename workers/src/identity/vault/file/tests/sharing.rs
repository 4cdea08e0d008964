//! A vault on a machine with others: who can read and replace it, locks, several programs at once,
//! and older copies.

use std::{
    fs::File,
    os::unix::fs::{chown, symlink, PermissionsExt},
    thread,
    time::Duration,
};

use super::*;

fn change_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What opening the vault of [`made`] fails with.
fn refusal(path: &Path) -> VaultFileError {
    error(open(path, "correct horse"))
}

fn change_error(result: Result<impl std::fmt::Debug, VaultError>) -> VaultFileError {
    match result {
        Err(VaultError::File(error)) => error,
        other => panic!("expected an error about the file, not {other:?}"),
    }
}

#[test]
fn files_are_private_and_stay_so() {
    let (directory, path) = made();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for entry in fs::read_dir(directory.path()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    for loose in [0o644, 0o640, 0o604, 0o610, 0o666] {
        change_mode(&path, loose);
        let text = refusal(&path).to_string();
        assert!(text.contains(&format!("chmod 600 {}", path.display())), "{text}");
    }
    change_mode(&path, 0o600);
    assert!(open(&path, "correct horse").is_ok());
}

#[test]
fn directories_that_others_can_write_are_refused() {
    let (directory, path) = made();
    let inner = directory.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let deep = inner.join("vault");
    fs::rename(&path, &deep).unwrap();
    let key = Secret::key_file(inner.join("key"));
    for loose in [&inner, directory.path()] {
        for mode in [0o777, 0o770, 0o707, 0o722] {
            change_mode(loose, mode);
            let text = refusal(&deep).to_string();
            assert!(text.contains(&format!("chmod go-w {}", loose.display())), "{text}");
            let refused = error(Vault::open(inner.join("new"), &key));
            assert!(matches!(refused, VaultFileError::LooseDirectory { .. }), "{refused}");
        }
        // In a directory such as /tmp, others cannot replace what is not theirs.
        change_mode(loose, 0o1777);
        assert!(open(&deep, "correct horse").is_ok());
        change_mode(loose, 0o755);
    }
    assert!(open(&deep, "correct horse").is_ok());
}

/// Changing an owner takes root; others cannot make this file, and so need the check less.
#[test]
fn files_and_directories_of_others_are_refused() {
    let (directory, path) = made();
    if chown(&path, Some(12_345), None).is_err() {
        return;
    }
    let text = refusal(&path).to_string();
    assert!(text.contains("uid 12345") && text.contains(&*path.to_string_lossy()), "{text}");
    chown(&path, Some(0), None).unwrap();
    chown(directory.path(), Some(12_345), None).unwrap();
    let text = refusal(&path).to_string();
    assert!(text.contains("uid 12345"), "{text}");
    chown(directory.path(), Some(0), None).unwrap();
    chown(directory.path().join(".vault.lock"), Some(12_345), None).unwrap();
    let refused = change_error(open(&path, "correct horse").unwrap().create_identity("bob"));
    assert!(matches!(refused, VaultFileError::ForeignOwner { owner: 12_345, .. }), "{refused}");
}

#[test]
fn a_symbolic_link_stays_a_link() {
    let (directory, path) = made();
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    open(&link, "correct horse").unwrap().create_identity("bob").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(open(&path, "correct horse").unwrap().names().len(), 2);
}

#[test]
fn locks_that_lead_elsewhere_are_refused() {
    let (directory, path) = made();
    let vault = open(&path, "correct horse").unwrap();
    let lock = directory.path().join(".vault.lock");
    let other = directory.path().join("other");
    fs::remove_file(&lock).unwrap();
    symlink(&other, &lock).unwrap();
    let refused = change_error(vault.create_identity("bob"));
    assert!(refused.to_string().contains(&lock.display().to_string()), "{refused}");
    assert!(!other.exists(), "nothing is made where the link leads");
    // A directory and a pipe without a reader; opening that for writing would wait for ever.
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    assert!(vault.create_identity("bob").is_err());
    fs::remove_dir(&lock).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&lock).status().unwrap();
    assert!(made.success());
    assert!(vault.create_identity("bob").is_err());
    fs::remove_file(&lock).unwrap();
    assert!(vault.create_identity("bob").is_ok());
}

#[test]
fn a_held_lock_is_an_error_in_time() {
    let (directory, path) = made();
    let lock = directory.path().join(".vault.lock");
    let held = File::open(&lock).unwrap();
    held.lock().unwrap();
    let refused = disk::WriteLock::take_within(&path, Duration::from_millis(30)).unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, VaultFileError::LockHeld { .. }), "{text}");
    assert!(text.contains(&format!("lsof {}", lock.display())), "{text}");
    drop(held);
    assert!(disk::WriteLock::take_within(&path, Duration::ZERO).is_ok());
}

#[test]
fn programs_that_create_one_vault_all_succeed() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("vault"), directory.path().join("key"));
    let programs: Vec<_> = (0..10)
        .map(|number| {
            let (path, key) = (path.clone(), key.clone());
            thread::spawn(move || {
                let vault = Vault::open(&path, &Secret::key_file(&key)).unwrap();
                vault.create_identity(&number.to_string()).unwrap()
            })
        })
        .collect();
    let mut made: Vec<_> = programs.into_iter().map(|program| program.join().unwrap()).collect();
    let vault = Vault::open(&path, &Secret::key_file(&key)).unwrap();
    let mut found: Vec<_> = vault.names().into_iter().map(|(_, identifier)| identifier).collect();
    made.sort();
    found.sort();
    assert_eq!(found, made);
}

#[test]
fn a_change_by_another_program_is_taken_over() {
    let (_directory, path) = made();
    let (one, two) = (open(&path, "correct horse").unwrap(), open(&path, "correct horse").unwrap());
    one.create_identity("bob").unwrap();
    assert_eq!(two.names().len(), 1, "what others do is seen by the next change");
    assert!(matches!(two.create_identity("bob"), Err(VaultError::NameTaken(_))));
    assert_eq!(two.names(), one.names());
    let alice = one.find("alice").unwrap();
    two.rotate(&alice).unwrap();
    one.rotate(&alice).unwrap();
    assert_eq!(one.identity(&alice).unwrap().key_count(), 3, "both rotations are in the history");
    assert_eq!(open(&path, "correct horse").unwrap().names(), one.names());
    fs::remove_file(&path).unwrap();
    let refused = change_error(one.create_identity("erin"));
    assert!(matches!(refused, VaultFileError::Replaced { .. }), "{refused}");
    open(&path, "correct horse").unwrap();
    let refused = change_error(one.create_identity("erin"));
    assert!(matches!(refused, VaultFileError::Replaced { .. }), "{refused}");
}

#[test]
fn an_older_copy_is_noticed_and_never_extended() {
    let (_directory, path) = made();
    let older = fs::read(&path).unwrap();
    let vault = open(&path, "correct horse").unwrap();
    let alice = vault.find("alice").unwrap();
    vault.rotate(&alice).unwrap();
    let newest = fs::read(&path).unwrap();
    write(&path, &older);
    for _ in 0..2 {
        let refused = change_error(vault.create_identity("bob"));
        assert!(
            matches!(refused, VaultFileError::RolledBack { found: 1, known: 2, .. }),
            "{refused}"
        );
        assert_eq!(fs::read(&path).unwrap(), older);
    }
    // One that went on from the older copy has as many generations, and others.
    open(&path, "correct horse").unwrap().create_identity("carol").unwrap();
    let refused = change_error(vault.create_identity("bob"));
    assert!(matches!(refused, VaultFileError::RolledBack { .. }), "{refused}");
    assert_eq!(vault.identity(&alice).unwrap().key_count(), 2, "it goes on with what it has");
    write(&path, &newest);
    vault.create_identity("bob").unwrap();
}

#[test]
fn leftovers_of_a_crash_are_replaced() {
    let (directory, path) = made();
    write(&directory.path().join(".vault.tmp"), b"half a file");
    open(&path, "correct horse").unwrap().create_identity("bob").unwrap();
    assert!(!directory.path().join(".vault.tmp").exists());
}
