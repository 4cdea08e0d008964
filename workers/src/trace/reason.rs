//! Why a hop did not answer, in words, and what to do about it.

use std::{fmt, sync::Arc, time::Duration};

use ockam_actix_runtime::{text::Shown, Notice, UndeliverableReason};

use crate::{
    portal::protocol::reason::StreamRefusal, secure_channel::ChannelFailure, trace::report::HopRole,
};

/// Why a hop did not answer as it should.
#[derive(Clone, Debug)]
pub(super) enum Reason {
    /// There is no connection to it.
    NotConnected(Arc<str>),
    /// Nothing came for so long.
    Late(Duration),
    /// There is no worker with its address, or not for us.
    Absent,
    /// A message could not pass an address after it, which the notice names.
    Beyond(Notice),
    /// It says something else than it should.
    Notice(Notice),
    /// No secure channel was established.
    NoChannel(ChannelFailure),
    /// The outlet did not connect to the target.
    NoTarget(StreamRefusal),
}

impl Reason {
    /// What a notice says of the hop `name`, or of one after it.
    pub(super) fn of_notice(notice: Notice, name: &str) -> Self {
        match (notice.reason, notice.hop.shown() == name) {
            (UndeliverableReason::Unreachable, true) => Self::Absent,
            (_, true) => Self::Notice(notice),
            (_, false) => Self::Beyond(notice),
        }
    }

    /// What to do about it, for a hop in this role.
    pub(super) fn remedy(&self, role: HopRole) -> &'static str {
        match (self, role) {
            (Self::NotConnected(_), _) => {
                "check that a node listens there, and that no firewall is in between"
            }
            (Self::Late(_), HopRole::Forwarder) => {
                "the hub answers, but not the node that it forwards to: look at that node, and at \
                 its line"
            }
            (Self::Late(_), HopRole::Target) => {
                "the outlet answers, but its target does not: look at the target, and at the line \
                 to it"
            }
            (Self::Late(_), _) => {
                "look whether it hangs, and whether its line drops packets, or is slow: then wait \
                 for longer"
            }
            (Self::Absent, HopRole::Forwarder) => {
                "start the node that registers there, and copy its address again: it changes with \
                 the node's identity"
            }
            (Self::Absent, HopRole::Node) => {
                "nodes connect only for routes that they make themselves: begin the route with \
                 this address, or go through a forwarder"
            }
            (Self::Absent, _) => {
                "check the spelling, and at a hub that the outlet runs, which without --identity \
                 has another address at each start; what is not exposed is reached through the \
                 secure channel listener of its node alone"
            }
            (Self::Beyond(notice), HopRole::Forwarder)
                if notice.reason == UndeliverableReason::Unreachable =>
            {
                "what was registered there has ended: look at the node that is forwarded to"
            }
            (Self::Beyond(_) | Self::Notice(_), HopRole::Target) => {
                "that address is no outlet of TCP: check the route, and whether it leads through a \
                 secure channel"
            }
            (Self::Beyond(_) | Self::Notice(_), _) => "look at the node that is named there",
            (Self::NoChannel(failure), _) if failure.is_refusal => {
                "compare the identities: each end has to trust that of the other, and a forwarding \
                 address names the one that has to answer"
            }
            (Self::NoChannel(_), _) => {
                "check that the route ends at a secure channel listener, and copy it again if it \
                 has a forwarding address; a route to the outlet itself has no channel"
            }
            (Self::NoTarget(StreamRefusal::NotAllowed), _) => {
                "the outlet permits some targets, which its clients name: name one of them"
            }
            (Self::NoTarget(StreamRefusal::Busy), _) => "wait, or raise the limits of the outlet",
            (Self::NoTarget(_), _) => {
                "the route is fine: look at the target, and at what the outlet was told to \
                 connect to"
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(why) => Shown(why).fmt(f),
            Self::Late(limit) => write!(f, "no answer within {limit:?}"),
            Self::Absent => f.write_str("it is not there, or may not be reached from here"),
            Self::Beyond(notice) | Self::Notice(notice) => notice.fmt(f),
            Self::NoChannel(failure) => Shown(&failure.why).fmt(f),
            Self::NoTarget(reason) => f.write_str(reason.text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_about_the_hop_or_beyond() {
        let of = |reason, name| Reason::of_notice(Notice::new("shop".into(), reason), name);
        assert!(matches!(of(UndeliverableReason::Unreachable, "shop"), Reason::Absent));
        assert!(matches!(of(UndeliverableReason::Overloaded, "shop"), Reason::Notice(_)));
        assert!(matches!(of(UndeliverableReason::Unreachable, "hub"), Reason::Beyond(_)));
    }

    #[test]
    fn every_failure_has_a_remedy() {
        let notice = Notice::new("shop".into(), UndeliverableReason::Unreachable);
        let failure = |is_refusal| ChannelFailure { why: "no".into(), is_refusal };
        let reasons = [
            Reason::NotConnected("refused".into()),
            Reason::Late(Duration::from_secs(6)),
            Reason::Absent,
            Reason::Beyond(notice.clone()),
            Reason::Notice(notice),
            Reason::NoChannel(failure(true)),
            Reason::NoChannel(failure(false)),
            Reason::NoTarget(StreamRefusal::TargetRefused),
        ];
        use HopRole::{Channel, Forwarder, Node, Target, Worker};
        for reason in reasons {
            for role in [Node, Forwarder, Worker, Channel, Target] {
                let remedy = reason.remedy(role);
                assert!(!remedy.is_empty() && !remedy.contains("  "), "{remedy:?}");
            }
            assert!(!reason.to_string().is_empty());
        }
    }
}
