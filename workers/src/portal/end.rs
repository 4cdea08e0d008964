//! One end of a stream: the actor that owns the application's socket.
//!
//! * `config`: what it is started with.
//! * [`worker`]: the actor.
//! * `stream_end`: what it holds, and what each turn does.
//! * `app_socket`: the application's socket.
//! * `opening`: how far the connecting is; `opened_delay`: how long `Opened` waits for the target's
//!   first answer.
//! * `path`: what carries the stream, with `pending_controls`, the messages that go with the next
//!   bytes, and `pending_permit`, room on the first edge.
//! * `silence`: when a stream that has lasted is checked.

mod app_socket;
pub(crate) mod config;
mod opened_delay;
mod opening;
mod path;
mod pending_controls;
mod pending_permit;
mod silence;
mod stream_end;
pub(crate) mod worker;
