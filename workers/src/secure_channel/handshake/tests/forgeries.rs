//! Peers that speak correct Noise but lie about who they are, and keys of small order.

use super::*;
use crate::identity::secret_bytes::SecretKey;

/// Points whose order divides 8, and encodings of them beyond the field's prime (RFC 7748 masks the
/// top bit).
fn small_order_points() -> Vec<[u8; 32]> {
    let point = |first: u8, middle: u8, last: u8| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (first, last);
        bytes
    };
    let order_eight = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let parse = |hex: &str| {
        let bytes: Vec<u8> = (0..64)
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        <[u8; 32]>::try_from(bytes).unwrap()
    };
    let mut points = vec![
        point(0, 0, 0),
        point(1, 0, 0),
        point(0xec, 0xff, 0x7f),
        point(0xed, 0xff, 0x7f),
        point(0xee, 0xff, 0x7f),
    ];
    points.extend(order_eight.map(parse));
    let masked: Vec<_> = points
        .iter()
        .map(|point| {
            let mut masked = *point;
            masked[31] |= 0x80;
            masked
        })
        .collect();
    points.extend(masked);
    points
}

#[test]
fn both_ends_reject_small_order_ephemeral_keys() {
    for point in small_order_points() {
        assert_eq!(
            Responder::accept(&BOB, &point).map(drop),
            Err(HandshakeError::WeakKey(HandshakeMessage::One)),
            "{point:?}"
        );
        let outcome = run(|n, message| {
            if n == 2 {
                message[..32].copy_from_slice(&point);
            }
        });
        assert_eq!(
            outcome.map(drop),
            Err(HandshakeError::WeakKey(HandshakeMessage::Two)),
            "{point:?}"
        );
    }
}

#[test]
fn the_primitive_rejects_small_order_static_keys() {
    for point in small_order_points() {
        assert!(noise::agree(&SecretKey::copy_of(&[9; 32]), &point).is_none(), "{point:?}");
    }
    assert!(noise::agree(&SecretKey::copy_of(&[9; 32]), BOB.static_key().public()).is_some());
}

/// A responder with `local`'s static key that sends whatever payload `forge` makes of the handshake
/// hash.
fn answered_by(local: &LocalIdentity, forge: impl FnOnce(&[u8; 32]) -> Vec<u8>) -> HandshakeError {
    let (awaiting2, message1) = Initiator::start(&ALICE).unwrap();
    let mut noise = Noise::start(Role::Responder, local, None, None).unwrap();
    noise.read(HandshakeMessage::One, &message1).unwrap();
    let payload = forge(&noise.hash());
    let message2 = noise.write(HandshakeMessage::Two, &payload).unwrap();
    awaiting2.handle_message2(&message2, &TrustEveryonePolicy).map(drop).unwrap_err()
}

/// An initiator of the same kind.
fn opened_by(local: &LocalIdentity, forge: impl FnOnce(&[u8; 32]) -> Vec<u8>) -> HandshakeError {
    let mut noise = Noise::start(Role::Initiator, local, None, None).unwrap();
    let message1 = noise.write(HandshakeMessage::One, &[]).unwrap();
    let (awaiting3, message2) = Responder::accept(&ALICE, &message1).unwrap();
    noise.read(HandshakeMessage::Two, &message2).unwrap();
    let payload = forge(&noise.hash());
    let message3 = noise.write(HandshakeMessage::Three, &payload).unwrap();
    awaiting3.handle_message3(&message3, &TrustEveryonePolicy).map(drop).unwrap_err()
}

type Forge = fn(Role, &[u8; 32]) -> Vec<u8>;

#[test]
fn forged_proofs_are_rejected_in_both_roles() {
    // Eve runs the handshake with her own static key, and wants to be Bob.
    let forgeries: [(&str, Forge); 5] = [
        ("Bob's identity, Eve's signature", |role, hash| {
            let purpose = match role {
                Role::Initiator => crate::identity::signature::Purpose::InitiatorProof,
                Role::Responder => crate::identity::signature::Purpose::ResponderProof,
            };
            payload::encode(
                BOB.identity(),
                &EVE.sign_for(purpose, &[hash, EVE.static_key().public()]),
            )
        }),
        ("a proof that Bob made for his own static key", |role, hash| {
            payload::make(role, &BOB, hash)
        }),
        ("a proof that Bob made in the other role", |role, hash| {
            let other = if role == Role::Initiator { Role::Responder } else { Role::Initiator };
            payload::make(other, &BOB, hash)
        }),
        ("a proof that Bob made in another handshake", |role, _| {
            payload::make(role, &BOB, &[0; 32])
        }),
        ("a message that Bob was asked to sign", |role, hash| {
            let label: &[u8] = match role {
                Role::Initiator => b"ockam-actix/1 channel initiator\0",
                Role::Responder => b"ockam-actix/1 channel responder\0",
            };
            let message = [label, hash, EVE.static_key().public()].concat();
            payload::encode(BOB.identity(), &BOB.sign(&message))
        }),
    ];
    for (name, forge) in forgeries {
        let expected = HandshakeError::BadProof(BOB.identifier());
        assert_eq!(answered_by(&EVE, |hash| forge(Role::Responder, hash)), expected, "{name}");
        assert_eq!(opened_by(&EVE, |hash| forge(Role::Initiator, hash)), expected, "{name}");
    }
}

#[test]
fn a_stolen_static_key_is_not_enough() {
    // Eve holds Bob's X25519 secret but not his Ed25519 seed.
    let thief = LocalIdentity::dangerous_from_fixed_secrets([5; 32], [4; 32]);
    assert_eq!(thief.static_key().public(), BOB.static_key().public());
    let forge = |purpose| {
        let thief = thief.clone();
        move |hash: &[u8; 32]| {
            payload::encode(
                BOB.identity(),
                &thief.sign_for(purpose, &[hash, thief.static_key().public()]),
            )
        }
    };
    let expected = HandshakeError::BadProof(BOB.identifier());
    assert_eq!(
        answered_by(&thief, forge(crate::identity::signature::Purpose::ResponderProof)),
        expected
    );
    assert_eq!(
        opened_by(&thief, forge(crate::identity::signature::Purpose::InitiatorProof)),
        expected
    );
}

#[test]
fn replaced_keys_prove_nothing_for_the_new_history() {
    let rng = ring::rand::SystemRandom::new();
    let rotated = BOB.rotated(&rng).unwrap().unwrap();
    let outcome = answered_by(&BOB, |hash| {
        let purpose = crate::identity::signature::Purpose::ResponderProof;
        payload::encode(
            rotated.identity(),
            &BOB.sign_for(purpose, &[hash, BOB.static_key().public()]),
        )
    });
    assert_eq!(outcome, HandshakeError::BadProof(BOB.identifier()));
}

#[test]
fn malformed_payloads_are_named_as_such() {
    let malformed = |error: &HandshakeError| matches!(error, HandshakeError::Malformed { .. });
    assert!(malformed(&answered_by(&EVE, |_| Vec::new())));
    assert!(malformed(&opened_by(&EVE, |_| vec![0x92, 0x90])));
    let trailing =
        |role: Role| move |hash: &[u8; 32]| [payload::make(role, &EVE, hash), vec![0]].concat();
    assert!(malformed(&answered_by(&EVE, trailing(Role::Responder))));
    assert!(malformed(&opened_by(&EVE, trailing(Role::Initiator))));
}

#[test]
fn an_answer_to_itself_is_rejected() {
    let (awaiting2, message1) = Initiator::start(&ALICE).unwrap();
    assert!(awaiting2.handle_message2(&message1, &TrustEveryonePolicy).is_err());
}

#[test]
fn another_prologue_fails_at_message_2() {
    let mut other =
        noise::build(Role::Responder, &[4; 32], b"ockam-actix/2 secure channel\0", None, None)
            .unwrap();
    let (awaiting2, message1) = Initiator::start(&ALICE).unwrap();
    other.read_message(&message1, &mut []).unwrap();
    let mut message2 = vec![0; MAX_MESSAGE];
    let length = other
        .write_message(&payload::make(Role::Responder, &BOB, &[0; 32]), &mut message2)
        .unwrap();
    let outcome = awaiting2.handle_message2(&message2[..length], &TrustEveryonePolicy).map(drop);
    assert_eq!(outcome, Err(HandshakeError::NotAuthentic(HandshakeMessage::Two)));
}

#[test]
fn an_authentic_other_record_establishes_nothing() {
    let (awaiting2, message1) = Initiator::start(&ALICE).unwrap();
    let mut noise = Noise::start(Role::Responder, &BOB, None, None).unwrap();
    noise.read(HandshakeMessage::One, &message1).unwrap();
    let payload = payload::make(Role::Responder, &BOB, &noise.hash());
    let message2 = noise.write(HandshakeMessage::Two, &payload).unwrap();
    let (awaiting_ready, message3) =
        awaiting2.handle_message2(&message2, &TrustEveryonePolicy).unwrap();
    noise.read(HandshakeMessage::Three, &message3).unwrap();
    let mut session = noise.finish(VerifiedPeer { identity: ALICE.identity().clone() }).unwrap();
    let mut record = sealed(&mut session.sealer, b"anything else");
    assert_eq!(
        awaiting_ready.handle_ready(&mut record).map(drop),
        Err(HandshakeError::UnknownReady)
    );
}
