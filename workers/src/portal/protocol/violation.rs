//! Errors of a stream, by whose fault they are: a [`Violation`] is the peer's, a [`Misuse`] the
//! caller's.

use thiserror::Error;

use crate::portal::protocol::offset::{Limit, Offset};

/// The peer broke a rule of the protocol; each names what was expected and what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// Data past the credit it was given.
    #[error("{len} bytes at offset {offset} came, but only up to {limit} was granted")]
    BeyondLimit {
        /// The offset of the data.
        offset: Offset,
        /// Its length.
        len: u64,
        /// What was granted.
        limit: Limit,
    },
    /// Data that leaves bytes out.
    #[error("data at offset {expected} was expected, but {came} came: bytes are missing")]
    Gap {
        /// The next offset in order.
        expected: Offset,
        /// The offset of the data.
        came: Offset,
    },
    /// Data that has come before.
    #[error("data at offset {expected} was expected, but {came} came: bytes are repeated")]
    Overlap {
        /// The next offset in order.
        expected: Offset,
        /// The offset of the data.
        came: Offset,
    },
    /// `Data` or a second `Fin` after the `Fin`.
    #[error("the direction ended at offset {fin}, but more came for offset {came}")]
    AfterFin {
        /// The end of the direction.
        fin: Offset,
        /// The offset of what came.
        came: Offset,
    },
    /// `Fin` whose final offset is not what was received.
    #[error("{received} bytes were received, but Fin says {fin}")]
    WrongFin {
        /// What was received in order.
        received: Offset,
        /// What `Fin` claims.
        fin: Offset,
    },
    /// A limit so far ahead that no honest receiver grants it.
    #[error(
        "a limit of {limit} came when {sent} was sent: more than {max} ahead",
        max = crate::portal::limits::MAX_GRANT
    )]
    AbsurdLimit {
        /// What was sent.
        sent: Offset,
        /// What the peer granted.
        limit: Limit,
    },
    /// An `Ack`, or the offset of a resume, for what was not sent, or was acknowledged before.
    #[error("{received} cannot have been received: {acknowledged} to {end} is possible")]
    WrongReceived {
        /// What the peer claims.
        received: Offset,
        /// What it had acknowledged.
        acknowledged: Offset,
        /// What was sent, with the `Fin`.
        end: Offset,
    },
    /// A `Resume` that is not newer than the last one; it came late, by another path.
    #[error("resume {attempt} came after resume {last}")]
    OldResume {
        /// Its number.
        attempt: u64,
        /// The last one's.
        last: u64,
    },
    /// A message that does not belong in this state.
    #[error("{message} came while {state}")]
    Unexpected {
        /// The message's name.
        message: &'static str,
        /// What the stream was doing.
        state: &'static str,
    },
}

/// The caller did what the stream had not allowed; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Misuse {
    /// More was read from the socket than
    /// [`readable`](crate::portal::protocol::stream::Stream::readable) said.
    #[error("{read} bytes were read from the socket, but {readable} were readable")]
    Read {
        /// What could have been read.
        readable: u64,
        /// What was read.
        read: u64,
    },
    /// More was sent again than
    /// [`resendable`](crate::portal::protocol::stream::Stream::resendable) said.
    #[error("{resent} bytes were sent again, but {resendable} were to be")]
    Resent {
        /// What could have been sent again.
        resendable: u64,
        /// What was.
        resent: u64,
    },
    /// More was written to the socket than had been received.
    #[error("{wrote} bytes were written to the socket, but {buffered} were waiting")]
    Wrote {
        /// What waited for the socket.
        buffered: u64,
        /// What is said to have been written.
        wrote: u64,
    },
}
