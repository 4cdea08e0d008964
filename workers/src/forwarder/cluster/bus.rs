//! The bus: how a hub talks to all other hubs of its cluster at once.

use std::{future::Future, pin::Pin};

use bytes::Bytes;

/// Handles what another hub sends, and returns the answer, if it has one.
pub type Receive = Box<dyn Fn(Bytes) -> Option<Bytes> + Send + Sync>;

/// Whether an answer is one: every hub can answer, also one that knows nothing.
pub type Accept = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// Carries short messages between the hubs of one cluster. They may be lost, and come twice; none
/// is needed for messages under way to arrive.
///
/// All who can use the bus are hubs of the cluster, so it decides who may.
pub trait Bus: Send + Sync {
    /// Has `receive` get what the others send, from now on. Called once.
    fn listen(&self, receive: Receive);

    /// Sends `message` to all others. Does not wait, and drops what cannot be sent now.
    fn publish(&self, message: Bytes);

    /// Sends `message` to all others, and resolves to the first answer that `accept` takes; to
    /// `None` as soon as it is known that none comes. The caller waits no longer than it wants to.
    fn ask(
        &self,
        message: Bytes,
        accept: Accept,
    ) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send>>;
}
