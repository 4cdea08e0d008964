//! UDP for a node: only portals, as UDP is no transport between nodes.

use std::{net::UdpSocket, time::Duration};

use ockam_actix_runtime::{Address, Error, Host, Node, Result, Route};
use ockam_actix_workers::datagram::{self, limits::IDLE_TIMEOUT, UdpInlet, UdpOutlet};

use crate::UdpOutletOptions;

/// A node's portals for UDP: their datagrams go along any route, over every transport and channel.
///
/// A datagram that finds no room on its way is lost, as on other networks, and so is what is sent
/// while the path is; nobody waits.
///
/// ```no_run
/// use ockam::{route, Context, Result, TcpTransport, UdpPortals, TCP};
///
/// #[ockam::node]
/// async fn main(ctx: Context) -> Result<()> {
///     TcpTransport::create(&ctx).await?;
///     let udp = UdpPortals::create(&ctx).await?;
///     udp.create_inlet("127.0.0.1:5353", route![(TCP, "127.0.0.1:4000"), "dns"]).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct UdpPortals {
    node: Node,
}

impl UdpPortals {
    /// Of this node. Routes to other nodes need a transport, such as
    /// [`TcpTransport`](crate::TcpTransport).
    ///
    /// # Errors
    /// None at present; it returns a result as the transports do.
    pub async fn create(node: &impl AsRef<Node>) -> Result<Self> {
        Ok(Self { node: node.as_ref().clone() })
    }

    /// Starts an outlet: a worker at `address` that sends the datagrams of inlets to a target,
    /// which is `"host:port"`, or [`UdpOutletOptions`] that also say for whom, and for how long
    /// idle flows last. The target sees each client as one of its own.
    ///
    /// # Errors
    /// If the address is invalid or already in use, or the target is not `host:port`.
    pub async fn create_outlet(
        &self,
        address: impl Into<Address>,
        options: impl Into<UdpOutletOptions>,
    ) -> Result<UdpOutlet> {
        UdpOutlet::start(&self.node, address, options)
    }

    /// Starts an inlet: a UDP socket whose clients' datagrams go along `route` to an outlet, and
    /// its answers back. It is bound to `"host:port"`, or as [`UdpInletOptions`] say.
    ///
    /// # Errors
    /// If the address cannot be bound, or the route's first hop does not exist.
    pub async fn create_inlet(
        &self,
        options: impl Into<UdpInletOptions>,
        route: impl Into<Route>,
    ) -> Result<UdpInlet> {
        let UdpInletOptions { socket, idle_timeout } = options.into();
        let socket = match socket {
            Socket::On(address) => self.bind(&address).await?,
            Socket::With(socket) => socket,
        };
        let flows = datagram::UdpInletOptions::along(route).idle_timeout(idle_timeout);
        UdpInlet::start(&self.node, socket, flows)
    }

    async fn bind(&self, address: &str) -> Result<UdpSocket> {
        let failed =
            |source| Error::transport(format!("cannot bind the UDP port {address}"), source);
        let addresses = self.node.network().resolve(address).await.map_err(failed)?;
        UdpSocket::bind(&addresses[..]).map_err(failed)
    }
}

/// Where a UDP inlet is bound, and how long a flow lasts in which nothing passes. An address alone
/// (`host:port`) converts into it.
///
/// ```no_run
/// # async fn example(udp: ockam::UdpPortals) -> ockam::Result<()> {
/// use std::time::Duration;
///
/// use ockam::{route, UdpInletOptions};
///
/// // As long as a session of WireGuard lasts.
/// let wireguard = UdpInletOptions::on("127.0.0.1:51820").idle_timeout(Duration::from_secs(180));
/// udp.create_inlet(wireguard, route!["outlet"]).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct UdpInletOptions {
    socket: Socket,
    idle_timeout: Duration,
}

#[derive(Debug)]
enum Socket {
    On(String),
    With(UdpSocket),
}

impl UdpInletOptions {
    /// On `address` (`host:port`). Of an unspecified one, such as `0.0.0.0:5353`, answers come from
    /// the address that the client sent to.
    pub fn on(address: impl Into<String>) -> Self {
        Self { socket: Socket::On(address.into()), idle_timeout: IDLE_TIMEOUT }
    }

    /// With a socket that is bound already.
    pub fn with(socket: UdpSocket) -> Self {
        Self { socket: Socket::With(socket), idle_timeout: IDLE_TIMEOUT }
    }

    /// Ends a flow in which nothing has passed for so long: 60 s if this is not called. What the
    /// target sends after that is dropped, until the client speaks again.
    ///
    /// The outlet has a limit of its own, [`UdpOutletOptions::idle_timeout`].
    pub const fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }
}

impl<T: Into<String>> From<T> for UdpInletOptions {
    fn from(address: T) -> Self {
        Self::on(address)
    }
}
