//! Why a stream was refused or reset, as numbers on the wire that later versions may add to.
//!
//! A code that this version does not know is kept as it came, so that a log can show it.

use std::fmt;

/// Why an outlet did not open a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamRefusal {
    /// The target answered and refused the connection (code 1).
    TargetRefused,
    /// The target's host name did not resolve (code 2).
    NameUnknown,
    /// There is no route to the target's network or host (code 3).
    Unreachable,
    /// The target did not answer in time (code 4).
    TimedOut,
    /// A policy of the outlet forbids it (code 5).
    NotAllowed,
    /// The outlet is at its limit of streams, memory or descriptors (code 6).
    Busy,
    /// The outlet does not speak the version in `Open` (code 7).
    UnsupportedVersion,
    /// Nobody could say at the moment which address the target's name has (code 8).
    NameUnresolved,
    /// A code of a later version.
    Unknown(u16),
}

impl StreamRefusal {
    /// The number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::TargetRefused => 1,
            Self::NameUnknown => 2,
            Self::Unreachable => 3,
            Self::TimedOut => 4,
            Self::NotAllowed => 5,
            Self::Busy => 6,
            Self::UnsupportedVersion => 7,
            Self::NameUnresolved => 8,
            Self::Unknown(code) => code,
        }
    }

    /// The reason that a number from the wire stands for.
    pub const fn from_code(code: u16) -> Self {
        match code {
            1 => Self::TargetRefused,
            2 => Self::NameUnknown,
            3 => Self::Unreachable,
            4 => Self::TimedOut,
            5 => Self::NotAllowed,
            6 => Self::Busy,
            7 => Self::UnsupportedVersion,
            8 => Self::NameUnresolved,
            other => Self::Unknown(other),
        }
    }

    /// A few words for people; also the text that `Refused` carries when there is none better.
    pub const fn text(self) -> &'static str {
        match self {
            Self::TargetRefused => "the target refused the connection",
            Self::NameUnknown => "the target's name is unknown",
            Self::Unreachable => "the target is unreachable",
            Self::TimedOut => "the target did not answer in time",
            Self::NotAllowed => "the outlet does not allow it",
            Self::Busy => "the outlet is at its limits",
            Self::UnsupportedVersion => "the outlet does not speak this version of portals",
            Self::NameUnresolved => "the target's name could not be looked up at the moment",
            Self::Unknown(_) => "refused for a reason this version does not know",
        }
    }
}

impl fmt::Display for StreamRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.text(), self.code())
    }
}

/// Why an open stream was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResetReason {
    /// The application reset its TCP connection, or its socket failed (code 1).
    ByApplication,
    /// The route between inlet and outlet was lost (code 2).
    PathLost,
    /// The peer broke the rules of the protocol (code 3).
    ProtocolViolation,
    /// The portal cannot go on (code 4): its node stops, or there is a fault in it.
    Stopped,
    /// The stream was idle, or its opening pending, for too long (code 5).
    TimedOut,
    /// The other end no longer knows the stream that was to be resumed, as after its restart
    /// (code 6).
    Forgotten,
    /// A code of a later version.
    Unknown(u16),
}

impl ResetReason {
    /// The number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::ByApplication => 1,
            Self::PathLost => 2,
            Self::ProtocolViolation => 3,
            Self::Stopped => 4,
            Self::TimedOut => 5,
            Self::Forgotten => 6,
            Self::Unknown(code) => code,
        }
    }

    /// The reason that a number from the wire stands for.
    pub const fn from_code(code: u16) -> Self {
        match code {
            1 => Self::ByApplication,
            2 => Self::PathLost,
            3 => Self::ProtocolViolation,
            4 => Self::Stopped,
            5 => Self::TimedOut,
            6 => Self::Forgotten,
            other => Self::Unknown(other),
        }
    }
}

impl fmt::Display for ResetReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::ByApplication => "reset by the application",
            Self::PathLost => "the path was lost",
            Self::ProtocolViolation => "protocol violation",
            Self::Stopped => "the portal is stopping",
            Self::TimedOut => "timed out",
            Self::Forgotten => "the other end does not know the stream any more",
            Self::Unknown(_) => "reset for a reason this version does not know",
        };
        write!(f, "{text} (code {})", self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back_as_itself() {
        for code in 0..=u16::MAX {
            assert_eq!(StreamRefusal::from_code(code).code(), code);
            assert_eq!(ResetReason::from_code(code).code(), code);
        }
    }
}
