//! QUIC: connections that are one stream each, with datagrams beside it, over UDP.
//!
//! Its advantages over TCP: a loss does not slow it down, and a connection goes on when the address
//! of the end that dialled changes. The files:
//!
//! | idea | module |
//! |---|---|
//! | a stream as what sessions run on | [`carrier`] |
//! | sockets, keys and settings that connections share | `endpoint` |
//! | accepting connections | [`listener`] |
//! | how much a peer may send before it is read | `windows` |
//! | every limit, with its unit and reason | [`limits`] |
//!
//! quinn runs each connection as a task of the thread that dialled or accepted it, which is the
//! arbiter of its session, so that connection and session wake each other on one thread. The task
//! of a socket, on the arbiter that made it, hands arriving packets to the connections; each
//! connection sends by itself.

pub mod carrier;
#[cfg_attr(not(internals), doc(hidden))]
pub mod endpoint;
pub mod limits;
pub mod listener;
mod windows;

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
};

use ockam_actix_runtime::{
    lock::Lock,
    socket::{connect::first_to_answer, network::Network},
    Error, Host, Node, Result, TransportType,
};
use quinn::Endpoint;
use tokio::time::{timeout, timeout_at, Instant};

use crate::{
    connection::{connectors::Connector, dialled::add_connector},
    limits::{CONNECT_TIMEOUT, PEER_TIMEOUT},
    quic::{carrier::QuicCarrier, windows::SharedBytes},
    tcp::{check_peer, resolve},
};

/// The transport's name in addresses: `(QUIC, "host:port")`.
pub const QUIC: TransportType = TransportType::new("quic");

/// The name that the handshake demands, and that is never sent.
const NO_NAME: &str = "peer";

/// Connects to nodes at `host:port`.
#[derive(Debug)]
struct QuicConnector {
    network: Network,
    sockets: Sockets,
    shared: SharedBytes,
}

/// The sockets that dial, for IPv4 and IPv6, once there was a peer to dial.
#[derive(Debug, Default)]
struct Sockets {
    v4: Lock<Option<Endpoint>>,
    v6: Lock<Option<Endpoint>>,
}

/// Makes `node` dial addresses such as `(QUIC, "host:port")`.
pub fn add(node: &Node) {
    let (network, sockets) = (node.network().clone(), Sockets::default());
    add_connector(node, QUIC, QuicConnector { network, sockets, shared: shared_bytes(node) });
}

/// What the windows of all connections of `node` share.
fn shared_bytes(node: &Node) -> SharedBytes {
    node.extension(SharedBytes::default).as_ref().clone()
}

impl Sockets {
    fn for_peer(&self, peer: SocketAddr) -> io::Result<Endpoint> {
        let socket = if peer.is_ipv4() { &self.v4 } else { &self.v6 };
        let mut socket = socket.lock();
        match &*socket {
            Some(socket) => Ok(socket.clone()),
            None => Ok(socket.insert(endpoint::client(peer)?).clone()),
        }
    }
}

impl Connector for QuicConnector {
    type Carrier = QuicCarrier;

    fn check(&self, peer: &str) -> Result<()> {
        check_peer(peer)
    }

    async fn connect(&self, peer: String) -> Result<QuicCarrier> {
        let timed_out =
            |limit| Error::TimedOut { waited_for: format!("a QUIC connection to {peer}"), limit };
        let end = Instant::now() + PEER_TIMEOUT;
        let resolved = timeout_at(end, resolve(&self.network, &peer)).await;
        let addresses = resolved.map_err(|_| timed_out(PEER_TIMEOUT))??;
        let connect = |address| async move {
            let connecting = timeout(CONNECT_TIMEOUT, self.connect_to(address));
            connecting.await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
        };
        let connected = first_to_answer(addresses, end, connect).await;
        connected.map_err(|source| match source.kind() {
            ErrorKind::TimedOut => timed_out(CONNECT_TIMEOUT),
            _ => Error::transport(format!("cannot connect to {peer}"), source),
        })
    }
}

impl QuicConnector {
    async fn connect_to(&self, peer: SocketAddr) -> io::Result<QuicCarrier> {
        let socket = self.sockets.for_peer(peer)?;
        let connecting = socket.connect(peer, NO_NAME).map_err(io::Error::other)?;
        let connection = connecting.await?;
        let streams = connection.open_bi().await?;
        Ok(QuicCarrier::new(connection, streams, self.shared.clone()))
    }
}
