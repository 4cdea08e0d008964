//! Where a hub tells a node that a newer registration has its address.

use std::sync::Arc;

use ockam_actix_runtime::{Address, Context, Error, Payload};
use tokio::sync::Mutex;

use crate::forwarder::protocol::{displacement::Held, Answer};

/// The mailbox that a registration was asked from, and what it is about. Clones share it.
#[derive(Clone)]
pub(super) struct Inbox {
    mailbox: Arc<Mutex<Context>>,
    /// The way that its messages must come by.
    first_hop: Address,
    held: Held,
}

impl Inbox {
    pub(super) fn new(mailbox: Context, first_hop: Address, held: Held) -> Self {
        Self { mailbox: Arc::new(Mutex::new(mailbox)), first_hop, held }
    }

    /// Waits until it is proved that another instance has the address. Everything else that arrives
    /// is dropped.
    pub(super) async fn displaced(&self) {
        let mut mailbox = self.mailbox.lock().await;
        loop {
            let message = match mailbox.receive::<Payload>().await {
                Ok(message) if message.origin().came_through(&self.first_hop) => message,
                Err(Error::Stopped) => return std::future::pending().await,
                _ => continue,
            };
            match Answer::decode(message.body()) {
                Ok(Answer::Displaced(proof)) if proof.displaces(&self.held) => return,
                _ => log::debug!("dropped a message about a forwarder from {}", message.origin()),
            }
        }
    }
}
