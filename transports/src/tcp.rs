//! TCP: listeners that accept connections of other nodes, and connections made for a route.
//!
//! What runs on a connection, once it is made, is in [`connection`](crate::connection). Here is
//! what only TCP has: how a name becomes a socket, perhaps through a [`proxy`](crate::proxy), the
//! socket's options, and the [`listener`].

pub mod listener;

use std::{
    io::{self, ErrorKind, IoSlice},
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::BytesMut;

use ockam_actix_runtime::{
    socket::{
        connect::{first_to_answer, race, NoneAnswered},
        network::Network,
        stream::Socket,
        Keepalive,
    },
    Error, Host, Node, Result, TransportType,
};
use tokio::time::{timeout, timeout_at, Instant};

use crate::{
    connection::{carrier::Carrier, connectors::Connector, dialled::add_connector},
    limits::{
        CONNECT_TIMEOUT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, PEER_TIMEOUT,
        PROGRESS_TIMEOUT, UNSENT_BYTES,
    },
    peer::HostPort,
    proxy::{Proxies, ProxyServer},
};

/// The transport's name in addresses: `(TCP, "host:port")`.
pub const TCP: TransportType = TransportType::new("tcp");

/// Resolves `host:port` to the addresses to try, in the resolver's order.
///
/// # Errors
/// If the text is not `host:port`, or the name is unknown.
pub async fn resolve(network: &Network, peer: &str) -> Result<Vec<SocketAddr>> {
    resolve_as(network, peer, peer).await
}

/// Resolves `peer`, which errors call `name`.
async fn resolve_as(network: &Network, peer: &str, name: &str) -> Result<Vec<SocketAddr>> {
    HostPort::parse(peer)?;
    let found = network.resolve(peer).await;
    let addresses =
        found.map_err(|source| Error::transport(format!("cannot resolve {name}"), source))?;
    if addresses.is_empty() {
        return Err(Error::Usage(format!("{name} has no network address")));
    }
    Ok(addresses)
}

/// Checks the form of `host:port`, without resolving it.
///
/// # Errors
/// If the text has another form.
pub fn check_peer(peer: &str) -> Result<()> {
    HostPort::parse(peer).map(drop)
}

impl Carrier for Socket {
    fn transport(&self) -> &'static str {
        TCP.name()
    }

    fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(task)
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        self.try_read_buf(buffer)
    }

    fn clear_read_ready(&self) {
        self.drained();
    }

    fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(task)
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write(slices)
    }
}

/// Makes `node` dial addresses such as `(TCP, "host:port")`, on the network that the node is on and
/// through its proxies.
///
/// # Errors
/// As [`TcpConnector::of`].
pub fn add(node: &Node) -> Result<()> {
    add_connector(node, TCP, TcpConnector::of(node)?);
    Ok(())
}

/// Connects to nodes at `host:port`, directly or through a proxy.
#[derive(Clone, Debug)]
pub struct TcpConnector {
    network: Network,
    proxies: Arc<Proxies>,
}

impl TcpConnector {
    /// For the network that `node` is on, and through its proxies.
    ///
    /// # Errors
    /// If a variable of the environment that names a proxy has another form than is expected.
    pub fn of(node: &Node) -> Result<Self> {
        Ok(Self { network: node.network().clone(), proxies: Proxies::of(node)? })
    }

    /// For the system's network, and through `proxies`.
    pub fn through(proxies: Proxies) -> Self {
        Self { network: Network::System, proxies: Arc::new(proxies) }
    }

    /// A connection to the first of `peer`'s addresses that answers, with the options of those
    /// between nodes. If it is to go through a proxy, that one looks the name up, and connects.
    ///
    /// # Errors
    /// If the name is unknown, none of its addresses answers in time, or the proxy refuses.
    pub async fn open(&self, peer: &str) -> Result<Socket> {
        let end = Instant::now() + PEER_TIMEOUT;
        let socket = match self.proxies.server_for(&HostPort::parse(peer)?) {
            Some(server) => self.ask(server, peer, end).await?,
            None => self.direct(peer, peer, end).await?,
        };
        let failed = |source| Error::transport(format!("lost the connection to {peer}"), source);
        configure(&socket).map_err(failed)?;
        Ok(socket)
    }

    /// Connects to `address`, which errors call `name`.
    async fn direct(&self, address: &str, name: &str, end: Instant) -> Result<Socket> {
        let timed_out =
            |limit| Error::TimedOut { waited_for: format!("a TCP connection to {name}"), limit };
        let resolved = timeout_at(end, resolve_as(&self.network, address, name)).await;
        let addresses = resolved.map_err(|_| timed_out(PEER_TIMEOUT))??;
        let connect = |address| async move {
            let connecting = timeout(CONNECT_TIMEOUT, self.network.connect(address));
            connecting.await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
        };
        let connected = first_to_answer(addresses, end, connect).await;
        connected.map_err(|source| match source.kind() {
            ErrorKind::TimedOut => timed_out(CONNECT_TIMEOUT),
            _ => Error::transport(format!("cannot connect to {name}"), source),
        })
    }

    /// Has the proxy `server` connect to `peer`.
    async fn ask(&self, server: &ProxyServer, peer: &str, end: Instant) -> Result<Socket> {
        let timed_out = || {
            let waited_for = format!("the proxy {server} to connect to {peer}");
            Error::TimedOut { waited_for, limit: PEER_TIMEOUT }
        };
        let targets = match server.takes_addresses() {
            true => {
                let resolved = timeout_at(end, resolve(&self.network, peer)).await;
                let addresses = resolved.map_err(|_| timed_out())??;
                addresses.iter().map(SocketAddr::to_string).collect()
            }
            false => vec![peer.to_owned()],
        };
        let name = &format!("the proxy {server} for {peer}");
        let connect = |target: String| async move {
            let socket = self.direct(server.address(), name, end).await?;
            server.tunnel(&socket, &target).await?;
            Ok(socket)
        };
        let connected = race(targets, end, connect).await;
        connected.map_err(|NoneAnswered { failure, .. }| failure.unwrap_or_else(timed_out))
    }
}

impl Connector for TcpConnector {
    type Carrier = Socket;

    fn check(&self, peer: &str) -> Result<()> {
        check_peer(peer)
    }

    fn proxy(&self, peer: &str) -> Option<String> {
        let server = self.proxies.server_for(&HostPort::parse(peer).ok()?)?;
        Some(server.to_string())
    }

    async fn connect(&self, peer: String) -> Result<Socket> {
        self.open(&peer).await
    }
}

/// Sets the options of every connection between nodes: small frames are not delayed, and it ends
/// when the peer is gone. Keep-alive notices that while nothing is under way; without the user
/// timeout, bytes that nobody acknowledges would be sent again and again for a quarter of an hour.
/// The system takes only little more than it can send, so that the order of the rest is still open.
fn configure(stream: &Socket) -> io::Result<()> {
    let (idle, interval, probes) = (KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES);
    stream.set_keepalive(Keepalive { idle, interval, probes })?;
    stream.set_user_timeout(PROGRESS_TIMEOUT)?;
    if let Some(socket) = stream.system() {
        socket.set_tcp_nodelay(true)?;
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn silent_and_unacknowledging_peers_are_given_up() {
        actix_rt::System::new().block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let stream = Socket::from(stream);
            configure(&stream).unwrap();
            let socket = stream.system().unwrap();
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(PROGRESS_TIMEOUT));
        });
    }

    #[test]
    fn peers_are_host_and_port() {
        for peer in ["127.0.0.1:4000", "[::1]:4000", "example.org:1", "localhost:65535"] {
            assert!(check_peer(peer).is_ok(), "{peer}");
        }
        for peer in ["", ":1", "host", "host:", "host:x", "host:65536", "::1:4000", "host:-1"] {
            let text = check_peer(peer).unwrap_err().to_string();
            assert!(text.contains(&format!("\"{peer}\"")), "{text}");
        }
    }
}
