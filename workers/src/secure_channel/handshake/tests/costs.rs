//! What the peer of a handshake can make us verify, counted in signatures.

use std::cell::Cell;

use ring::rand::SystemRandom;

use super::*;
use crate::identity::{
    known_identities::KnownIdentities, policy::TrustContext, signature::count, MAX_CHANGES,
};

const EVERYTHING: &dyn Fn(Work) -> bool = &|_| true;
const NOTHING: &dyn Fn(Work) -> bool = &|_| false;

/// An identity with as many keys as there may be.
static LONG: LazyLock<LocalIdentity> = LazyLock::new(|| {
    (1..MAX_CHANGES)
        .fold(EVE.clone(), |identity, _| identity.rotated(&SystemRandom::new()).unwrap().unwrap())
});

/// The signatures that Bob verifies for message 3 of `initiator`, and his answer to it.
fn judged(
    initiator: &LocalIdentity,
    judge: Judge<'_>,
) -> (usize, std::result::Result<Answer, HandshakeError>) {
    let (awaiting2, message1) = Initiator::start(initiator).unwrap();
    let (awaiting3, message2) = Responder::accept(&BOB, &message1).unwrap();
    let (_, message3) = awaiting2.handle_message2(&message2, &TrustEveryonePolicy).unwrap();
    let mut answer = None;
    let verified = count::during(|| answer = Some(awaiting3.answer_message3(&message3, judge)));
    (verified, answer.unwrap())
}

fn is_ready(answer: &std::result::Result<Answer, HandshakeError>) -> bool {
    matches!(answer, Ok(Answer::Ready { .. }))
}

fn is_refused(answer: &std::result::Result<Answer, HandshakeError>) -> bool {
    matches!(answer, Ok(Answer::Refused { .. }))
}

#[test]
fn refused_identifiers_cost_one_signature() {
    let known = KnownIdentities::default();
    let policy = TrustIdentifierPolicy::new(ALICE.identifier());
    let (verified, answer) = judged(&LONG, Judge::new(&policy, &known, NOTHING));
    let expected = HandshakeError::Unverified { peer: LONG.identifier(), keys: MAX_CHANGES };
    assert_eq!(verified, 1);
    assert!(matches!(answer, Err(error) if error == expected));
    // With one key there is little to verify, and whoever owns it is told.
    let (verified, answer) = judged(&EVE, Judge::new(&policy, &known, NOTHING));
    assert_eq!(verified, 2);
    assert!(is_refused(&answer));
}

#[test]
fn long_histories_are_verified_last_and_once() {
    let known = KnownIdentities::default();
    let (verified, answer) = judged(&LONG, Judge::new(&TrustEveryonePolicy, &known, EVERYTHING));
    // The proof, and two for each key but the first, which nobody approves.
    assert_eq!(verified, 1 + 2 * MAX_CHANGES - 1);
    assert!(is_ready(&answer));
    known.meet(LONG.identity()).unwrap();
    let (verified, answer) = judged(&LONG, Judge::new(&TrustEveryonePolicy, &known, NOTHING));
    assert_eq!(verified, 1);
    assert!(is_ready(&answer));
}

#[test]
fn a_known_history_leaves_its_additions_to_verify() {
    let known = KnownIdentities::default();
    let rotate = |identity: &LocalIdentity| identity.rotated(&SystemRandom::new()).unwrap();
    let two = rotate(&EVE).unwrap();
    let three = rotate(&two).unwrap();
    known.meet(two.identity()).unwrap();
    let asked = Cell::new(None);
    let budget = |work| {
        asked.set(Some(work));
        true
    };
    let (verified, answer) = judged(&three, Judge::new(&TrustEveryonePolicy, &known, &budget));
    assert_eq!((verified, asked.get()), (3, None), "one more key is nothing to ask for");
    let Ok(Answer::Ready { session, .. }) = answer else { panic!("it is trusted") };
    assert_eq!(session.peer.identity(), three.identity());
}

#[test]
fn bad_proofs_cost_one_signature_whoever_is_claimed() {
    let known = KnownIdentities::default();
    let trusting: [&dyn TrustPolicy; 2] =
        [&TrustEveryonePolicy, &TrustIdentifierPolicy::new(ALICE.identifier())];
    for policy in trusting {
        let mut noise = Noise::start(Role::Initiator, &EVE, None, None).unwrap();
        let message1 = noise.write(HandshakeMessage::One, &[]).unwrap();
        let (awaiting3, message2) = Responder::accept(&BOB, &message1).unwrap();
        noise.read(HandshakeMessage::Two, &message2).unwrap();
        let payload = payload::encode(LONG.identity(), &[7; 64]);
        let message3 = noise.write(HandshakeMessage::Three, &payload).unwrap();
        let mut answer = None;
        let judge = Judge::new(policy, &known, EVERYTHING);
        let verified = count::during(|| answer = Some(awaiting3.answer_message3(&message3, judge)));
        let expected = HandshakeError::BadProof(LONG.identifier());
        assert_eq!(verified, 1);
        assert!(matches!(answer.unwrap(), Err(error) if error == expected));
    }
}

#[test]
fn policies_that_see_histories_decide_after_them() {
    let known = KnownIdentities::default();
    let all_keys = |context: &TrustContext| {
        context.identity.as_ref().is_some_and(|identity| identity.key_count() == MAX_CHANGES)
    };
    assert!(is_ready(&judged(&LONG, Judge::new(&all_keys, &known, EVERYTHING)).1));
    assert!(is_refused(&judged(&EVE, Judge::new(&all_keys, &known, EVERYTHING)).1));
}
