//! TCP for a node: where transports and portals meet.

use std::sync::Arc;

use ockam_actix_runtime::{Address, Error, Host, Node, Result, Route};
use ockam_actix_transports::{
    tcp::{listener, TcpDialer},
    ListenOptions, Listener, TCP,
};
use ockam_actix_workers::portal::{Inlet, Outlet, OutletOptions};

/// A node's connections to other nodes over TCP, and to TCP servers and clients through portals.
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
    /// None at present; it returns a result because setting up a transport may fail.
    pub async fn create(node: &impl AsRef<Node>) -> Result<Self> {
        let node = node.as_ref();
        node.add_dialer(TCP.name(), Arc::new(TcpDialer::of(node)));
        Ok(Self { node: node.clone() })
    }

    /// Listens for connections of other nodes on `"host:port"`, or with [`ListenOptions`] that say
    /// what anybody may reach through the listener.
    ///
    /// # Errors
    /// If the address is invalid, or cannot be bound, for example because another program uses the
    /// port.
    pub async fn listen(&self, options: impl Into<ListenOptions>) -> Result<Listener> {
        listener::listen(&self.node, options.into()).await
    }

    /// Connects to the node at `peer` (`host:port`), or uses the connection that exists; returns
    /// the address that stands for it in routes.
    ///
    /// # Errors
    /// If nothing answers at `peer`, or what answers is not a node.
    pub async fn connect(&self, peer: impl AsRef<str>) -> Result<Address> {
        let address = Address::from((TCP, peer.as_ref()));
        let mut first_hop = self.node.first_hop(&Route::from(address.clone()))?;
        first_hop.attempted().await.map_err(|why| Error::Usage(why.to_string()))?;
        Ok(address)
    }

    /// Starts an outlet: a worker at `address` whose streams connect to a target, which is
    /// `"host:port"`, or [`OutletOptions`] that also say for whom.
    ///
    /// # Errors
    /// If the address is invalid or already in use, or the target is not `host:port`.
    pub async fn create_outlet(
        &self,
        address: impl Into<Address>,
        options: impl Into<OutletOptions>,
    ) -> Result<Outlet> {
        Outlet::start(&self.node, address, options)
    }

    /// Starts an inlet: a TCP server that tunnels each client along `route` to an outlet. It
    /// listens on `"host:port"`, or as [`InletOptions`] say.
    ///
    /// # Errors
    /// If the address cannot be bound, or the route's first hop does not exist.
    pub async fn create_inlet(
        &self,
        options: impl Into<InletOptions>,
        route: impl Into<Route>,
    ) -> Result<Inlet> {
        let listener = match options.into().0 {
            Listen::On(address) => listener::bind(self.node.network(), &address).await?,
            Listen::With(listener) => listener.into(),
        };
        Inlet::start(&self.node, listener, route)
    }
}

/// Where an inlet listens. An address alone (`host:port`) converts into it.
///
/// ```no_run
/// # async fn example(tcp: ockam::TcpTransport) -> ockam::Result<()> {
/// use ockam::{route, InletOptions};
///
/// // A socket that was opened before privileges were dropped.
/// let listener = std::net::TcpListener::bind("127.0.0.1:80")?;
/// tcp.create_inlet(InletOptions::with(listener), route!["outlet"]).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct InletOptions(Listen);

#[derive(Debug)]
enum Listen {
    On(String),
    With(std::net::TcpListener),
}

impl InletOptions {
    /// On `address` (`host:port`).
    pub fn on(address: impl Into<String>) -> Self {
        Self(Listen::On(address.into()))
    }

    /// With a socket that listens already.
    pub fn with(listener: std::net::TcpListener) -> Self {
        Self(Listen::With(listener))
    }
}

impl<T: Into<String>> From<T> for InletOptions {
    fn from(address: T) -> Self {
        Self::on(address)
    }
}
