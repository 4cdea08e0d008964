//! Watching: a watcher is told once when a worker, on this node or on another one, has ended, or
//! can no longer be reached.
//!
//! A *watch* is a message of a kind of its own that travels like any other, along the same route
//! and under the same rules, and is never delivered: the node of the worker at the end of its route
//! [holds](held) it, and answers with a notice at once, and with another one when the worker has
//! ended. A watch that cannot be passed on yields the usual notice. So connections, channels and
//! forwarders carry watches without knowing them, and a watcher that may not reach a worker learns
//! only that.
//!
//! The watcher [repeats](watching) its watch, and the node forgets one that is not repeated. So a
//! worker that is lost without a word, together with a hub for example, is missed after
//! [`WATCH_PATIENCE`](crate::limits::WATCH_PATIENCE); the loss of the route's own first hop is seen
//! at once.
//!
//! * [`watching`]: one watch, as its watcher sees it; pure.
//! * [`held`]: the watches that a node holds; pure.
//! * `watcher`: the task of a watch, and [`Watch`], which its owner waits for.
//! * [`probe`]: whether a worker can be reached at all, and how long that takes.
//! * `keeper`: how a node holds watches, and tells of the end of workers.

pub mod held;
mod keeper;
pub mod probe;
mod watcher;
pub mod watching;

use std::time::Duration;

use crate::message::{
    messagepack::{Reader, Writer},
    payload::Payload,
};

pub use watcher::Watch;

/// The payload of a watch that is to be held for `lease`; zero ends it.
pub(crate) fn encode(lease: Duration) -> Payload {
    let seconds = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX);
    let mut writer = Writer::with_capacity(5);
    writer.uint(seconds);
    Payload::from(writer.finish())
}

/// The lease that the payload of a watch asks for.
pub(crate) fn decode(payload: &[u8]) -> Option<Duration> {
    let mut reader = Reader::new(payload);
    let seconds = reader.uint().ok()?;
    reader.finish().ok()?;
    Some(Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_survives_the_wire_in_one_form() {
        for seconds in [0, 20, 127, 128, 65_536, u32::MAX] {
            let lease = Duration::from_secs(seconds.into());
            assert_eq!(decode(&encode(lease)), Some(lease));
        }
        for bytes in [&b""[..], &[0xcc, 20], &[20, 0], &[0x91, 20], &[0xa0]] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
