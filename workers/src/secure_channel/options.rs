//! What a program says of a channel that it opens.

use ockam_actix_runtime::Route;

/// Where a secure channel leads, and with whom it may be established again. A route alone converts
/// into it.
///
/// ```
/// use ockam_actix_runtime::route;
/// use ockam_actix_workers::secure_channel::SecureChannelOptions;
///
/// let listener = route!["tcp#127.0.0.1:4000", "secure_channel_listener_service"];
/// let options = SecureChannelOptions::to(listener).any_trusted_peer();
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SecureChannelOptions {
    pub(crate) route: Route,
    pub(crate) any_trusted_peer: bool,
}

impl SecureChannelOptions {
    /// To the listener at the end of `route`. When the channel is lost, it is established again
    /// with the identity that it had first, and with no other, unless its policy trusts everybody.
    pub fn to(route: impl Into<Route>) -> Self {
        Self { route: route.into(), any_trusted_peer: false }
    }

    /// Establishes the channel again with any identity that its policy trusts. It is for peers that
    /// stand for each other, or that have another identity after a restart. What was sent to one of
    /// them is never answered to another.
    pub fn any_trusted_peer(mut self) -> Self {
        self.any_trusted_peer = true;
        self
    }
}

impl<T: Into<Route>> From<T> for SecureChannelOptions {
    fn from(route: T) -> Self {
        Self::to(route)
    }
}
