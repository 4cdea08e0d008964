//! Notices: what the sender of a message is told when it could not be delivered, or is not
//! answered.

use std::fmt;

use crate::{
    address::{route::Route, Address},
    limits::MAX_ADDRESS_BYTES,
    message::{
        messagepack::{DecodeError, Reader},
        payload::Payload,
        Message, MessageKind, MessageParts,
    },
    text::Shown,
};

/// Why a message could not be delivered.
///
/// To a remote sender "there is no such worker" and "it is not for you" look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndeliverableReason {
    /// No worker that this sender may reach has the address.
    Unreachable,
    /// The connection to the next node is down.
    Disconnected,
    /// The edge is full.
    Overloaded,
    /// The hop counter is spent: the route is too long, or a loop.
    HopsSpent,
    /// The worker expects another type of body.
    BodyNotUnderstood,
    /// The worker stopped before it had answered.
    WorkerStopped,
    /// The message does not fit into a frame.
    TooLarge,
    /// The worker took the question, and no answer comes.
    Unanswered,
    /// It is a watch, and it is held.
    Held,
    /// It was a watch: the worker that was watched has stopped.
    HasStopped,
    /// It was a watch: the worker that was watched has panicked.
    HasPanicked,
    /// The worker, or the future that its handler returned, panicked before it had answered.
    WorkerPanicked,
    /// The secret that the message shows, such as an invitation's, is good no longer.
    SecretExpired,
    /// The worker does not know the secret that the message shows, such as an invitation's.
    SecretUnknown,
    /// A reason that this version does not know.
    Unknown(u8),
}

impl UndeliverableReason {
    /// Its number on the wire.
    pub fn code(self) -> u8 {
        match self {
            Self::Unreachable => 0,
            Self::Disconnected => 1,
            Self::Overloaded => 2,
            Self::HopsSpent => 3,
            Self::BodyNotUnderstood => 4,
            Self::WorkerStopped => 5,
            Self::TooLarge => 6,
            Self::Unanswered => 7,
            Self::Held => 8,
            Self::HasStopped => 9,
            Self::HasPanicked => 10,
            Self::WorkerPanicked => 11,
            Self::SecretExpired => 12,
            Self::SecretUnknown => 13,
            Self::Unknown(code) => code,
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Unreachable,
            1 => Self::Disconnected,
            2 => Self::Overloaded,
            3 => Self::HopsSpent,
            4 => Self::BodyNotUnderstood,
            5 => Self::WorkerStopped,
            6 => Self::TooLarge,
            7 => Self::Unanswered,
            8 => Self::Held,
            9 => Self::HasStopped,
            10 => Self::HasPanicked,
            11 => Self::WorkerPanicked,
            12 => Self::SecretExpired,
            13 => Self::SecretUnknown,
            code => Self::Unknown(code),
        }
    }
}

impl fmt::Display for UndeliverableReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "no such worker, or not reachable from here",
            Self::Disconnected => "the connection is down",
            Self::Overloaded => "its queue is full",
            Self::HopsSpent => "the message was forwarded too often",
            Self::BodyNotUnderstood => "it does not understand the message's body",
            Self::WorkerStopped => "it stopped before it had handled the message",
            Self::TooLarge => "the message is too large for it",
            Self::Unanswered => "it took the question and gives no answer",
            Self::Held => "it is watched",
            Self::HasStopped => "it has stopped",
            Self::HasPanicked => "it has panicked",
            Self::WorkerPanicked => "it panicked before it had handled the message",
            Self::SecretExpired => "the secret that the message shows has expired",
            Self::SecretUnknown => "it does not know the secret that the message shows",
            Self::Unknown(code) => return write!(f, "reason {code}"),
        })
    }
}

/// The payload of a [`MessageKind::Notice`]: which hop could not be passed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The address that the message could not pass, as the sender wrote it.
    pub hop: Address,
    /// Why.
    pub reason: UndeliverableReason,
    /// Details for a person; empty or short.
    pub detail: String,
}

/// The most bytes of [`Notice::detail`] that are sent.
const MAX_DETAIL_BYTES: usize = 200;

impl Notice {
    /// Says that a message could not pass `hop`.
    pub fn new(hop: Address, reason: UndeliverableReason) -> Self {
        Self { hop, reason, detail: String::new() }
    }

    /// Adds a few words, which end up in logs: what cannot be seen in them is escaped.
    #[must_use]
    pub fn with_detail(mut self, detail: impl AsRef<str>) -> Self {
        self.detail = Shown(detail.as_ref()).to_string();
        let cut = (0..=MAX_DETAIL_BYTES.min(self.detail.len()))
            .rev()
            .find(|at| self.detail.is_char_boundary(*at));
        self.detail.truncate(cut.unwrap_or(0));
        self
    }

    /// The MessagePack array `[reason, hop, detail]`.
    pub fn encode(&self) -> Payload {
        let wire = (self.reason.code(), self.hop.as_str(), &self.detail);
        // Two texts and a number always have a MessagePack form.
        Payload::from(rmp_serde::to_vec(&wire).unwrap_or_default())
    }

    /// Reads a notice that a peer sent; `None` if the bytes are not a notice.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        if payload.len() > 3 * MAX_DETAIL_BYTES + MAX_ADDRESS_BYTES {
            return None;
        }
        let (code, hop, detail) = Self::read(payload).ok()?;
        let (code, hop) = (u8::try_from(code).ok()?, Address::parse(hop).ok()?);
        Some(Self::new(hop, UndeliverableReason::from_code(code)).with_detail(detail))
    }

    fn read(payload: &[u8]) -> Result<(u32, &str, &str), DecodeError> {
        let mut reader = Reader::new(payload);
        reader.array(3..=3)?;
        let code = reader.uint()?;
        let (hop, detail) = (reader.text(1..=MAX_ADDRESS_BYTES)?, reader.text(0..=usize::MAX)?);
        reader.finish()?;
        Ok((code, hop, detail))
    }

    /// The message that tells the sender of `undelivered` about it, unless that was a notice
    /// itself, is expendable, or has no return route.
    pub fn about(&self, undelivered: Message) -> Option<Message> {
        let is_wanted = undelivered.kind != MessageKind::Notice && !undelivered.expendable;
        if !is_wanted || undelivered.return_route.is_empty() {
            return None;
        }
        let MessageParts { return_route, permit, .. } = undelivered.into_parts();
        let mut notice = Message::new(return_route, Route::new(), self.encode());
        notice.kind = MessageKind::Notice;
        notice.permit = permit;
        Some(notice)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\": {}", self.hop, self.reason)?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;

    #[test]
    fn a_notice_survives_the_wire() {
        for code in 0..=14 {
            let notice = Notice::new("outlet".into(), UndeliverableReason::from_code(code))
                .with_detail("why");
            assert_eq!(Notice::decode(&notice.encode()), Some(notice));
        }
    }

    #[test]
    fn details_are_cut_at_a_character() {
        let notice =
            Notice::new("a".into(), UndeliverableReason::Overloaded).with_detail("é".repeat(300));
        assert_eq!(notice.detail.len(), MAX_DETAIL_BYTES);
    }

    #[test]
    fn unseen_characters_of_a_peer_are_escaped() {
        let notice = |hop: &str, detail: &str| rmp_serde::to_vec(&(0, hop, detail)).unwrap();
        let read = Notice::decode(&notice("a", "x\n\u{202e}y")).unwrap();
        assert_eq!(read.detail, "x\\u{a}\\u{202e}y");
        assert_eq!(Notice::decode(&read.encode()), Some(read));
        assert_eq!(Notice::decode(&notice("tuo\u{202e}let", "")), None);
    }

    #[test]
    fn there_is_no_notice_about_a_notice() {
        let notice = Notice::new("a".into(), UndeliverableReason::Unreachable);
        let lost = Message::new(route!["a"], route!["sender"], Payload::default());
        let first = notice.about(lost).unwrap();
        assert_eq!(first.onward_route, route!["sender"]);
        assert!(notice.about(first).is_none());
    }

    #[test]
    fn there_is_no_notice_about_an_expendable_message() {
        let notice = Notice::new("a".into(), UndeliverableReason::Unreachable);
        let mut lost = Message::new(route!["a"], route!["sender"], Payload::default());
        lost.expendable = true;
        assert!(notice.about(lost).is_none());
    }

    #[test]
    fn garbage_is_no_notice() {
        for bytes in [&b""[..], &[0x93], &[0x93, 0, 0xa0, 0xa0], &[0x80], &[0xff; 2_000]] {
            assert_eq!(Notice::decode(bytes), None);
        }
    }

    #[test]
    fn other_shapes_and_trailing_bytes_are_no_notice() {
        let notice = [0x93, 0, 0xa1, b'a', 0xa0];
        assert!(Notice::decode(&notice).is_some());
        assert_eq!(Notice::decode(&[&notice[..], &[0]].concat()), None, "a byte follows");
        let map = [0x83, 0, 0, 1, 0xa1, b'a', 2, 0xa0];
        assert_eq!(Notice::decode(&map), None, "a map");
        assert_eq!(Notice::decode(&[0x93, 0, 0xc4, 1, b'a', 0xa0]), None, "bin for str");
        assert_eq!(Notice::decode(&[0x94, 0, 0xa1, b'a', 0xa0, 0]), None, "a fourth element");
    }
}
