//! What waits to be handed to the client of NATS, in bounded memory.
//!
//! One task hands messages over, so they go out in the order in which they came. While a server
//! takes nothing, the client's own queue fills, and then this one; what comes after that is
//! dropped, as a bus may.

use std::sync::Arc;

use async_nats::{Client, Subject};
use bytes::Bytes;
use tokio::sync::{
    mpsc::{self, UnboundedReceiver, UnboundedSender},
    OwnedSemaphorePermit, Semaphore,
};

/// Bytes that wait: two seconds of a hub that tells all of its claims, or thousands of answers.
const ROOM: usize = 4 << 20;

/// What a message takes beside its own bytes: its subjects, and its place.
const OVERHEAD: usize = 256;

/// Messages in the client's own queue, of 40 KiB at most.
pub(super) const CLIENT_CAPACITY: usize = 128;

/// The way in.
#[derive(Clone)]
pub(super) struct Outbox {
    waiting: UnboundedSender<Outgoing>,
    room: Arc<Semaphore>,
}

/// What comes out.
pub(super) struct Outgoings(UnboundedReceiver<Outgoing>);

struct Outgoing {
    subject: Subject,
    reply: Option<Subject>,
    message: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Outbox {
    /// One with nothing in it.
    pub(super) fn new() -> (Self, Outgoings) {
        let (waiting, outgoings) = mpsc::unbounded_channel();
        (Self { waiting, room: Arc::new(Semaphore::new(ROOM)) }, Outgoings(outgoings))
    }

    /// Has a message sent, with the subject to answer to; false if there is no room for it.
    pub(super) fn put(&self, subject: Subject, reply: Option<Subject>, message: Bytes) -> bool {
        let takes = u32::try_from(message.len() + OVERHEAD).unwrap_or(u32::MAX);
        let Ok(room) = self.room.clone().try_acquire_many_owned(takes) else { return false };
        self.waiting.send(Outgoing { subject, reply, message, _room: room }).is_ok()
    }
}

impl Outgoings {
    /// Hands over what comes, until nobody can put anything in any more.
    pub(super) async fn hand_to(mut self, client: Client) {
        while let Some(Outgoing { subject, reply, message, _room }) = self.0.recv().await {
            // An error says that the client has ended, and so has the hub.
            let _ = match reply {
                Some(reply) => client.publish_with_reply(subject, reply, message).await,
                None => client.publish(subject, message).await,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[test]
    fn what_waits_is_bounded_and_in_order() {
        let (outbox, mut outgoings) = Outbox::new();
        let put = |byte: u8, bytes: usize| outbox.put("to".into(), None, vec![byte; bytes].into());
        let large = ROOM / 4 - OVERHEAD;
        assert!((0..4).all(|byte| put(byte, large)) && !put(4, 0));
        let mut next = || outgoings.0.recv().now_or_never().flatten().map(|out| out.message[0]);
        assert_eq!(next(), Some(0));
        assert!(!put(5, large + 1) && put(6, large));
        assert_eq!([(); 5].map(|()| next()), [Some(1), Some(2), Some(3), Some(6), None]);
        let small = (0..).take_while(|_| put(7, 0)).count();
        assert_eq!(small, ROOM / OVERHEAD);
    }
}
