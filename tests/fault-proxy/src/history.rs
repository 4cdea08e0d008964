//! What one direction of a tunnelled connection sent and received, and whether that is allowed.
//!
//! * What was received is a prefix of what was sent.
//! * A Fin seen means that all was received, and that the sender had ended its direction.
//! * A cut without a Fin is seen as a reset: never as a Fin, never as silence.

use std::fmt;

/// How the receiver saw its direction end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// An end of file.
    Fin,
    /// A reset of its connection.
    Reset,
    /// Neither of them, as long as it waited.
    Silence,
}

/// One direction of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Direction<'a> {
    /// What the sender wrote, by offset from 0.
    pub sent: &'a [u8],
    /// Whether the sender ended its direction after that.
    pub fin_sent: bool,
    /// What the receiver read, by offset from 0.
    pub received: &'a [u8],
    /// How it ended for the receiver.
    pub end: End,
}

/// An allowed history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything arrived, and its end.
    Whole,
    /// A prefix arrived, and a reset.
    Cut,
}

/// A forbidden history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Another byte than the one sent at this offset.
    WrongByte(usize),
    /// More than was sent; this is how much was.
    Invented(usize),
    /// An end of file after fewer bytes than were sent, or before the sender ended its direction.
    SilentTruncation {
        /// Bytes sent.
        sent: usize,
        /// Bytes received.
        received: usize,
    },
    /// Neither an end of file nor a reset, after so many bytes.
    Hung(usize),
}

/// Checks one direction.
///
/// # Errors
/// The first [`Violation`].
pub fn check(direction: Direction<'_>) -> Result<Outcome, Violation> {
    let Direction { sent, fin_sent, received, end } = direction;
    if let Some(at) = sent.iter().zip(received).position(|(sent, received)| sent != received) {
        return Err(Violation::WrongByte(at));
    }
    if received.len() > sent.len() {
        return Err(Violation::Invented(sent.len()));
    }
    match end {
        End::Fin if fin_sent && received.len() == sent.len() => Ok(Outcome::Whole),
        End::Fin => Err(Violation::SilentTruncation { sent: sent.len(), received: received.len() }),
        End::Reset => Ok(Outcome::Cut),
        End::Silence => Err(Violation::Hung(received.len())),
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongByte(at) => write!(f, "byte {at} is not the one that was sent"),
            Self::Invented(sent) => write!(f, "more came than the {sent} bytes sent"),
            Self::SilentTruncation { sent, received } => {
                write!(f, "an end of file after {received} of {sent} bytes")
            }
            Self::Hung(received) => write!(f, "neither end nor reset after {received} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sent: &[u8], fin_sent: bool, received: &[u8], end: End) -> Result<Outcome, Violation> {
        check(Direction { sent, fin_sent, received, end })
    }

    #[test]
    fn whole_and_cut_directions_are_allowed() {
        assert_eq!(of(b"abc", true, b"abc", End::Fin), Ok(Outcome::Whole));
        assert_eq!(of(b"", true, b"", End::Fin), Ok(Outcome::Whole));
        for received in ["", "a", "abc"] {
            assert_eq!(of(b"abc", true, received.as_bytes(), End::Reset), Ok(Outcome::Cut));
        }
    }

    #[test]
    fn everything_else_is_a_violation() {
        let truncated = |received| Violation::SilentTruncation { sent: 3, received };
        assert_eq!(of(b"abc", true, b"ab", End::Fin), Err(truncated(2)));
        assert_eq!(of(b"abc", false, b"abc", End::Fin), Err(truncated(3)));
        assert_eq!(of(b"abc", true, b"axc", End::Reset), Err(Violation::WrongByte(1)));
        assert_eq!(of(b"abc", true, b"bc", End::Reset), Err(Violation::WrongByte(0)));
        assert_eq!(of(b"abc", true, b"abcd", End::Reset), Err(Violation::Invented(3)));
        assert_eq!(of(b"abc", true, b"abc", End::Silence), Err(Violation::Hung(3)));
    }
}
