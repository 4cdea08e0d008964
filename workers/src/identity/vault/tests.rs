//! The vault in memory. The file has its own tests, in `file/tests.rs`.

use super::*;
use proptest::prelude::*;

#[test]
fn clones_share_one_vault() {
    let vault = Vault::in_memory();
    let clone = vault.clone();
    let id = vault.create_identity("alice").unwrap();
    assert_eq!(clone.names(), [("alice".to_owned(), id)]);
    assert_eq!(clone.find("alice").unwrap(), id);
    assert!(matches!(clone.find("bob"), Err(VaultError::UnknownName(name)) if name == "bob"));
    clone.remove(&id).unwrap();
    assert!(
        matches!(vault.identity(&id), Err(VaultError::UnknownIdentifier(unknown)) if unknown == id)
    );
}

#[test]
fn signatures_follow_a_rotation() {
    let vault = Vault::in_memory();
    let id = vault.create_identity("alice").unwrap();
    let before = vault.identity(&id).unwrap();
    let old = vault.sign(&id, b"message").unwrap();
    let after = vault.rotate(&id).unwrap();
    assert_eq!(after, vault.identity(&id).unwrap());
    assert!(after.is_extension_of(&before) && !before.is_extension_of(&after));
    let new = vault.sign(&id, b"message").unwrap();
    assert!(before.verify(b"message", &old) && after.verify(b"message", &new));
    assert!(!after.verify(b"message", &old) && !after.verify(b"other", &new));
}

#[test]
fn a_full_history_stays_as_it_is() {
    let vault = Vault::in_memory();
    let id = vault.create_identity("alice").unwrap();
    (1..crate::identity::MAX_CHANGES).for_each(|_| drop(vault.rotate(&id).unwrap()));
    let last = vault.identity(&id).unwrap();
    assert!(matches!(vault.rotate(&id), Err(VaultError::Identity(IdentityError::HistoryFull))));
    assert_eq!(vault.identity(&id).unwrap(), last);
}

#[test]
fn names_are_unique_short_and_printable() {
    let vault = Vault::in_memory();
    vault.create_identity("alice").unwrap();
    assert!(matches!(vault.create_identity("alice"), Err(VaultError::NameTaken(_))));
    for bad in ["", "line\nbreak", "ecila\u{202e}", &"x".repeat(MAX_NAME + 1)] {
        assert!(matches!(vault.create_identity(bad), Err(VaultError::BadName(_))));
    }
    for n in 1..MAX_IDENTITIES {
        vault.create_identity(&n.to_string()).unwrap();
    }
    assert!(matches!(vault.create_identity("one more"), Err(VaultError::Full)));
    assert_eq!(
        content::decode(&content::encode(&vault.0.content.lock())).unwrap().entries.len(),
        MAX_IDENTITIES
    );
}

#[test]
fn debug_output_contains_no_secret() {
    let vault = Vault::in_memory();
    let id = vault.create_identity("alice").unwrap();
    let local = vault.local_identity(&id).unwrap();
    let shown = format!("{vault:?} {local:?} {:?} {:?}", local.static_key(), local.seed());
    assert!(shown.contains(&id.to_string()));
    for secret in [local.seed(), local.static_key().secret()] {
        let bytes = secret.expose();
        let hex: String = bytes[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{:?}", &bytes[..4]);
        assert!(!shown.contains(&hex) && !shown.contains(list.trim_matches(['[', ']'])), "{shown}");
    }
}

proptest! {
    #[test]
    fn content_of_random_and_mutated_bytes_never_panics(
        random in prop::collection::vec(any::<u8>(), 0..300),
        edits in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        cut in any::<usize>(),
    ) {
        prop_assert!(content::decode(&random).is_none_or(|content| content.entries.is_empty()));
        let vault = Vault::in_memory();
        vault.create_identity("alice").unwrap();
        let mut bytes = content::encode(&vault.0.content.lock()).to_vec();
        for (at, value) in edits {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut % bytes.len());
        let _ = content::decode(&bytes);
    }
}
