//! The state of a channel, as the program that opened it sees it.

use std::sync::Arc;

use ockam_actix_runtime::Identifier;

/// The state of a channel, for callers that ask or wait.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// Not established, or no longer; with the reason of the last failure or loss.
    Pending(Option<Arc<str>>),
    /// Established with this peer.
    Established(Identifier),
    /// One end has refused the other for this reason; it is tried again at growing intervals.
    Rejected(Arc<str>),
    /// The program closed it.
    Closed,
}
