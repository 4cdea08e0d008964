//! The states of the opening and of the two directions of a stream, named for what they await.

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
