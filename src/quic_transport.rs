//! QUIC for a node.

use ockam_actix_runtime::{Address, Node, Result};
use ockam_actix_transports::{quic, ListenOptions, Listener, QUIC};

use crate::tcp_transport::connect;

/// A node's connections to other nodes over QUIC, which is carried by UDP: for lines that lose
/// packets, and for nodes whose address changes, as that of a laptop or a phone.
///
/// A listener has no certificate, and nobody asks for one: who is at the other end is shown by a
/// secure channel, as over TCP.
///
/// ```no_run
/// use ockam::{route, Context, QuicTransport, Result, QUIC};
///
/// #[ockam::node]
/// async fn main(ctx: Context) -> Result<()> {
///     let quic = QuicTransport::create(&ctx).await?;
///     quic.listen("0.0.0.0:4000").await?;
///     let route = route![(QUIC, "hub.example.org:4000"), "echoer"];
///     let _: String = ctx.ask(route, "hello".to_string()).reply_as().await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct QuicTransport {
    node: Node,
}

impl QuicTransport {
    /// Makes the node able to dial: routes that start with `(QUIC, "host:port")` work from here on.
    ///
    /// # Errors
    /// None at present; it returns a result because setting up a transport may fail.
    pub async fn create(node: &impl AsRef<Node>) -> Result<Self> {
        let node = node.as_ref();
        quic::add(node);
        Ok(Self { node: node.clone() })
    }

    /// Listens for connections of other nodes on the UDP port of `"host:port"`, or with
    /// [`ListenOptions`] that say what anybody may reach through the listener.
    ///
    /// # Errors
    /// If the address is invalid, or cannot be bound, for example because another program uses the
    /// port.
    pub async fn listen(&self, options: impl Into<ListenOptions>) -> Result<Listener> {
        quic::listener::listen(&self.node, options.into()).await
    }

    /// Connects to the node at `peer` (`host:port`), or uses the connection that exists; returns
    /// the address that stands for it in routes.
    ///
    /// # Errors
    /// If nothing answers at `peer`, or what answers is not a node.
    pub async fn connect(&self, peer: impl AsRef<str>) -> Result<Address> {
        connect(&self.node, Address::from((QUIC, peer.as_ref()))).await
    }
}
