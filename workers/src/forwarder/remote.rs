//! The handle on a forwarder at a hub.

mod keeper;
mod registrar;
mod registration;

use std::fmt;

use ockam_actix_runtime::{worker::supervision::Restarting, Address, Error, Node, Result, Route};
use tokio::sync::watch;

use crate::forwarder::{
    address::ForwardingAddress,
    remote::{
        keeper::{RegistrationKeeper, Stop},
        registrar::Registrar,
        registration::Forwarded,
    },
};

pub use self::registration::RegistrationState;

/// Has a hub forward to a worker of this node, for as long as the node runs.
///
/// The forwarder is registered again when the connection to the hub comes back, at the same address
/// if the destination is a secure channel listener: its identity proves that the address is its
/// own. Dropping the handle ends nothing; [`RemoteForwarder::stop`] does.
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
    state: watch::Receiver<RegistrationState>,
    keeper: Restarting<RegistrationKeeper>,
}

impl RemoteForwarder {
    /// Registers `destination`, a worker of this node, with the hub at `hub`, and from then on lets
    /// messages that the hub forwards reach that worker.
    ///
    /// # Errors
    /// If the destination was not started, or is registered with this hub already; if the hub
    /// cannot be reached, has no forwarding service, refuses, or does not answer within 10 seconds.
    pub async fn create(
        node: &impl AsRef<Node>,
        hub: impl Into<Route>,
        destination: impl Into<Address>,
    ) -> Result<Self> {
        let (node, hub, destination) = (node.as_ref(), hub.into(), destination.into());
        destination.validate()?;
        if !node.is_registered(&destination) {
            return Err(Error::NoWorker(destination));
        }
        let claimed = Forwarded::claim(node, &hub, &destination)?;
        let registrar = Registrar::new(node.clone(), hub.clone(), destination.clone());
        let (keeper, state) = RegistrationKeeper::launch(registrar, claimed).await?;
        Ok(Self { hub, destination, state, keeper })
    }

    /// The address at the hub that others put into their routes after the hub's own.
    ///
    /// It changes only when the hub is lost and the destination has no identity.
    pub fn remote_address(&self) -> ForwardingAddress {
        self.state.borrow().address.clone()
    }

    /// Follows the registration: losses, returns, and changes of the address.
    pub fn watch(&self) -> watch::Receiver<RegistrationState> {
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
        if let Some(keeper) = self.keeper.end() {
            // An error means that it has stopped already.
            let _ = keeper.send(Stop).await;
        }
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
