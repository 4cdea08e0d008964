//! TCP for a node: where transports and portals meet.

use std::sync::Arc;

use ockam_actix_runtime::{Address, Context, Error, Node, Origin, Result, Route};
use ockam_actix_transports::{
    tcp::{listener, TcpDialer},
    ListenOptions, Listener, TCP,
};
use ockam_actix_workers::portal::{Inlet, Outlet};

/// A node's way to other nodes over TCP, and to TCP servers and clients through portals.
///
/// ```no_run
/// use ockam::{route, Context, Result, TcpTransport, TCP};
///
/// #[ockam::node]
/// async fn main(ctx: Context) -> Result<()> {
///     let tcp = TcpTransport::create(&ctx).await?;
///     tcp.create_inlet("127.0.0.1:4001", route![(TCP, "127.0.0.1:4000"), "outlet"]).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct TcpTransport {
    node: Node,
}

impl TcpTransport {
    /// Makes the node able to dial: routes that start with `(TCP, "host:port")` work from here on.
    ///
    /// # Errors
    /// None at present; a result, as setting up a transport may fail.
    pub async fn create(context: &Context) -> Result<Self> {
        Ok(Self::on(context.node()))
    }

    /// As [`TcpTransport::create`], for a node that was started by a builder.
    pub fn on(node: &Node) -> Self {
        node.add_dialer(TCP.name(), Arc::new(TcpDialer::default()));
        Self { node: node.clone() }
    }

    /// Listens on `address` (`host:port`) for connections of other nodes.
    ///
    /// # Errors
    /// If the address is invalid, or cannot be bound, for example because another program uses the port.
    pub async fn listen(&self, address: impl AsRef<str>) -> Result<Listener> {
        self.listen_with(address, ListenOptions::new()).await
    }

    /// As [`TcpTransport::listen`], with workers that anybody may reach through the listener.
    ///
    /// # Errors
    /// As [`TcpTransport::listen`].
    pub async fn listen_with(
        &self,
        address: impl AsRef<str>,
        options: ListenOptions,
    ) -> Result<Listener> {
        listener::listen(&self.node, address.as_ref(), options).await
    }

    /// Connects to the node at `peer` (`host:port`), or finds the connection that exists, and
    /// gives the address that stands for it in routes.
    ///
    /// # Errors
    /// If nobody answers at `peer`, or no node does.
    pub async fn connect(&self, peer: impl AsRef<str>) -> Result<Address> {
        let address = Address::from((TCP, peer.as_ref()));
        let mut path = self.node.path(&Route::from(address.clone()))?;
        path.attempted().await.map_err(|why| Error::Usage(why.to_string()))?;
        Ok(address)
    }

    /// Starts an outlet: a worker at `address` whose streams connect to `target` (`host:port`).
    ///
    /// # Errors
    /// If the address is invalid or already in use, or the target is not `host:port`.
    pub async fn create_outlet(
        &self,
        address: impl Into<Address>,
        target: impl Into<String>,
    ) -> Result<Outlet> {
        Outlet::start(&self.node, address, target)
    }

    /// As [`TcpTransport::create_outlet`], for streams from the origins that `rule` permits: see
    /// [`access`](ockam_actix_workers::identity::access) for rules by identity and by policy.
    ///
    /// # Errors
    /// As [`TcpTransport::create_outlet`].
    pub async fn create_outlet_with_access(
        &self,
        address: impl Into<Address>,
        target: impl Into<String>,
        rule: impl Fn(&Origin) -> bool + Send + Sync + 'static,
    ) -> Result<Outlet> {
        Outlet::start_with_access(&self.node, address, target, rule)
    }

    /// Starts an inlet: a TCP server on `address` (`host:port`) that tunnels each client along
    /// `route` to an outlet.
    ///
    /// # Errors
    /// If the address cannot be bound, or the route's first hop does not exist.
    pub async fn create_inlet(
        &self,
        address: impl AsRef<str>,
        route: impl Into<Route>,
    ) -> Result<Inlet> {
        let listener = listener::bind(address.as_ref()).await?;
        Inlet::start(&self.node, listener, route)
    }
}
