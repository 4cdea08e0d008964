//! Why a datagram was lost, for the log, which counts all and says some.

use std::fmt;

use ockam_actix_runtime::{
    message::undelivered::Undelivered, Node, Notice, Payload, UndeliverableReason,
};

use crate::datagram::message::NoDatagram;

/// Why a datagram was dropped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Loss {
    /// The first edge is full, or its flow has as much under way as is left to others.
    #[error("there is no room for it on the first edge")]
    NoRoom,
    /// The first hop is down, and was tried in vain.
    #[error("the path is lost")]
    PathLost,
    /// It is larger than the path carries.
    #[error("{0} bytes are more than the path carries")]
    TooLarge(usize),
    /// A hop on the path did not take it.
    #[error("{0}")]
    Undelivered(Notice),
    /// There is no room for another flow.
    #[error("there are too many flows")]
    TooManyFlows,
    /// What came is no datagram.
    #[error("{0}")]
    NoDatagram(#[from] NoDatagram),
    /// The target cannot be sent to.
    #[error("the target cannot be reached: {0}")]
    NoTarget(String),
    /// While the target's name is looked up, more has come than is kept.
    #[error("the target's name is still being looked up")]
    TooEarly,
    /// The application's socket takes no more, or nothing of that size.
    #[error("the socket did not take it: {0}")]
    Socket(std::io::Error),
}

impl Loss {
    /// The name of the rule under which it is counted and logged.
    pub(crate) const fn rule(&self) -> &'static str {
        match self {
            Self::NoRoom => "datagrams-no-room",
            Self::PathLost => "datagrams-path-lost",
            Self::TooLarge(_) => "datagrams-too-large",
            Self::Undelivered(_) => "datagrams-undelivered",
            Self::TooManyFlows => "datagrams-too-many-flows",
            Self::NoDatagram(_) => "datagrams-not-understood",
            Self::NoTarget(_) => "datagrams-no-target",
            Self::TooEarly => "datagrams-too-early",
            Self::Socket(_) => "datagrams-socket",
        }
    }

    /// Counts it, for a datagram of `whose`. Full edges and sockets are everyday life of UDP.
    pub(crate) fn count(&self, node: &Node, whose: impl fmt::Display) {
        let log = node.refusals();
        let what = format_args!("dropped a datagram of {whose}: {self}");
        match self {
            Self::NoRoom | Self::TooEarly | Self::Socket(_) => log.info(self.rule(), what),
            _ => log.warn(self.rule(), what),
        }
    }

    /// What a notice about a datagram says.
    pub(crate) fn of_notice(payload: &Payload) -> Option<Self> {
        Notice::decode(payload).map(Self::Undelivered)
    }
}

impl From<Box<Undelivered>> for Loss {
    fn from(undelivered: Box<Undelivered>) -> Self {
        match undelivered.notice.reason {
            UndeliverableReason::TooLarge => Self::TooLarge(undelivered.message.payload.len()),
            UndeliverableReason::Overloaded => Self::NoRoom,
            _ => Self::Undelivered(undelivered.notice),
        }
    }
}
