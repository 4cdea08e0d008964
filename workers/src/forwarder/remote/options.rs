//! What a hub is asked to forward to.

use ockam_actix_runtime::{Address, Result};

use crate::forwarder::protocol::service_name::ServiceName;

/// The worker that a hub is asked to forward to, and how. An address alone converts into one.
///
/// ```
/// use ockam_actix_workers::forwarder::RemoteForwarderOptions;
///
/// let options = RemoteForwarderOptions::to("listener").service("web").keep_trying();
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RemoteForwarderOptions {
    pub(super) destination: Address,
    pub(super) service: String,
    pub(super) is_named: bool,
    pub(super) keep_trying: bool,
}

impl RemoteForwarderOptions {
    /// A forwarder to `destination`, a worker of this node.
    pub fn to(destination: impl Into<Address>) -> Self {
        let (destination, service) = (destination.into(), String::new());
        Self { destination, service, is_named: false, keep_trying: false }
    }

    /// The name of the service, which becomes a part of the address, so that one identity may have
    /// several services on one hub: at most 64 letters, digits, hyphens, underscores and full
    /// stops. Of two programs with the same identity and name, the one that registered last has the
    /// address.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.service = name.into();
        self
    }

    /// Has the address follow from the identity of the destination and the
    /// [service](Self::service) alone, so that clients compute it by a
    /// [`ServiceAddress`](super::super::ServiceAddress) and need not be given it. The destination
    /// is a [named](crate::secure_channel::SecureChannelListenerOptions::named) listener.
    pub fn named(mut self) -> Self {
        self.is_named = true;
        self
    }

    /// Waits for a hub that is not there yet, or that refuses: a failed registration is logged
    /// once, and tried again at intervals that grow to a minute.
    pub fn keep_trying(mut self) -> Self {
        self.keep_trying = true;
        self
    }

    pub(super) fn service_name(&self) -> Result<ServiceName> {
        self.service.parse()
    }
}

impl<T: Into<Address>> From<T> for RemoteForwarderOptions {
    fn from(destination: T) -> Self {
        Self::to(destination)
    }
}
