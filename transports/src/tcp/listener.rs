//! What a TCP listener listens with.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use ockam_actix_runtime::{
    socket::{
        accept::accept_all,
        endpoint::Endpoint,
        listener::Listener as ListeningSocket,
        network::Network,
        stream::{Detached, Socket},
    },
    trust::refusal_log::RefusalLog,
    Error, Host, Node, Result,
};
use socket2::{Domain, Protocol, Socket as SystemSocket, Type};

use crate::{
    connection::{
        accepted::Peer,
        listener::{Binding, Incoming, ListenOptions, Listener},
    },
    limits::BIND_ATTEMPTS,
    peer::HostPort,
    tcp::{configure, resolve},
};

/// Listens for connections of other nodes.
///
/// # Errors
/// If the address is invalid, or cannot be bound, for example because another program uses the
/// port.
pub async fn listen(node: &Node, options: ListenOptions) -> Result<Listener> {
    let binding = TcpBinding::of(node.network(), &options.address).await?;
    crate::connection::listener::listen(node, binding, options)
}

/// Binds the first of `address`'s network addresses that can be bound. `localhost` is both those of
/// the loopback interface, as programs that connect to it may try only one of them.
///
/// # Errors
/// As [`listen`].
pub async fn bind(network: &Network, address: &str) -> Result<ListeningSocket> {
    let HostPort { host, port } = HostPort::parse(address)?;
    let failed = |source| Error::transport(format!("cannot listen on {address}"), source);
    if host.eq_ignore_ascii_case("localhost") && matches!(network, Network::System) {
        return bind_localhost(port).map_err(failed);
    }
    let mut last = None;
    for candidate in resolve(network, address).await? {
        match network.bind(candidate, bind_one) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    Err(failed(last.unwrap_or_else(|| ErrorKind::AddrNotAvailable.into())))
}

/// Binds a port of both loopback addresses; on a machine without IPv6, of that of IPv4.
fn bind_localhost(port: u16) -> io::Result<ListeningSocket> {
    let mut attempts = BIND_ATTEMPTS;
    loop {
        let four = bind_one((Ipv4Addr::LOCALHOST, port).into())?;
        attempts -= 1;
        match bind_one((Ipv6Addr::LOCALHOST, four.local_addr()?.port()).into()) {
            Ok(six) => return Ok(ListeningSocket::Both([four, six])),
            // The system has chosen a port that is free for one of them only.
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                if port != 0 || attempts == 0 {
                    return Err(error);
                }
            }
            Err(_) => return Ok(four.into()),
        }
    }
}

fn bind_one(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket =
        SystemSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted program gets its port back although old connections linger on it.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// A socket that listens.
#[derive(Debug)]
pub struct TcpBinding {
    socket: ListeningSocket,
    address: SocketAddr,
}

impl TcpBinding {
    /// Binds `address`, which is `host:port`.
    ///
    /// # Errors
    /// If the address is invalid, or cannot be bound.
    pub async fn of(network: &Network, address: &str) -> Result<Self> {
        let socket = bind(network, address).await?;
        let bound = socket.local_address();
        let failed = |source| Error::transport(format!("cannot listen on {address}"), source);
        Ok(Self { address: bound.map_err(failed)?, socket })
    }
}

impl Binding for TcpBinding {
    type Address = SocketAddr;
    type Incoming = TcpIncoming;

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn name(&self) -> String {
        match self.socket.system() {
            [_, _] => format!("localhost:{}", self.address.port()),
            _ => self.address.to_string(),
        }
    }

    fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    async fn accept_all(
        &self,
        who: &str,
        log: &RefusalLog,
        mut serve: impl FnMut(TcpIncoming, Peer),
    ) -> io::Error {
        let socket = match self.socket.try_clone() {
            Ok(socket) => socket,
            Err(error) => return error,
        };
        let serve = |socket: Socket, peer: Endpoint| {
            // It has an address, as the listener has one.
            let Some(peer) = peer.network() else { return };
            match configure(&socket).and_then(|()| socket.detach()) {
                Ok(socket) => serve(TcpIncoming { socket, peer }, peer.into()),
                Err(error) => log::warn!("lost the connection with {peer}: {error}"),
            }
        };
        accept_all(socket, who, log, serve).await
    }
}

/// An accepted socket.
#[derive(Debug)]
pub struct TcpIncoming {
    socket: Detached,
    peer: SocketAddr,
}

impl Incoming for TcpIncoming {
    type Carrier = Socket;

    async fn open(self) -> Result<Socket> {
        let lost =
            |source| Error::transport(format!("lost the connection with {}", self.peer), source);
        self.socket.attach().map_err(lost)
    }
}
