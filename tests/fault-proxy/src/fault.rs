//! The kinds of faults, as they are for frames. Other carriers have chunks of bytes or datagrams in
//! their place.

use std::{fmt, str::FromStr};

use crate::line::Line;

/// What happens to some frames of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Frames are missing.
    Drop,
    /// Frames come again, at once or much later.
    Duplicate,
    /// A forged frame comes in between: the beginning of one, where its address is, with the end of
    /// an earlier one.
    Inject,
    /// A frame changes places with the next.
    Reorder,
    /// One bit of a frame is flipped, length field included.
    Flip,
    /// Frames come late, in order.
    Delay,
    /// Frames come in small pieces, in order.
    Slice,
    /// The connection ends in the middle of a frame.
    Truncate,
    /// The connection is reset.
    Reset,
    /// Nothing arrives any more, and the connection stays open.
    Stall,
}

impl Fault {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Drop,
        Self::Duplicate,
        Self::Inject,
        Self::Reorder,
        Self::Flip,
        Self::Delay,
        Self::Slice,
        Self::Truncate,
        Self::Reset,
        Self::Stall,
    ];

    /// Whether all bytes still arrive in order, so that nothing may be noticed: a few datagrams
    /// more or less are QUIC's own matter.
    pub fn is_harmless(self, line: &Line) -> bool {
        match line {
            Line::Udp(_) => self != Self::Stall,
            _ => matches!(self, Self::Delay | Self::Slice),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Inject => "inject",
            Self::Reorder => "reorder",
            Self::Flip => "flip",
            Self::Delay => "delay",
            Self::Slice => "slice",
            Self::Truncate => "truncate",
            Self::Reset => "reset",
            Self::Stall => "stall",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|fault| fault.name() == text);
        found.ok_or_else(|| format!("there is no fault {text:?}"))
    }
}
