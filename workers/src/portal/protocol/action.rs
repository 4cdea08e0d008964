//! The actions that a stream asks its caller for, and how a stream can end.

use crate::portal::protocol::{
    message::Control,
    reason::{ResetReason, StreamRefusal},
};

/// What the caller is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this message to the peer, after everything sent before.
    Send(Control<'static>),
    /// All bytes were written: shut down the write half of the socket, so that the application sees
    /// the end.
    ShutdownWrite,
    /// Write the waiting bytes as far as the socket takes them at once (a connect in progress goes
    /// on for that, and is given up if nothing waits), then close the socket with a reset
    /// (`SO_LINGER` 0).
    ResetSocket,
    /// Nothing follows: close what is left of the socket, if it was not reset, and drop the stream.
    Finished(End),
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Both directions were complete.
    Clean,
    /// The outlet did not open it.
    Refused(StreamRefusal),
    /// The peer reset it.
    ByPeer(ResetReason),
    /// It was reset at this end.
    Here(ResetReason),
}
