//! One end of a stream: the actor that owns the application's socket.
//!
//! * [`worker`]: the actor.
//! * `io`: its socket, as a future in the actor's own task.
//! * `waiting`: bytes for the application that its socket has not taken.
//! * `unsent`: messages that go with the next bytes.
//! * `opened_delay`: how long the target's first answer is waited for.

mod io;
mod opened_delay;
mod unsent;
mod waiting;
pub(crate) mod worker;
