//! Events that tell an encryptor what its session's decryptor and sealing half noticed, and
//! messages in the other direction.

use actix::{Actor, Addr, Handler, Message, Recipient};
use ockam_actix_runtime::{Identifier, Permit, Route};

use crate::secure_channel::{failure::FailureReason, plaintext::Tag, record::Sealer};

/// To the encryptor of a session from its decryptor, or from [`Sealing`](super::sealing::Sealing).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Event {
    /// The session that it belongs to: an event of an earlier one comes too late.
    pub(super) session: u64,
    pub(super) kind: EventKind,
}

#[derive(Debug)]
pub(super) enum EventKind {
    /// At the initiator: the handshake has succeeded.
    Established(Box<Established>),
    /// At the initiator: the handshake has failed.
    Failed(FailureReason),
    /// Seal and send this.
    Control { tag: Tag, body: Vec<u8>, permit: Option<Permit> },
    /// Seal with this from now on; `announce` says whether the peer must be told first.
    NewKeys { sealer: Box<Sealer>, announce: bool },
    /// So much was opened or sealed that new keys are due.
    Due,
    /// At the responder: the initiator has switched to the new keys too.
    Switched,
    /// The session has ended.
    Over(Ending),
}

/// The sending half of a new session.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) sealer: Sealer,
    pub(super) peer: Identifier,
    pub(super) peer_route: Route,
}

/// Why a session has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) why: String,
    /// Whether the peer does not know yet and can still be told.
    pub(super) tell_peer: bool,
    /// Whether the peer has ended it on purpose: no reason for an alarm.
    pub(super) is_announced: bool,
}

impl Ending {
    /// An ending that the peer is told of, if it can be.
    pub(super) fn telling_peer(why: impl ToString) -> Self {
        Self { why: why.to_string(), tell_peer: true, is_announced: false }
    }

    /// The end of a session whose keys have carried as much as they may.
    pub(super) fn expired() -> Self {
        Self::telling_peer("its keys have carried as much as they may, and nobody has renewed them")
    }

    /// The peer has closed the channel.
    pub(super) fn announced() -> Self {
        Self { is_announced: true, ..Self::silently("the peer closed it") }
    }

    /// An ending that the peer is not told of: there is no route to it, or it knows.
    pub(super) fn silently(why: impl ToString) -> Self {
        Self { why: why.to_string(), tell_peer: false, is_announced: false }
    }
}

/// To the decryptor of an initiator: agree on new keys with the peer.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Renew;

/// Sends an event to an encryptor. If that is gone, its lifeline ends the decryptor too.
pub(super) fn notify(encryptor: &Recipient<Event>, session: u64, kind: EventKind) {
    // Control messages: as many as records came in, whose permits they hold.
    #[allow(clippy::disallowed_methods)]
    encryptor.do_send(Event { session, kind });
}

/// Sends an actor a control message without data.
pub(super) fn send_control<A, M>(actor: &Addr<A>, message: M)
where
    A: Actor + Handler<M>,
    A::Context: actix::dev::ToEnvelope<A, M>,
    M: Message<Result = ()> + Send + 'static,
{
    // Control messages, as above.
    #[allow(clippy::disallowed_methods)]
    actor.do_send(message);
}
