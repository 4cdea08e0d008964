//! One end of a stream: the actor that owns the application's socket.
//!
//! * `config`: what it is started with.
//! * [`worker`]: the actor.
//! * `stream_end`: what it holds, and what each turn does.
//! * `app_socket`: the application's socket.
//! * `opening`: how far the connecting is.
//! * `path`: what carries the stream, with `pending_controls`, the messages that go with the next
//!   bytes, and `pending_permit`, room on the first edge.
//! * `suspension`: what a stream whose path is lost waits for; `retained`: what was sent and not
//!   acknowledged, to be sent again.
//! * `silence`: when a stream that has lasted is checked; `joined_delay`: short delays, which the
//!   streams of an arbiter share.

mod app_socket;
pub(crate) mod config;
mod joined_delay;
mod opening;
mod path;
mod pending_controls;
mod pending_permit;
mod retained;
mod silence;
mod stream_end;
mod suspension;
pub(crate) mod worker;
