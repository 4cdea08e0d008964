//! The handle on a forwarder at a hub.

mod attempts;
mod inbox;
mod keeper;
mod keeping;
mod options;
mod registrar;
mod registration;
mod several;

use std::{fmt, sync::Arc};

use ockam_actix_runtime::{watched, Address, Error, Host, Node, Result, Route};

use crate::{
    forwarder::{
        address::ForwardingAddress,
        remote::{
            registrar::Registrar,
            several::{each_of, Registrations},
        },
    },
    secure_channel::ChannelListeners,
};

pub use self::{options::RemoteForwarderOptions, registration::RegistrationState};

/// Has a hub forward to a worker of this node, for as long as the node runs.
///
/// The forwarder is registered again when the connection to the hub comes back, at the same address
/// if the destination is a secure channel listener: its identity proves that the address is its
/// own. Dropping the handle ends nothing; [`RemoteForwarder::stop`] does.
///
/// Where the hub's address is a list, `(TCP, "one.example.org:4000,other.example.org:4000")`, the
/// node registers with each hub of it, and a destination that has an identity is at the same
/// address at all of them. Whoever connects to the same list finds it at whichever hub answers.
///
/// Of several programs that register one identity and service with one hub, the last has the
/// address. The one before is told, logs an error, and does not take the address back:
/// [`RegistrationState::displaced`] says so. Give each a
/// [service name](RemoteForwarderOptions::service) of its own to have them all reached.
///
/// ```no_run
/// # async fn example(ctx: ockam_actix_runtime::Context) -> ockam_actix_runtime::Result<()> {
/// use ockam_actix_runtime::TransportType;
/// use ockam_actix_workers::forwarder::RemoteForwarder;
///
/// const TCP: TransportType = TransportType::new("tcp");
/// let forwarder = RemoteForwarder::create(&ctx, (TCP, "hub.example.org:4000"), "outlet").await?;
/// println!("{}", forwarder.remote_address());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RemoteForwarder {
    hub: Route,
    destination: Address,
    listeners: Arc<ChannelListeners>,
    state: watched::Receiver<RegistrationState>,
    registrations: Registrations,
}

impl RemoteForwarder {
    /// Registers a worker of this node with the hub at `hub`, and from then on lets messages that
    /// the hub forwards reach that worker. The worker is given by its address, or by
    /// [`RemoteForwarderOptions`] with more.
    ///
    /// # Errors
    /// If the worker was not started, or is registered with this hub already; if the name of the
    /// service is invalid, or the worker is no listener that may be reached by name. Unless the
    /// options say to [keep trying](RemoteForwarderOptions::keep_trying), also if the hub cannot be
    /// reached, has no forwarding service, refuses, or does not answer within 10 seconds.
    pub async fn create(
        node: &impl AsRef<Node>,
        hub: impl Into<Route>,
        options: impl Into<RemoteForwarderOptions>,
    ) -> Result<Self> {
        let (node, hub, options) = (node.as_ref(), hub.into(), options.into());
        let (destination, service) = (options.destination.clone(), options.service_name()?);
        let listeners = node.extension(ChannelListeners::default);
        destination.validate()?;
        if node.is_stopping() {
            return Err(Error::Stopped);
        }
        if !node.is_registered(&destination) {
            return Err(Error::NoWorker(destination));
        }
        if options.is_named && !listeners.is_named(&destination) {
            return Err(Error::Usage(format!(
                "\"{destination}\" cannot be reached by name: it is no secure channel listener \
                 that was created as `SecureChannelListenerOptions::named`"
            )));
        }
        hub.validate()?;
        let mut hubs = each_of(&hub).into_iter();
        let first = hubs.next().ok_or(Error::EmptyRoute)?;
        let first = Registrar::new(node.clone(), first, &options, service);
        let others: Vec<_> = hubs.map(|hub| first.at(hub)).collect();
        let all = std::iter::once(first).chain(others).collect();
        let (registrations, state) = Registrations::start(all, options.keep_trying).await?;
        Ok(Self { hub, destination, listeners, state, registrations })
    }

    /// The address at the hub that others put into their routes after the hub's own. If the
    /// destination is a secure channel listener, it carries the secret that gives access to it:
    /// give it only to those who may open channels.
    ///
    /// It changes only when the hub is lost and the destination has no identity, or when the secret
    /// is renewed ([`Entity::renew_address_secrets`](crate::Entity::renew_address_secrets)).
    pub fn remote_address(&self) -> ForwardingAddress {
        let RegistrationState { address, id, .. } = self.state.borrow().clone();
        let secret = self.listeners.address_secret(&self.destination, &id.0);
        ForwardingAddress { secret, ..address }
    }

    /// Follows the registration: losses, returns, changes of the address, and its displacement.
    pub fn watch(&self) -> watched::Receiver<RegistrationState> {
        self.state.clone()
    }

    /// The hub.
    pub fn hub(&self) -> &Route {
        &self.hub
    }

    /// The worker of this node that the hub forwards to.
    pub fn destination(&self) -> &Address {
        &self.destination
    }

    /// Gives up the forwarder: tells the hub, which may no longer reach the destination when this
    /// returns.
    pub async fn stop(&self) {
        self.registrations.stop().await;
    }
}

impl fmt::Debug for RemoteForwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteForwarder")
            .field("hub", &self.hub)
            .field("destination", &self.destination)
            .field("state", &*self.state.borrow())
            .finish()
    }
}
