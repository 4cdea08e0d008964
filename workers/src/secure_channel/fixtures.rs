//! Fixtures for several tests of this module: a delivery that keeps its messages, and both ends of
//! a session.

use std::sync::{Arc, Mutex};

use ockam_actix_runtime::{
    message::undelivered::Undelivered,
    node::entry::{Deliver, Entry},
    Message,
};

use crate::{
    identity::{
        current_policy::CurrentPolicy, local_identity::LocalIdentity, policy::TrustEveryonePolicy,
    },
    secure_channel::{
        exchange::{Credentials, Exchange, Step},
        handshake::Session,
    },
};

/// Keeps the messages that are delivered to it.
#[derive(Clone, Default)]
pub(super) struct Kept(pub(super) Arc<Mutex<Vec<Message>>>);

impl Deliver for Kept {
    fn deliver(&self, _: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        self.0.lock().expect("no test panics in here").push(message);
        Ok(())
    }
}

fn credentials(seed: u8) -> Credentials {
    let local = LocalIdentity::dangerous_from_fixed_secrets([seed; 32], [seed + 1; 32]);
    Credentials {
        local: local.into(),
        policy: Arc::new(TrustEveryonePolicy),
        secret: None,
        known: Arc::default(),
        replaceable: CurrentPolicy::new(TrustEveryonePolicy),
        sessions: Arc::default(),
    }
}

/// Both ends after a handshake.
pub(super) fn sessions() -> (Session, Session) {
    let (initiator, noise) = Exchange::initiate(credentials(1)).expect("there is randomness");
    let (responder, mut answer) =
        Exchange::respond(credentials(3), &noise).expect("message 1 is good");
    let Ok(Step::Send(mut message3, initiator)) = initiator.handle(&mut answer, &|_| true) else {
        panic!("message 2 is good")
    };
    let Ok(Step::Confirm(mut ready, server)) = responder.handle(&mut message3, &|_| true) else {
        panic!("message 3 is good")
    };
    let Ok(Step::Established(client)) = initiator.handle(&mut ready, &|_| true) else {
        panic!("the responder is ready")
    };
    (*client, *server)
}
