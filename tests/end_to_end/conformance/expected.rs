//! What one side of a connection has seen, and what TCP allows it to see.
//!
//! Where the reader follows each step of the writer there is one outcome. Where it reads later,
//! after more than one thing has happened, TCP promises less, and what is promised is a set:
//!
//! * A RST may overtake bytes in transit: RFC 9293, section 3.10.7.4, has the receiver flush what
//!   its reader was not yet given. Linux gives a reader what had arrived before the RST and then
//!   the error, but drops what the sender's socket still held. So before a reset there is any
//!   prefix of what was sent.
//! * A RST after a FIN that the reader has not read: Linux gives such a reader the bytes and the
//!   end, because the FIN arrived first; RFC 9293 says "connection reset" for CLOSE-WAIT and both
//!   FIN-WAITs. Which one it is depends on how far the FIN had come, so both are allowed. Even then
//!   an end must follow all that was sent.
//!
//! A direct connection keeps more than TCP promises: with few bytes, Linux on one host has only one
//! outcome for each script, also for FIN and then RST, and [`Outcome`]s are compared with that.
//!
//! Never in any set: a byte that was not sent there, an end with less than the whole, an end
//! without a FIN, a reset without a RST, and nothing at all.

/// What one side has seen of its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    pub(super) sent: u64,
    /// Bytes that arrived; each was compared.
    pub(super) received: u64,
    pub(super) end: bool,
    pub(super) reset: bool,
}

/// How much has arrived of what the other side has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Came {
    Nothing,
    Part,
    All,
}

/// What one side has seen, without the numbers, so that runs can be compared, direct and tunnelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Outcome {
    pub(super) came: Came,
    pub(super) end: bool,
    pub(super) reset: bool,
}

impl History {
    pub(super) fn outcome(&self, other: &History) -> Outcome {
        let came = match self.received {
            all if all == other.sent => Came::All,
            0 => Came::Nothing,
            _ => Came::Part,
        };
        Outcome { came, end: self.end, reset: self.reset }
    }
}

/// What a side may have seen when a script is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Neither an end nor a reset.
    Open,
    /// All that was sent, and the end.
    End,
    /// Any prefix of it, and a reset.
    Reset,
    /// What `End` allows, or what `Reset` allows.
    EndOrReset,
    /// All that was sent, the end, and after it a reset.
    EndThenReset,
}

impl Expected {
    /// Whether `own` is allowed, given what the other side has sent.
    pub(super) fn allows(self, own: &History, other: &History) -> bool {
        let whole = own.received == other.sent;
        let prefix = own.received <= other.sent;
        match (own.end, own.reset) {
            (false, false) => self == Self::Open && prefix,
            (true, false) => matches!(self, Self::End | Self::EndOrReset) && whole,
            (false, true) => matches!(self, Self::Reset | Self::EndOrReset) && prefix,
            (true, true) => self == Self::EndThenReset && whole,
        }
    }
}
