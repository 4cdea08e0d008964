//! TCP: listeners that accept connections of other nodes, and connections made for a route.
//!
//! What runs on a connection, once it is made, is in [`connection`](crate::connection). Here is
//! what only TCP has: how a name becomes a socket, the socket's options, and the [`listener`].

pub mod listener;

use std::{
    io::{self, ErrorKind, IoSlice},
    net::SocketAddr,
    task::{Context, Poll},
};

use bytes::BytesMut;

use ockam_actix_runtime::{
    socket::{connect::first_to_answer, network::Network, stream::Socket, Keepalive},
    Error, Host, Node, Result, TransportType,
};
use tokio::time::{timeout, timeout_at, Instant};

use crate::{
    connection::{carrier::Carrier, connectors::Connector, dialled::add_connector},
    limits::{
        CONNECT_TIMEOUT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, PEER_TIMEOUT,
        PROGRESS_TIMEOUT, UNSENT_BYTES,
    },
};

/// The transport's name in addresses: `(TCP, "host:port")`.
pub const TCP: TransportType = TransportType::new("tcp");

/// Resolves `host:port` to the addresses to try, in the resolver's order.
///
/// # Errors
/// If the text is not `host:port`, or the name is unknown.
pub async fn resolve(network: &Network, peer: &str) -> Result<Vec<SocketAddr>> {
    check_peer(peer)?;
    let found = network.resolve(peer).await;
    let addresses =
        found.map_err(|source| Error::transport(format!("cannot resolve {peer}"), source))?;
    if addresses.is_empty() {
        return Err(Error::Usage(format!("{peer} has no network address")));
    }
    Ok(addresses)
}

/// Checks the form of `host:port`, without resolving it.
///
/// # Errors
/// If the text has another form.
pub fn check_peer(peer: &str) -> Result<()> {
    let well_formed = match peer.rsplit_once(':') {
        Some((host, port)) => {
            let ipv6 = host.starts_with('[') && host.ends_with(']');
            !host.is_empty() && (ipv6 || !host.contains(':')) && port.parse::<u16>().is_ok()
        }
        None => false,
    };
    if well_formed {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "\"{peer}\" is not a TCP address: expected host:port, such as 127.0.0.1:4000, [::1]:4000 \
         or example.org:4000"
    )))
}

impl Carrier for Socket {
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

/// Makes `node` dial addresses such as `(TCP, "host:port")`, on the network that the node is on.
pub fn add(node: &Node) {
    add_connector(node, TCP, TcpConnector { network: node.network().clone() });
}

/// Connects to nodes at `host:port`.
#[derive(Clone, Debug, Default)]
struct TcpConnector {
    network: Network,
}

impl Connector for TcpConnector {
    type Carrier = Socket;

    fn check(&self, peer: &str) -> Result<()> {
        check_peer(peer)
    }

    async fn connect(&self, peer: String) -> Result<Socket> {
        dial(&self.network, &peer).await
    }
}

/// Connects to `peer`, which is `host:port`, for one of the transports that run on TCP.
///
/// # Errors
/// If the name is unknown, or none of its addresses answers in time.
pub(crate) async fn dial(network: &Network, peer: &str) -> Result<Socket> {
    let stream = connect(network, peer).await?;
    let failed = |source| Error::transport(format!("no greeting from {peer}"), source);
    configure(&stream).map_err(failed)?;
    Ok(stream)
}

/// Connects to the first of `peer`'s addresses that answers.
///
/// # Errors
/// If the name is unknown, or none of its addresses answers in time.
async fn connect(network: &Network, peer: &str) -> Result<Socket> {
    let timed_out =
        |limit| Error::TimedOut { waited_for: format!("a TCP connection to {peer}"), limit };
    let end = Instant::now() + PEER_TIMEOUT;
    let resolved = timeout_at(end, resolve(network, peer)).await;
    let addresses = resolved.map_err(|_| timed_out(PEER_TIMEOUT))??;
    let connect = |address| async move {
        let connecting = timeout(CONNECT_TIMEOUT, network.connect(address));
        connecting.await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    };
    let connected = first_to_answer(addresses, end, connect).await;
    connected.map_err(|source| match source.kind() {
        ErrorKind::TimedOut => timed_out(CONNECT_TIMEOUT),
        _ => Error::transport(format!("cannot connect to {peer}"), source),
    })
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
