//! The codec of registration: every message survives, nothing else is read.

use ockam_actix_runtime::{route, Address, Identifier};
use proptest::prelude::*;

use super::{
    claim::Salt,
    codec::{REGISTER, REGISTERED},
    *,
};
use crate::forwarder::limits::{MAX_LEASE_SECONDS, MAX_REFUSAL_BYTES};

fn requests() -> Vec<Request> {
    let claim = Claim {
        identifier: Identifier::from_bytes([9; 32]),
        salt: Salt([3; 16]),
        service: "web".parse().unwrap(),
        instance: Instance([1; 16]),
        tenure: Tenure(2),
    };
    vec![
        Request::Register { destination: route!["listener"], claim: None },
        Request::Register { destination: route!["a", "b"], claim: Some(claim.clone()) },
        Request::Proof {
            destination: route!["listener"],
            claim,
            nonce: [4; 32],
            displaced: Instance([2; 16]),
            signature: [5; 64],
            identity: vec![6; 100],
        },
        Request::Renew(ForwarderId([7; 16])),
        Request::Release(ForwarderId([8; 16])),
    ]
}

fn registered(lease_seconds: u32) -> Answer {
    Answer::Registered { id: ForwarderId([7; 16]), lease_seconds, tenure: Tenure(u64::MAX) }
}

fn answers() -> Vec<Answer> {
    let displacement = Displacement {
        id: ForwarderId([1; 16]),
        displaced: Instance([2; 16]),
        tenure: Tenure(3),
        nonce: [4; 32],
        destination: route!["listener"],
        signature: [5; 64],
        identity: vec![6; 100],
    };
    let mut answers = vec![
        Answer::Challenge { nonce: [1; 32], held_by: Instance([2; 16]) },
        registered(60),
        Answer::Displaced(Box::new(displacement)),
        Answer::Leaving(ForwarderId([7; 16])),
        Answer::Refused { refusal: RegistrationRefusal::Unknown(99), text: "later".into() },
    ];
    answers.extend(RegistrationRefusal::ALL.map(Answer::refused));
    answers
}

#[test]
fn requests_and_answers_survive_the_wire() {
    for request in requests() {
        assert_eq!(Request::decode(&request.encode()), Ok(request));
    }
    for answer in answers() {
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }
}

#[test]
fn the_bytes_are_those_of_the_protocol_document() {
    let register = Request::Register { destination: route!["ab"], claim: None };
    assert_eq!(&register.encode()[..], &[0x93, 0, 0x91, 0xa2, b'a', b'b', 0x90]);
    let expected =
        [&[0x94, 3, 0xc4, 16][..], &[7; 16], &[0xcd, 1, 44, 0xc4, 8], &[0xff; 8]].concat();
    assert_eq!(&registered(300).encode()[..], &expected);
    let refused = Answer::Refused { refusal: RegistrationRefusal::HubFull, text: "x".into() };
    assert_eq!(&refused.encode()[..], &[0x93, 4, 4, 0xa1, b'x']);
}

#[test]
fn truncations_and_extra_bytes_are_errors() {
    for request in requests() {
        let bytes = request.encode();
        for length in 0..bytes.len() {
            assert!(Request::decode(&bytes[..length]).is_err(), "{request:?} cut to {length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Request::decode(&longer).is_err(), "{request:?}");
    }
    for answer in answers() {
        let bytes = answer.encode();
        for length in 0..bytes.len() {
            assert!(Answer::decode(&bytes[..length]).is_err(), "{answer:?} cut to {length}");
        }
    }
}

#[test]
fn destinations_are_one_to_seven_valid_addresses() {
    let register = |destination: Route| Request::Register { destination, claim: None }.encode();
    let seven: Route = (0..7).map(|n| Address::from(format!("a{n}"))).collect();
    let eight = seven.then("b");
    assert!(Request::decode(&register(seven)).is_ok());
    assert!(Request::decode(&register(eight)).is_err());
    assert!(Request::decode(&register(Route::new())).is_err());
    assert_eq!(Request::decode(&register(route!["a b"])), Err(ProtocolError::Address));
}

#[test]
fn a_direction_has_its_own_messages() {
    let answer = registered(60);
    assert_eq!(Request::decode(&answer.encode()), Err(ProtocolError::MessageKind(REGISTERED)));
    // It has as many elements as an answer.
    let request = Request::Register { destination: route!["listener"], claim: None };
    assert_eq!(Answer::decode(&request.encode()), Err(ProtocolError::MessageKind(REGISTER)));
}

#[test]
fn leases_are_within_a_day() {
    for lease_seconds in [0, MAX_LEASE_SECONDS + 1] {
        let answer = registered(lease_seconds);
        assert_eq!(Answer::decode(&answer.encode()), Err(ProtocolError::Lease(lease_seconds)));
    }
}

#[test]
fn refusal_texts_are_cut_and_escaped() {
    let long = Answer::Refused { refusal: RegistrationRefusal::Route, text: "é".repeat(150) };
    let Ok(Answer::Refused { text, .. }) = Answer::decode(&long.encode()) else {
        panic!("a refusal is read as one");
    };
    assert_eq!(text.len(), MAX_REFUSAL_BYTES);
    let sly = Answer::Refused {
        refusal: RegistrationRefusal::Route,
        text: "a\u{1b}[31m\u{202e}b".into(),
    };
    let Ok(Answer::Refused { text, .. }) = Answer::decode(&sly.encode()) else {
        panic!("a refusal is read as one");
    };
    assert_eq!(text, "a\\u{1b}[31m\\u{202e}b");
}

#[test]
fn codes_and_rules_are_all_different() {
    for (code, refusal) in (0..).zip(RegistrationRefusal::ALL) {
        assert_eq!(refusal.code(), code);
        let same = RegistrationRefusal::ALL.iter().filter(|other| other.rule() == refusal.rule());
        assert_eq!(same.count(), 1, "{refusal:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Request::decode(&bytes);
        let _ = Answer::decode(&bytes);
    }

    #[test]
    fn mutated_requests_that_decode_encode_back_unchanged(
        which in 0_usize..5, at in 0_usize..300, byte: u8
    ) {
        let mut bytes = requests()[which].encode();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(request) = Request::decode(&bytes) {
            prop_assert_eq!(&request.encode()[..], &bytes[..]);
        }
    }
}

/// A small generator of its own, so that a million inputs spend no time in strategies.
fn next(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    usize::try_from(*seed >> 1).unwrap_or_default()
}

#[test]
fn mutated_registrations_never_panic_and_allocate_little() {
    let mut originals: Vec<_> =
        requests().iter().map(|request| request.encode().to_vec()).collect();
    originals.extend(answers().iter().map(|answer| answer.encode().to_vec()));
    let (mut seed, mut input) = (0x9e37_79b9_7f4a_7c15, Vec::with_capacity(1024));
    let (mut read, mut refused) = (0_u64, 0_u64);
    for _ in 0..1_000_000 {
        input.clear();
        input.extend_from_slice(&originals[next(&mut seed) % originals.len()]);
        for _ in 0..next(&mut seed) % 4 {
            let (at, byte) =
                (next(&mut seed) % input.len().max(1), next(&mut seed).to_le_bytes()[0]);
            match next(&mut seed) % 5 {
                0 => input.truncate(at),
                1 => input.insert(at.min(input.len()), byte),
                2 if at < input.len() => drop(input.remove(at)),
                _ if at < input.len() => input[at] = byte,
                _ => {}
            }
        }
        let used = allocation_counter::measure(|| {
            match (Request::decode(&input).is_ok(), Answer::decode(&input).is_ok()) {
                (false, false) => refused += 1,
                _ => read += 1,
            }
        });
        assert!(used.bytes_max <= 2 * input.len() as u64 + 64 * 1024, "{input:?}: {used:?}");
    }
    assert!(read > 100_000 && refused > 100_000, "{read} read, {refused} refused");
}
