//! The states of the opening, the path and the two directions of a stream, named for what they
//! await.

use crate::portal::protocol::{
    offset::Offset,
    resumption::{OutletLife, StreamSecret},
};

/// How far the opening of a stream is; `...Due` waits to be polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    OpenDue,
    AwaitingOpened,
    Connecting,
    OpenedDue,
    Established,
}

impl Opening {
    /// The state as the end of "... came while".
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::OpenDue | Self::AwaitingOpened => "the outlet's answer was awaited",
            Self::Connecting | Self::OpenedDue => "the outlet was connecting",
            Self::Established => "the stream was open",
        }
    }
}

/// Whether messages pass between the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Up,
    /// Messages wait for another path.
    Lost,
    /// At the inlet: `Resume` was sent, and the rest waits for the answer.
    AwaitingResumed,
    /// At the outlet: `Resumed` waits to be polled, and is said before anything else.
    ResumedDue,
}

/// What becomes of the stream when its path is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resumption {
    /// It ends with its path.
    Never,
    /// At the inlet: the outlet has not said yet whether it keeps the stream. `known` is the life
    /// that the outlet had before `Open`.
    Offered { secret: StreamSecret, known: Option<OutletLife> },
    /// At the inlet: the outlet keeps the stream.
    Kept { secret: StreamSecret },
    /// At the outlet, which keeps the stream.
    Keeping { life: OutletLife },
}

/// The direction from the socket to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendHalf {
    Open,
    FinDue,
    FinSent,
    Reset,
}

/// The direction from the peer to the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReceiveHalf {
    Open,
    Draining,
    ShutdownDue,
    Done,
    Reset,
}

/// What the peer was told of what has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Acks {
    announced: Offset,
    pub(super) is_due: bool,
}

impl Acks {
    pub(super) const fn announced(&self) -> Offset {
        self.announced
    }

    /// Notes that the peer is told of everything up to `position`.
    pub(super) fn announce(&mut self, position: Offset) -> Offset {
        *self = Self { announced: position, is_due: false };
        position
    }
}
