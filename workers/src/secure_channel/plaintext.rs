//! The plaintext of a record: one byte that says what the rest is.
//!
//! ```text
//! 0 message     an encoded message: its own onward route, return route and payload
//! 1 ping        nothing; to be answered with pong
//! 2 pong        nothing
//! 3 close       nothing; the sender sends no more, and opens no more
//! 4 handshake   a handshake message for new keys, encoded as before there were any
//! 5 switch      nothing; the sender's next record has the new keys
//! ```
//!
//! A byte that is not in this list ends the channel: both ends speak the version that the handshake
//! agreed on.

/// The first byte of a record's plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// A message of a worker.
    Message,
    /// Asks whether the peer is there.
    Ping,
    /// Answers a ping.
    Pong,
    /// Ends the channel.
    Close,
    /// Agrees on new keys.
    Handshake,
    /// Switches to the new keys.
    Switch,
}

impl Tag {
    /// Its byte.
    pub fn byte(self) -> u8 {
        self as u8
    }

    /// What a byte means, if anything.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Message,
            1 => Self::Ping,
            2 => Self::Pong,
            3 => Self::Close,
            4 => Self::Handshake,
            5 => Self::Switch,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_table() {
        let known = (0..=u8::MAX).filter_map(Tag::from_byte);
        assert_eq!(known.map(Tag::byte).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    }
}
