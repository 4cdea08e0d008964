//! Histories: growing, comparing, forging.

use super::*;
use proptest::prelude::*;

fn seed(byte: u8) -> SecretKey {
    SecretKey::copy_of(&[byte; 32])
}

/// An identity that has had `keys` keys, from seeds 1, 2, 3 and so on.
fn grown(keys: u8) -> Identity {
    (1..keys).fold(Identity::introduce(&seed(1)), |identity, n| {
        identity.extended(&seed(n), &seed(n + 1)).unwrap()
    })
}

fn encode(changes: &[Change]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(0);
    writer.array(changes.len());
    for change in changes {
        writer.array(2 + usize::from(change.approval.is_some()));
        writer.bin(&change.key);
        writer.bin(&change.own);
        change.approval.iter().for_each(|approval| writer.bin(approval));
    }
    writer.finish()
}

#[test]
fn histories_of_every_length_survive_their_encoding() {
    for keys in 1..=16 {
        let identity = grown(keys);
        let bytes = identity.encode();
        assert!(bytes.len() <= MAX_ENCODED);
        assert_eq!(Identity::decode(&bytes), Ok(identity.clone()));
        assert_eq!(identity.identifier(), grown(1).identifier());
        assert_eq!(identity.current_key(), &signature::public_key(&seed(keys)));
    }
}

#[test]
fn a_history_ends_at_sixteen_changes() {
    assert_eq!(grown(16).extended(&seed(16), &seed(17)), Err(IdentityError::HistoryFull));
    let mut changes: Vec<_> = grown(16).changes().cloned().collect();
    changes.push(changes[15].clone());
    assert!(matches!(
        Identity::decode(&encode(&changes)),
        Err(IdentityError::Malformed(DecodeError::Length { .. }))
    ));
    assert!(Identity::decode(&[0x90]).is_err());
}

#[test]
fn only_the_current_seed_can_extend() {
    assert_eq!(
        grown(2).extended(&seed(1), &seed(3)),
        Err(IdentityError::BadSignature { index: 2 })
    );
    assert_eq!(grown(2).extended(&seed(2), &seed(1)), Err(IdentityError::RepeatedKey { index: 2 }));
}

#[test]
fn relations_between_histories() {
    use HistoryRelation::{Forked, Newer, Older, Same, Unrelated};
    let other_branch = grown(2).extended(&seed(2), &seed(99)).unwrap();
    let stranger = Identity::introduce(&seed(50));
    let table = [
        (grown(3), grown(3), Same),
        (grown(3), grown(2), Newer),
        (grown(1), grown(3), Older),
        (grown(3), other_branch, Forked),
        (grown(3), stranger, Unrelated),
    ];
    for (a, b, expected) in table {
        assert_eq!(a.relation_to(&b), expected);
        assert_eq!(a.is_extension_of(&b), matches!(expected, Same | Newer));
    }
}

#[test]
fn forged_histories_are_refused() {
    let genuine: Vec<_> = grown(3).changes().cloned().collect();
    let foreign: Vec<_> = {
        let identity = Identity::introduce(&seed(50));
        identity.extended(&seed(50), &seed(51)).unwrap().changes().cloned().collect()
    };
    let forgeries = [
        ("swapped", vec![genuine[0].clone(), genuine[2].clone(), genuine[1].clone()]),
        ("middle left out", vec![genuine[0].clone(), genuine[2].clone()]),
        (
            "first left out",
            vec![Change { approval: None, ..genuine[1].clone() }, genuine[2].clone()],
        ),
        ("repeated", vec![genuine[0].clone(), genuine[1].clone(), genuine[1].clone()]),
        ("another identity's change", vec![genuine[0].clone(), foreign[1].clone()]),
        ("no approval", vec![genuine[0].clone(), Change { approval: None, ..genuine[1].clone() }]),
        (
            "approval by itself",
            vec![
                genuine[0].clone(),
                Change { approval: Some(genuine[1].own), ..genuine[1].clone() },
            ],
        ),
        (
            "approved key without its own consent",
            vec![
                genuine[0].clone(),
                Change { own: genuine[1].approval.unwrap(), ..genuine[1].clone() },
            ],
        ),
        (
            "first change with three parts",
            vec![Change { approval: Some(genuine[0].own), ..genuine[0].clone() }],
        ),
        ("small-order key", vec![Change { key: [0; 32], ..genuine[0].clone() }]),
    ];
    for (name, changes) in forgeries {
        let bytes = encode(&changes);
        assert!(Identity::decode(&bytes).is_err(), "{name}");
        // What is known of the identity vouches for nothing but what it says.
        let claimed = ClaimedIdentity::read(&mut Reader::new(&bytes));
        let accepted =
            claimed.is_ok_and(|claimed| Identity::verified(claimed, Some(&grown(2))).is_ok());
        assert!(!accepted, "{name}, after a part that is known");
    }
    let genuine = encode(&genuine);
    let claimed = ClaimedIdentity::read(&mut Reader::new(&genuine)).unwrap();
    assert_eq!(Identity::unverified_keys(&claimed, Some(&grown(2))), 1);
    assert_eq!(Identity::verified(claimed, Some(&grown(2))), Ok(grown(3)));
}

#[test]
fn every_bit_flip_and_truncation_of_histories_fails() {
    let bytes = grown(3).encode();
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Identity::decode(&bad).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(Identity::decode(&bytes[..length]).is_err(), "length {length}");
    }
    assert!(Identity::decode(&[&bytes[..], &[0]].concat()).is_err());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Identity::decode(&bytes).is_err());
    }

    #[test]
    fn mutated_histories_never_panic_and_never_verify(
        keys in 1u8..5,
        edits in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        cut in any::<usize>(),
    ) {
        let genuine = grown(keys).encode();
        let mut bytes = genuine.clone();
        for (at, value) in edits {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut % 3);
        if let Ok(identity) = Identity::decode(&bytes) {
            prop_assert_eq!(identity.encode(), bytes.clone());
            prop_assert_eq!(bytes, genuine);
        }
    }
}
