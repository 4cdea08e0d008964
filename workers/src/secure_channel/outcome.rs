//! What has become of a channel that a program opened.

use std::sync::Arc;

use ockam_actix_runtime::Identifier;

/// What has become of a channel, for those who ask.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// Not established, or not any more; why the last attempt failed, or it was lost.
    Pending(Option<Arc<str>>),
    /// Established with this peer.
    Established(Identifier),
    /// There will never be one.
    Rejected(Arc<str>),
    /// The program closed it.
    Closed,
}
