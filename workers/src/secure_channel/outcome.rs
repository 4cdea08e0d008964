//! The state of a channel, as the program that opened it sees it.

use std::sync::Arc;

use ockam_actix_runtime::Identifier;

use crate::invitation::InvitationRefusal;

/// The state of a channel, for callers that ask or wait.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// Not established, or no longer; with the reason of the last failure or loss.
    Pending(Option<Arc<str>>),
    /// Not established: the peer has refused the invitation that it is shown. It may hear of it
    /// late, so it is tried again as what is pending.
    NotInvited(InvitationRefusal),
    /// Established with this peer.
    Established(Identifier),
    /// One end has refused the other for this reason; it is tried again at growing intervals.
    Rejected(Arc<str>),
    /// The program closed it.
    Closed,
}

impl Outcome {
    /// Whether the channel is still tried for whoever waits for it.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self, Self::Pending(_) | Self::NotInvited(_))
    }
}
