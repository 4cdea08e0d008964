//! Handshakes: whole, cut, flipped, forged, refused.

use super::*;
use crate::{
    identity::{
        local_identity::LocalIdentity,
        policy::{
            TrustEveryonePolicy, TrustIdentifierPolicy, TrustMultiIdentifiersPolicy, TrustPolicy,
        },
    },
    secure_channel::{
        handshake::noise::{Noise, Role},
        record::RecordError,
    },
};
use proptest::prelude::*;
use std::sync::LazyLock;

mod costs;
mod forgeries;
mod independent;
mod vectors;

pub(crate) use independent::{verify_payload2, worked_example};

static ALICE: LazyLock<LocalIdentity> =
    LazyLock::new(|| LocalIdentity::dangerous_from_fixed_secrets([1; 32], [2; 32]));
static BOB: LazyLock<LocalIdentity> =
    LazyLock::new(|| LocalIdentity::dangerous_from_fixed_secrets([3; 32], [4; 32]));
static EVE: LazyLock<LocalIdentity> =
    LazyLock::new(|| LocalIdentity::dangerous_from_fixed_secrets([5; 32], [6; 32]));

fn sealed(sealer: &mut Sealer, plaintext: &[u8]) -> Vec<u8> {
    let mut body = plaintext.to_vec();
    let (counter, tag) = sealer.seal_in_place(&mut body).unwrap();
    [&counter[..], &body, &tag].concat()
}

/// Alice opens a channel to Bob. `meddle` may change each message (1, 2, 3 and 4 for ready) in
/// transit.
fn run(mut meddle: impl FnMut(u8, &mut Vec<u8>)) -> Result<(Session, Session), HandshakeError> {
    let (awaiting2, mut message1) = Initiator::start(&ALICE)?;
    meddle(1, &mut message1);
    let (awaiting3, mut message2) = Responder::accept(&BOB, &message1)?;
    meddle(2, &mut message2);
    let (awaiting_ready, mut message3) =
        awaiting2.handle_message2(&message2, &TrustEveryonePolicy)?;
    meddle(3, &mut message3);
    let (server, mut ready) = awaiting3.handle_message3(&message3, &TrustEveryonePolicy)?;
    meddle(4, &mut ready);
    Ok((awaiting_ready.handle_ready(&mut ready)?, server))
}

#[test]
fn both_ends_know_each_other_and_can_talk() {
    let (mut client, mut server) = run(|_, _| {}).unwrap();
    assert_eq!(client.peer.identity(), BOB.identity());
    assert_eq!(server.peer.identity(), ALICE.identity());
    assert_eq!(client.handshake_hash, server.handshake_hash);
    for n in 0..3u8 {
        let mut up = sealed(&mut client.sealer, &[n]);
        assert_eq!(server.opener.open_in_place(&mut up).unwrap(), &[n]);
        let mut down = sealed(&mut server.sealer, &[n, n]);
        assert_eq!(client.opener.open_in_place(&mut down).unwrap(), &[n, n]);
    }
    // A record does not open at the end that sealed it.
    let mut own = sealed(&mut client.sealer, b"echo");
    assert!(client.opener.open_in_place(&mut own).is_err());
}

#[test]
fn messages_have_the_published_lengths() {
    let mut lengths = Vec::new();
    run(|_, message| lengths.push(message.len())).unwrap();
    let payload = 1 + (1 + 1 + 34 + 66) + 66;
    assert_eq!(lengths, [MESSAGE1_LENGTH, 32 + 48 + payload + 16, 48 + payload + 16, READY_LENGTH]);
}

#[test]
fn every_bit_flip_of_every_message_is_rejected() {
    let started = std::time::Instant::now();
    let mut lengths = Vec::new();
    run(|_, message| lengths.push(message.len())).unwrap();
    for (number, length) in (1..).zip(lengths) {
        for bit in 0..length * 8 {
            let flip = |n, message: &mut Vec<u8>| {
                if n == number {
                    message[bit / 8] ^= 1 << (bit % 8);
                }
            };
            assert!(run(flip).is_err(), "bit {bit} of message {number}");
        }
        println!("message {number}: {} flips rejected, {:?}", length * 8, started.elapsed());
    }
    assert!(run(|_, _| {}).is_ok());
}

#[test]
fn every_truncation_and_extension_of_messages_is_rejected() {
    let mut lengths = Vec::new();
    run(|_, message| lengths.push(message.len())).unwrap();
    for (number, length) in (1..).zip(lengths) {
        for cut in (0..length).chain([length + 1, MAX_MESSAGE + 1, 70_000]) {
            let outcome = run(|n, message| {
                if n == number {
                    message.resize(cut, 0);
                }
            });
            assert!(outcome.is_err(), "message {number} of {cut} bytes");
        }
    }
}

#[test]
fn messages_of_another_handshake_are_rejected() {
    let mut earlier = Vec::new();
    run(|_, message| earlier.push(message.clone())).unwrap();
    for number in 2..=4u8 {
        let outcome = run(|n, message| {
            if n == number {
                message.clone_from(&earlier[usize::from(n) - 1]);
            }
        });
        assert!(outcome.is_err(), "message {number}");
    }
}

#[test]
fn trust_matrix_of_both_roles() {
    let id = |local: &LocalIdentity| local.identifier();
    let policies: Vec<(&str, Box<dyn TrustPolicy>, [bool; 3])> = vec![
        ("everyone", Box::new(TrustEveryonePolicy), [true, true, true]),
        ("bob", Box::new(TrustIdentifierPolicy::new(id(&BOB))), [false, true, false]),
        (
            "bob and eve",
            Box::new(TrustMultiIdentifiersPolicy::new([id(&BOB), id(&EVE)])),
            [false, true, true],
        ),
        (
            "everyone, pinned to bob",
            Box::new(TrustEveryonePolicy.pinned(id(&BOB))),
            [false, true, false],
        ),
    ];
    for (name, policy, expected) in &policies {
        for (peer, trusted) in [&ALICE, &BOB, &EVE].into_iter().zip(expected) {
            let (awaiting2, message1) = Initiator::start(&ALICE).unwrap();
            let (_, message2) = Responder::accept(peer, &message1).unwrap();
            // No message 3 exists when the policy refuses.
            check(
                name,
                peer,
                *trusted,
                awaiting2.handle_message2(&message2, policy.as_ref()).map(drop),
            );

            let (awaiting2, message1) = Initiator::start(peer).unwrap();
            let (awaiting3, message2) = Responder::accept(&ALICE, &message1).unwrap();
            let (_, message3) = awaiting2.handle_message2(&message2, &TrustEveryonePolicy).unwrap();
            check(
                name,
                peer,
                *trusted,
                awaiting3.handle_message3(&message3, policy.as_ref()).map(drop),
            );
        }
    }
}

fn check(policy: &str, peer: &LocalIdentity, trusted: bool, outcome: Result<(), HandshakeError>) {
    assert_eq!(outcome.is_ok(), trusted, "{policy}");
    if let Err(error) = outcome {
        assert!(error.is_rejection(), "{policy}: {error}");
        assert!(error.to_string().contains(&peer.identifier().to_string()), "{policy}: {error}");
    }
}

#[test]
fn an_initiator_without_ready_has_no_session() {
    let (awaiting2, message1) = Initiator::start(&ALICE).unwrap();
    let (_, message2) = Responder::accept(&BOB, &message1).unwrap();
    let (awaiting_ready, _) = awaiting2.handle_message2(&message2, &TrustEveryonePolicy).unwrap();
    assert_eq!(awaiting_ready.peer().identifier(), BOB.identifier());
    let refusal = awaiting_ready.handle_ready(&mut []).unwrap_err();
    assert_eq!(refusal, HandshakeError::NotReady(RecordError::BadLength(0)));
}

#[test]
fn rotated_identities_are_shown_with_their_whole_history() {
    let rng = ring::rand::SystemRandom::new();
    let rotated = (1..crate::identity::MAX_CHANGES)
        .fold(BOB.clone(), |local, _| local.rotated(&rng).unwrap().unwrap());
    let (awaiting2, message1) = Initiator::start(&rotated).unwrap();
    let (awaiting3, message2) = Responder::accept(&rotated, &message1).unwrap();
    assert!(message2.len() <= MAX_MESSAGE);
    let (awaiting_ready, message3) =
        awaiting2.handle_message2(&message2, &TrustEveryonePolicy).unwrap();
    let (server, mut ready) = awaiting3.handle_message3(&message3, &TrustEveryonePolicy).unwrap();
    let client = awaiting_ready.handle_ready(&mut ready).unwrap();
    for session in [client, server] {
        assert_eq!(session.peer.identifier(), BOB.identifier());
        assert!(session.peer.identity().is_extension_of(BOB.identity()));
    }
}

#[test]
fn debug_output_names_peers_and_no_keys() {
    let (awaiting2, message1) = Initiator::start(&ALICE).unwrap();
    let (awaiting3, message2) = Responder::accept(&BOB, &message1).unwrap();
    let first = format!("{awaiting2:?} {awaiting3:?}");
    let (awaiting_ready, message3) =
        awaiting2.handle_message2(&message2, &TrustEveryonePolicy).unwrap();
    let (server, _) = awaiting3.handle_message3(&message3, &TrustEveryonePolicy).unwrap();
    let shown = format!("{first} {awaiting_ready:?} {server:?} {:?}", server.peer);
    for who in [&ALICE, &BOB] {
        let rest = shown.replace(&who.identifier().to_string(), "");
        assert!(rest.len() < shown.len());
        for secret in [who.seed(), who.static_key().secret()] {
            let hex: String =
                secret.expose()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(
                !rest.contains(&hex)
                    && !rest.contains(&format!("{0}, {0}, {0}", secret.expose()[0])),
                "{rest}"
            );
        }
    }
}

proptest! {
    #[test]
    fn random_messages_never_panic_and_never_succeed(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        if let Ok((awaiting3, _)) = Responder::accept(&BOB, &bytes) {
            prop_assert_eq!(bytes.len(), MESSAGE1_LENGTH);
            prop_assert!(awaiting3.handle_message3(&bytes, &TrustEveryonePolicy).is_err());
        }
        let (awaiting2, _) = Initiator::start(&ALICE).unwrap();
        prop_assert!(awaiting2.handle_message2(&bytes, &TrustEveryonePolicy).is_err());
    }

    #[test]
    fn random_and_mutated_payloads_never_panic_or_verify(
        random in prop::collection::vec(any::<u8>(), 0..300),
        at: usize,
        value: u8,
        cut in 0usize..4,
    ) {
        let verify = |payload: &[u8]| {
            let public = BOB.static_key().public();
            payload::verify(HandshakeMessage::Two, payload, Role::Responder, &[7; 32], public)
        };
        prop_assert!(verify(&random).is_err());
        let genuine = payload::make(Role::Responder, &BOB, &[7; 32]);
        let mut mutated = genuine.clone();
        let at = at % mutated.len();
        mutated[at] = value;
        mutated.truncate(genuine.len() - cut);
        prop_assert_eq!(verify(&mutated).is_ok(), mutated == genuine);
    }
}

#[test]
fn only_the_verified_responder_tells_initiators_of_refusal() {
    let (awaiting2, message1) = Initiator::start(&ALICE).unwrap();
    let (awaiting3, message2) = Responder::accept(&BOB, &message1).unwrap();
    let (ready, message3) = awaiting2.handle_message2(&message2, &TrustEveryonePolicy).unwrap();
    let nobody = TrustMultiIdentifiersPolicy::new([]);
    let Ok(Answer::Refused { error, mut record }) = awaiting3.answer_message3(&message3, &nobody)
    else {
        panic!("the policy trusts nobody");
    };
    assert!(error.is_rejection());
    let refused = ready.handle_ready(&mut record).unwrap_err();
    let (own, peer) = (ALICE.identifier(), BOB.identifier());
    assert_eq!(refused, HandshakeError::Refused { own, peer });
    assert!(refused.is_rejection());
}
