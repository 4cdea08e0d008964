//! WebSockets for a node, with and without TLS.

use ockam_actix_runtime::{Address, Node, Result};
#[cfg(feature = "tls")]
use ockam_actix_transports::{
    tls::{ClientTls, ServerTls},
    WSS,
};
use ockam_actix_transports::{
    ws::{self, listener},
    ListenOptions, Listener, WS,
};

use crate::tcp_transport::connect;

/// A node's connections to other nodes over WebSockets, which pass where only web traffic does.
///
/// ```no_run
/// use ockam::{route, Context, ListenOptions, Result, WsTransport, WS};
///
/// #[ockam::node]
/// async fn main(ctx: Context) -> Result<()> {
///     let ws = WsTransport::create(&ctx).await?;
///     // Behind a web server, which forwards what comes to this path.
///     ws.listen(ListenOptions::on("127.0.0.1:8080/node").expose("echoer")).await?;
///     let route = route![(WS, "other.example.org:80/node"), "echoer"];
///     let _: String = ctx.ask(route, "hello".to_string()).reply_as().await?;
///     Ok(())
/// }
/// ```
///
/// The requests of web pages are refused, as a browser would take them past a firewall. And nobody
/// who connects counts as a program of this machine, not even through a loopback address, as there
/// may be a web server on the way.
#[derive(Clone, Debug)]
pub struct WsTransport {
    node: Node,
}

impl WsTransport {
    /// Makes the node able to dial: routes that start with `(WS, "host:port")` or
    /// `(WS, "host:port/path")` work from here on.
    ///
    /// # Errors
    /// If a variable of the environment that names a proxy has another form than is expected.
    pub async fn create(node: &impl AsRef<Node>) -> Result<Self> {
        let node = node.as_ref();
        ws::add(node)?;
        Ok(Self { node: node.clone() })
    }

    /// Listens for connections of other nodes on `"host:port"` or `"host:port/path"`, or with
    /// [`ListenOptions`] that say what anybody may reach through the listener. With a path, clients
    /// have to ask for it; without, they may ask for any.
    ///
    /// # Errors
    /// If the address is invalid, or cannot be bound, for example because another program uses the
    /// port.
    pub async fn listen(&self, options: impl Into<ListenOptions>) -> Result<Listener> {
        listener::listen(&self.node, options.into()).await
    }

    /// Connects to the node at `peer` (`host:port/path`), or uses the connection that exists;
    /// returns the address that stands for it in routes.
    ///
    /// # Errors
    /// If nothing answers at `peer`, or what answers is not a node.
    pub async fn connect(&self, peer: impl AsRef<str>) -> Result<Address> {
        connect(&self.node, Address::from((WS, peer.as_ref()))).await
    }
}

/// A node's connections to other nodes over WebSockets in TLS, as a web server has them.
///
/// ```no_run
/// use ockam::{route, ClientTls, Context, ListenOptions, Result, ServerTls, WssTransport, WSS};
///
/// #[ockam::node]
/// async fn main(ctx: Context) -> Result<()> {
///     let authority = ClientTls::with_ca_file("/etc/ockam/ca.pem")?;
///     let wss = WssTransport::trusting(&ctx, authority).await?;
///     let certificate = ServerTls::from_pem_files("/etc/ockam/chain.pem", "/etc/ockam/key.pem")?;
///     wss.listen(ListenOptions::on("0.0.0.0:443/node").expose("echoer"), certificate).await?;
///     let route = route![(WSS, "other.example.org:443/node"), "echoer"];
///     let _: String = ctx.ask(route, "hello".to_string()).reply_as().await?;
///     Ok(())
/// }
/// ```
///
/// The certificate names the machine that TLS ends at, which may be a web server before the node.
/// It is no identity of a node: that has to be proven in a
/// [secure channel](crate::SecureChannels), as over any other transport.
#[cfg(feature = "tls")]
#[derive(Clone, Debug)]
pub struct WssTransport {
    node: Node,
}

#[cfg(feature = "tls")]
impl WssTransport {
    /// Makes the node able to dial servers with a certificate that the system trusts: routes that
    /// start with `(WSS, "host:port")` or `(WSS, "host:port/path")` work from here on.
    ///
    /// # Errors
    /// If a variable of the environment that names a proxy has another form than is expected.
    pub async fn create(node: &impl AsRef<Node>) -> Result<Self> {
        Self::trusting(node, ClientTls::system()).await
    }

    /// As [`create`](Self::create), but with other authorities. What a node was given first stays.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn trusting(node: &impl AsRef<Node>, authorities: ClientTls) -> Result<Self> {
        let node = node.as_ref();
        ws::add_with_tls(node, authorities)?;
        Ok(Self { node: node.clone() })
    }

    /// Listens for connections of other nodes as [`WsTransport::listen`] does, with the certificate
    /// of this machine.
    ///
    /// # Errors
    /// As [`WsTransport::listen`].
    pub async fn listen(
        &self,
        options: impl Into<ListenOptions>,
        certificate: ServerTls,
    ) -> Result<Listener> {
        listener::listen_with_tls(&self.node, options.into(), certificate).await
    }

    /// Connects to the node at `peer` (`host:port/path`), or uses the connection that exists;
    /// returns the address that stands for it in routes.
    ///
    /// # Errors
    /// If nothing answers at `peer`, or its certificate is not trusted, or what answers is not a
    /// node.
    pub async fn connect(&self, peer: impl AsRef<str>) -> Result<Address> {
        connect(&self.node, Address::from((WSS, peer.as_ref()))).await
    }
}
