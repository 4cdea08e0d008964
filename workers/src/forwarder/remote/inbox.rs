//! Where a hub tells a node that a newer registration has its address, or that it stops.

use std::sync::Arc;

use ockam_actix_runtime::{Address, Context, Error, Payload};
use tokio::sync::Mutex;

use crate::forwarder::protocol::{
    claim::ForwarderId,
    displacement::{Displacement, Held},
    Answer,
};

/// The mailbox that a registration was asked from, and what it is about. Clones share it.
#[derive(Clone)]
pub(super) struct Inbox {
    mailbox: Arc<Mutex<Context>>,
    /// The way that its messages must come by.
    first_hop: Address,
    id: ForwarderId,
    /// Only where an identity claimed the address can another instance have it.
    held: Option<Held>,
}

/// What a hub says of a forwarder unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Another instance has the address, as is proved.
    Displaced,
    /// The hub stops soon.
    Leaving,
}

impl Inbox {
    pub(super) fn new(
        mailbox: Context,
        first_hop: Address,
        id: ForwarderId,
        held: Option<Held>,
    ) -> Self {
        Self { mailbox: Arc::new(Mutex::new(mailbox)), first_hop, id, held }
    }

    /// Waits for what the hub says. Everything else that arrives is dropped.
    pub(super) async fn told(&self) -> Told {
        let mut mailbox = self.mailbox.lock().await;
        loop {
            let message = match mailbox.receive::<Payload>().await {
                Ok(message) if message.origin().came_through(&self.first_hop) => message,
                Err(Error::Stopped) => return std::future::pending().await,
                _ => continue,
            };
            match Answer::decode(message.body()) {
                Ok(Answer::Leaving(id)) if id == self.id => return Told::Leaving,
                Ok(Answer::Displaced(proof)) if self.proves(&proof) => return Told::Displaced,
                _ => log::debug!("dropped a message about a forwarder from {}", message.origin()),
            }
        }
    }

    fn proves(&self, proof: &Displacement) -> bool {
        self.held.as_ref().is_some_and(|held| proof.displaces(held))
    }
}
