//! A handshake whose messages are altered in transit: it succeeds only if none was altered, and
//! never panics.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use ockam_actix_workers::{
    identity::local_identity::LocalIdentity,
    secure_channel::handshake::{HandshakeError, Initiator, Responder},
    TrustEveryonePolicy, Vault,
};

use crate::structured;

static ENDS: LazyLock<[LocalIdentity; 2]> = LazyLock::new(|| {
    let vault = Vault::in_memory();
    ["a", "b"].map(|name| {
        let identifier = vault.create_identity(name).expect("an identity");
        vault.local_identity(&identifier).expect("its keys")
    })
});

/// What happens to one message.
#[derive(Arbitrary, Debug)]
enum Meddling {
    Nothing,
    Flip(u16),
    Cut(u16),
    Replace(Vec<u8>),
    Add(Vec<u8>),
}

impl Meddling {
    /// Alters the message; returns whether it is another one now.
    fn apply(self, message: &mut Vec<u8>) -> bool {
        let before = message.clone();
        match self {
            Self::Nothing => {}
            Self::Flip(bit) => {
                let bit = usize::from(bit) % (message.len() * 8);
                message[bit / 8] ^= 1 << (bit % 8);
            }
            Self::Cut(length) => message.truncate(length.into()),
            Self::Replace(other) => *message = other,
            Self::Add(more) => message.extend(more),
        }
        *message != before
    }
}

/// Checks one input.
pub fn check(input: &[u8]) {
    structured(input, check_one);
}

fn check_one(meddling: [Meddling; 4]) {
    let mut altered = false;
    let outcome = run(meddling, &mut altered);
    assert_eq!(outcome.is_ok(), !altered, "{outcome:?}");
}

fn run(meddling: [Meddling; 4], altered: &mut bool) -> Result<(), HandshakeError> {
    let [one, two, three, four] = meddling;
    let [alice, bob] = &*ENDS;
    let (awaiting2, mut message) = Initiator::start(alice)?;
    *altered |= one.apply(&mut message);
    let (awaiting3, mut message) = Responder::accept(bob, &message)?;
    *altered |= two.apply(&mut message);
    let (awaiting_ready, mut message) =
        awaiting2.handle_message2(&message, &TrustEveryonePolicy)?;
    *altered |= three.apply(&mut message);
    let (_, mut ready) = awaiting3.handle_message3(&message, &TrustEveryonePolicy)?;
    *altered |= four.apply(&mut ready);
    awaiting_ready.handle_ready(&mut ready).map(drop)
}
