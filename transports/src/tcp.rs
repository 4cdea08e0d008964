//! TCP: listeners that accept connections of other nodes, and connections made for a route.
//!
//! The code that runs on a connection, once it is made, is in [`connection`](crate::connection).
//! This module has the parts that only TCP has: how a name becomes a socket, perhaps through a
//! [`proxy`](crate::proxy), the socket's options, the [`listener`], and the [`bundle`] of several
//! connections that carry one.

pub mod bundle;
pub mod carrier;
pub mod listener;

use std::{
    future::poll_fn,
    io::{self, ErrorKind, IoSlice},
    net::SocketAddr,
    sync::Arc,
};

use futures::future::try_join_all;
use ockam_actix_runtime::{
    socket::{
        connect::{first_to_answer, race, NoneAnswered},
        host_port::HostPort,
        network::Network,
        stream::Socket,
        Keepalive,
    },
    Error, Host, Node, Result,
};
use tokio::time::{timeout, timeout_at, Instant};

use crate::{
    connection::{connectors::Connector, dialled::add_connector},
    limits::{
        CONNECT_TIMEOUT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, MAX_PARTS,
        PEER_TIMEOUT, PROGRESS_TIMEOUT, UNSENT_BYTES,
    },
    peer,
    proxy::{Proxies, ProxyServer},
    tcp::{
        bundle::{
            preface::{BundleId, Preface},
            Bundle,
        },
        carrier::TcpCarrier,
    },
};

pub use carrier::TCP;

/// Resolves `host:port` to the addresses to try, in the resolver's order.
///
/// # Errors
/// If the text is not `host:port`, or the name is unknown.
pub async fn resolve(network: &Network, peer: &str) -> Result<Vec<SocketAddr>> {
    resolve_as(network, peer, peer).await
}

/// Resolves `peer`, which errors call `name`.
async fn resolve_as(network: &Network, peer: &str, name: &str) -> Result<Vec<SocketAddr>> {
    peer::parse(peer)?;
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
    peer::parse(peer).map(drop)
}

/// Makes `node` dial addresses such as `(TCP, "host:port")`, on the network that the node is on and
/// through its proxies.
///
/// # Errors
/// As [`TcpConnector::of`].
pub fn add(node: &Node) -> Result<()> {
    add_bundling(node, 1)
}

/// As [`add`], with `parts` TCP connections for each peer, which carry what one would.
///
/// # Errors
/// As [`add`], or if there are none or more than [`MAX_PARTS`].
pub fn add_bundling(node: &Node, parts: usize) -> Result<()> {
    add_connector(node, TCP, TcpConnector::of(node)?.bundling(parts)?);
    Ok(())
}

/// Connects to nodes at `host:port`, directly or through a proxy.
#[derive(Clone, Debug)]
pub struct TcpConnector {
    network: Network,
    proxies: Arc<Proxies>,
    parts: usize,
}

impl TcpConnector {
    /// For the network that `node` is on, and through its proxies.
    ///
    /// # Errors
    /// If a variable of the environment that names a proxy has another form than is expected.
    pub fn of(node: &Node) -> Result<Self> {
        Ok(Self { network: node.network().clone(), proxies: Proxies::of(node)?, parts: 1 })
    }

    /// For the system's network, and through `proxies`.
    pub fn through(proxies: Proxies) -> Self {
        Self { network: Network::System, proxies: Arc::new(proxies), parts: 1 }
    }

    /// Connects with `parts` connections, which carry what one would.
    ///
    /// # Errors
    /// If there are none or more than [`MAX_PARTS`].
    pub fn bundling(mut self, parts: usize) -> Result<Self> {
        if !(1..=MAX_PARTS).contains(&parts) {
            let text = format!("{parts} connections to a peer: give 1 to {MAX_PARTS}");
            return Err(Error::Usage(text));
        }
        self.parts = parts;
        Ok(self)
    }

    /// A connection to the first of `peer`'s addresses that answers, with the options of those
    /// between nodes. If it is to go through a proxy, that one looks the name up, and connects.
    ///
    /// # Errors
    /// If the name is unknown, none of its addresses answers in time, or the proxy refuses.
    pub async fn open(&self, peer: &str) -> Result<Socket> {
        let end = Instant::now() + PEER_TIMEOUT;
        let socket = match self.proxies.server_for(&peer::parse(peer)?) {
            Some(server) => self.ask(server, peer, end).await?,
            None => self.direct(peer, peer, end).await?,
        };
        let failed = |source| Error::transport(format!("lost the connection to {peer}"), source);
        configure(&socket).map_err(failed)?;
        Ok(socket)
    }

    /// Opens all connections of a bundle, to the one machine that the first has reached, where
    /// `peer` may be the name of several.
    async fn open_bundle(&self, peer: &str) -> Result<Bundle> {
        let lost = |source| Error::transport(format!("lost the connection to {peer}"), source);
        let first = self.open(peer).await?;
        let is_direct = self.proxies.server_for(&peer::parse(peer)?).is_none();
        let reached = first.system().filter(|_| is_direct).and_then(|s| s.peer_addr().ok());
        let reached = reached.and_then(|address| address.as_socket());
        let name = reached.map_or_else(|| peer.to_owned(), |address| address.to_string());
        let others = (1..self.parts).map(|_| self.open(&name));
        let mut parts = vec![first];
        parts.extend(try_join_all(others).await?);
        let bundle = BundleId::random();
        for (part, socket) in parts.iter().enumerate() {
            let preface = Preface { bundle, parts: self.parts, part }.encode();
            share_unsent(socket, self.parts).map_err(lost)?;
            // The buffer of a new connection has room for it.
            poll_fn(|task| socket.poll_write_ready(task)).await.map_err(lost)?;
            match socket.try_write(&[IoSlice::new(&preface)]).map_err(lost)? {
                written if written == preface.len() => {}
                _ => return Err(lost(ErrorKind::WriteZero.into())),
            }
        }
        Ok(Bundle::new(parts))
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
    type Carrier = TcpCarrier;

    fn check(&self, peer: &str) -> Result<()> {
        check_peer(peer)
    }

    fn proxy(&self, peer: &str) -> Option<String> {
        let server = self.proxies.server_for(&HostPort::parse(peer)?)?;
        Some(server.to_string())
    }

    async fn connect(&self, peer: String) -> Result<TcpCarrier> {
        match self.parts {
            1 => self.open(&peer).await.map(TcpCarrier::One),
            _ => self.open_bundle(&peer).await.map(TcpCarrier::Several),
        }
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

/// Divides what waits unsent for one peer among the connections of a bundle.
fn share_unsent(stream: &Socket, parts: usize) -> io::Result<()> {
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    if let Some(socket) = stream.system() {
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        socket.set_tcp_notsent_lowat(UNSENT_BYTES / parts.max(1))?;
    }
    #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
    let _ = (stream, parts);
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
