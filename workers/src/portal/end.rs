//! One end of a stream: the actor that owns the application's socket.
//!
//! * `config`: what it is started with.
//! * [`worker`]: the actor.
//! * `io`: its socket, as a future in the actor's own task.
//! * `write_buffer`: bytes for the application that its socket has not taken.
//! * `pending_controls`: messages that go with the next bytes.
//! * `opened_delay`: how long `Opened` waits for the target's first answer.

pub(crate) mod config;
mod io;
mod opened_delay;
mod pending_controls;
pub(crate) mod worker;
mod write_buffer;
