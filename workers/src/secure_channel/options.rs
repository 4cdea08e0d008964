//! What a program says of a channel that it opens, and of a listener.

use ockam_actix_runtime::{Address, Route};

use crate::{
    identity::address_secret::AddressSecret,
    invitation::{Invitation, Invitations},
};

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
    pub(crate) secret: Option<AddressSecret>,
}

impl SecureChannelOptions {
    /// To the listener at the end of `route`. When the channel is lost, it is established again
    /// with the identity that it had first, and with no other, unless its policy trusts everybody.
    pub fn to(route: impl Into<Route>) -> Self {
        Self { route: route.into(), any_trusted_peer: false, secret: None }
    }

    /// Shows an invitation to the listener. It refuses the channel at first, while it writes down
    /// that this identity is trusted, and for good if another one has taken the invitation.
    pub fn invited_by(mut self, invitation: &Invitation) -> Self {
        self.secret = Some(invitation.key());
        self
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

/// Where a secure channel listener is, and how it is reached. An address alone converts into it.
///
/// ```
/// use ockam_actix_workers::secure_channel::SecureChannelListenerOptions;
///
/// let options = SecureChannelListenerOptions::at("by_name").named();
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SecureChannelListenerOptions {
    pub(crate) address: Address,
    pub(crate) is_named: bool,
    pub(crate) invitations: Option<Invitations>,
}

impl SecureChannelListenerOptions {
    /// At this address. Through a forwarder, it is open to whoever was given the whole forwarding
    /// address, with its secret.
    pub fn at(address: impl Into<Address>) -> Self {
        Self { address: address.into(), is_named: false, invitations: None }
    }

    /// Through a forwarder, it takes no secret: its clients know nothing but its identity and the
    /// [name](crate::forwarder::ServiceAddress) of its service, which are no secrets. So its policy
    /// must not trust everybody, and nobody is let in while it does.
    pub fn named(mut self) -> Self {
        self.is_named = true;
        self
    }

    /// Has whoever shows one of these invitations be trusted, by the trust file beside them, which
    /// has to be a part of the listener's policy.
    pub fn invitations(mut self, invitations: Invitations) -> Self {
        self.invitations = Some(invitations);
        self
    }
}

impl<T: Into<Address>> From<T> for SecureChannelListenerOptions {
    fn from(address: T) -> Self {
        Self::at(address)
    }
}
