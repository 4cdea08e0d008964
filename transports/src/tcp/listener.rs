//! What a TCP listener listens with.

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use ockam_actix_runtime::{
    socket::{
        accept::accept_all,
        endpoint::Endpoint,
        host_port::HostPort,
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
        connection_limits::ConnectionSlot,
        listener::{Binding, Incoming, ListenOptions, Listener, Opened},
    },
    limits::BIND_ATTEMPTS,
    peer,
    tcp::{
        bundle::{
            assembly::{Assemblies, Placed},
            preface::{Preface, FIRST_BYTE, PREFACE_BYTES},
            Bundle,
        },
        carrier::TcpCarrier,
        configure, resolve, share_unsent,
    },
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
    let HostPort { host, port } = peer::parse(address)?;
    let failed = |source| Error::not_bound(address, source);
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
    assemblies: Assemblies,
}

impl TcpBinding {
    /// Binds `address`, which is `host:port`.
    ///
    /// # Errors
    /// If the address is invalid, or cannot be bound.
    pub async fn of(network: &Network, address: &str) -> Result<Self> {
        let socket = bind(network, address).await?;
        let bound = socket.local_address();
        let failed = |source| Error::not_bound(address, source);
        let assemblies = Assemblies::default();
        Ok(Self { address: bound.map_err(failed)?, socket, assemblies })
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
                Ok(socket) => {
                    let assemblies = self.assemblies.clone();
                    serve(TcpIncoming { socket, peer, assemblies }, peer.into());
                }
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
    assemblies: Assemblies,
}

impl TcpIncoming {
    /// The socket, on this arbiter.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn attach(self) -> Result<Socket> {
        let peer = self.peer;
        self.socket.attach().map_err(|source| lost(peer, source))
    }
}

impl Incoming for TcpIncoming {
    type Carrier = TcpCarrier;

    async fn open(self, slot: ConnectionSlot) -> Result<Opened<TcpCarrier>> {
        let (peer, assemblies) = (self.peer, self.assemblies.clone());
        let socket = self.attach()?;
        if socket.peek().await.map_err(|source| lost(peer, source))? != Some(FIRST_BYTE) {
            return Ok(Opened::one(TcpCarrier::One(socket), slot));
        }
        let preface = read_preface(&socket).await.map_err(|source| lost(peer, source))?;
        let arrived = (socket.detach().map_err(|source| lost(peer, source))?, slot);
        let wrong = || Error::Peer {
            who: peer.to_string(),
            what: "sent a part of no bundle that is awaited".into(),
        };
        let preface = preface.ok_or_else(wrong)?;
        match assemblies.add(preface, arrived).ok_or_else(wrong)? {
            Placed::Joined => Ok(Opened::Part),
            Placed::First(incomplete) => {
                let complete = incomplete.complete().await.map_err(|source| lost(peer, source))?;
                let (parts, slots) = complete.into_iter().unzip();
                let bundle = assemble(parts).map_err(|source| lost(peer, source))?;
                Ok(Opened::Carrier(TcpCarrier::Several(bundle), slots))
            }
        }
    }
}

/// Makes a bundle of its parts, on this arbiter.
fn assemble(parts: Vec<Detached>) -> io::Result<Bundle> {
    let count = parts.len();
    let attach = |part: Detached| {
        let socket = part.attach()?;
        share_unsent(&socket, count)?;
        Ok(socket)
    };
    Ok(Bundle::new(parts.into_iter().map(attach).collect::<io::Result<_>>()?))
}

async fn read_preface(socket: &Socket) -> io::Result<Option<Preface>> {
    let (mut bytes, mut arrived) = ([0; PREFACE_BYTES], 0);
    while arrived < PREFACE_BYTES {
        poll_fn(|task| socket.poll_read_ready(task)).await?;
        match socket.try_read(&mut bytes[arrived..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => arrived += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Preface::decode(bytes))
}

fn lost(peer: SocketAddr, source: io::Error) -> Error {
    Error::transport(format!("lost the connection with {peer}"), source)
}
