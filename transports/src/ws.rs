//! WebSockets: connections that pass where only web traffic does, through proxies and beside web
//! sites; in TLS too.
//!
//! | idea | module |
//! |---|---|
//! | frames, without a socket | [`frames`] |
//! | the carrier: a WebSocket after its handshake | [`carrier`] |
//! | the HTTP request that begins one, and its answer | `upgrade` |
//! | what it runs on: a socket, or TLS on one | `byte_stream` |
//! | listening | [`listener`] |
//!
//! tungstenite reads and makes the requests, their answers and the headers of frames. Its
//! WebSockets are not used, nor are those of tokio-websockets, as both keep whole messages: a peer
//! could fill a limit for each connection beyond the bytes that the node counts, and every byte
//! would be copied two or three times more; the latter also queues an answer for each of a flood of
//! pings. Here frames are taken apart in the buffer of the connection, as a stream of bytes.

mod byte_stream;
pub mod carrier;
mod endpoint;
#[cfg_attr(not(internals), doc(hidden))]
pub mod frames;
pub mod listener;
mod upgrade;

use std::future::Future;

use ockam_actix_runtime::{Error, Node, Result, TransportType};
use tokio::time::timeout;

#[cfg(feature = "tls")]
use crate::tls::{ClientTls, TlsStream};
use crate::{
    connection::{connectors::Connector, dialled::add_connector},
    limits::GREETING_TIMEOUT,
    tcp::TcpConnector,
    ws::{byte_stream::ByteStream, carrier::WebSocket, endpoint::Endpoint},
};

/// The transport's name in addresses: `(WS, "host:port")` or `(WS, "host:port/path")`.
pub const WS: TransportType = TransportType::new("ws");

/// The same in TLS: `(WSS, "host:port")` or `(WSS, "host:port/path")`.
#[cfg(feature = "tls")]
pub const WSS: TransportType = TransportType::new("wss");

/// Checks the form of `host:port` or `host:port/path`, without resolving the host.
///
/// # Errors
/// If the text has another form.
pub fn check_peer(peer: &str) -> Result<()> {
    Endpoint::parse(WS.name(), peer).map(drop)
}

/// Makes `node` dial addresses such as `(WS, "host:port/path")`.
///
/// # Errors
/// As [`TcpConnector::of`].
pub fn add(node: &Node) -> Result<()> {
    add_connector(node, WS, WsConnector { tcp: TcpConnector::of(node)? });
    Ok(())
}

/// Makes `node` dial addresses such as `(WSS, "host:port/path")`.
///
/// # Errors
/// As [`TcpConnector::of`].
#[cfg(feature = "tls")]
pub fn add_with_tls(node: &Node, tls: ClientTls) -> Result<()> {
    add_connector(node, WSS, WssConnector { tcp: TcpConnector::of(node)?, tls });
    Ok(())
}

/// Connects to nodes at `host:port/path`.
struct WsConnector {
    tcp: TcpConnector,
}

impl Connector for WsConnector {
    type Carrier = WebSocket;

    fn check(&self, peer: &str) -> Result<()> {
        Endpoint::parse(WS.name(), peer).map(drop)
    }

    fn proxy(&self, peer: &str) -> Option<String> {
        self.tcp.proxy(Endpoint::parse(WS.name(), peer).ok()?.host_and_port)
    }

    async fn connect(&self, peer: String) -> Result<WebSocket> {
        let endpoint = Endpoint::parse(WS.name(), &peer)?;
        let socket = self.tcp.open(endpoint.host_and_port).await?;
        in_time(&peer, ask(ByteStream::Plain(socket), &endpoint, &peer)).await
    }
}

/// Connects to nodes at `host:port/path` in TLS.
#[cfg(feature = "tls")]
struct WssConnector {
    tcp: TcpConnector,
    tls: ClientTls,
}

#[cfg(feature = "tls")]
impl Connector for WssConnector {
    type Carrier = WebSocket;

    fn check(&self, peer: &str) -> Result<()> {
        Endpoint::parse(WSS.name(), peer).map(drop)
    }

    fn proxy(&self, peer: &str) -> Option<String> {
        self.tcp.proxy(Endpoint::parse(WSS.name(), peer).ok()?.host_and_port)
    }

    async fn connect(&self, peer: String) -> Result<WebSocket> {
        let endpoint = Endpoint::parse(WSS.name(), &peer)?;
        let socket = self.tcp.open(endpoint.host_and_port).await?;
        in_time(&peer, async {
            let stream = TlsStream::connect(socket, &self.tls, endpoint.host(), &peer).await?;
            ask(ByteStream::Tls(Box::new(stream)), &endpoint, &peer).await
        })
        .await
    }
}

async fn ask(stream: ByteStream, endpoint: &Endpoint<'_>, peer: &str) -> Result<WebSocket> {
    let path = endpoint.path.unwrap_or("/");
    upgrade::ask(stream, endpoint.host_and_port, path, peer).await
}

/// Bounds the time of the handshakes with `peer`.
async fn in_time<T>(peer: &str, handshake: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(GREETING_TIMEOUT, handshake).await.unwrap_or_else(|_| {
        let waited_for = format!("the handshake of {peer}");
        Err(Error::TimedOut { waited_for, limit: GREETING_TIMEOUT })
    })
}
