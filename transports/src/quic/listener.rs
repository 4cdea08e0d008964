//! What a QUIC listener listens with.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc, OnceLock,
    },
};

use ockam_actix_runtime::{
    socket::network::Network, trust::refusal_log::RefusalLog, Error, Host, Node, Result,
};
use quinn::{Endpoint, Incoming as Unfinished, ServerConfig};

use crate::{
    connection::{
        accepted::Peer,
        connection_limits::ConnectionSlot,
        listener::{Binding, Incoming, ListenOptions, Listener, Opened},
    },
    quic::{
        carrier::QuicCarrier, endpoint, limits::UNVALIDATED_HANDSHAKES, shared_bytes,
        windows::SharedBytes, QUIC,
    },
    tcp::resolve,
};

/// Listens for connections of other nodes.
///
/// # Errors
/// If the address is invalid, or cannot be bound, for example because another program uses the
/// port.
pub async fn listen(node: &Node, options: ListenOptions) -> Result<Listener> {
    let address = &options.address;
    let failed = |source| Error::not_bound(address, source);
    let socket = bind(node.network(), address).await?;
    let binding = QuicBinding {
        address: socket.local_addr().map_err(failed)?,
        socket,
        config: endpoint::server_config().map_err(|error| failed(io::Error::other(error)))?,
        endpoint: OnceLock::new(),
        unfinished: Arc::default(),
        shared: shared_bytes(node),
    };
    crate::connection::listener::listen(node, binding, options)
}

/// Binds the first of `address`'s network addresses that can be bound.
async fn bind(network: &Network, address: &str) -> Result<UdpSocket> {
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for candidate in resolve(network, address).await? {
        match endpoint::bind(candidate) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(Error::not_bound(address, last))
}

/// A socket that listens.
#[derive(Debug)]
pub struct QuicBinding {
    socket: UdpSocket,
    address: SocketAddr,
    config: ServerConfig,
    /// Of the socket, once it accepts: it is bound to the first arbiter, and outlives a panic.
    endpoint: OnceLock<Endpoint>,
    unfinished: Arc<AtomicUsize>,
    shared: SharedBytes,
}

impl QuicBinding {
    fn endpoint(&self) -> io::Result<&Endpoint> {
        if let Some(endpoint) = self.endpoint.get() {
            return Ok(endpoint);
        }
        let endpoint = endpoint::server(self.socket.try_clone()?, self.config.clone())?;
        Ok(self.endpoint.get_or_init(|| endpoint))
    }
}

impl Binding for QuicBinding {
    type Address = SocketAddr;
    type Incoming = QuicIncoming;

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn name(&self) -> String {
        format!("{}#{}", QUIC.name(), self.address)
    }

    fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    async fn accept_all(
        &self,
        _who: &str,
        _log: &RefusalLog,
        mut serve: impl FnMut(QuicIncoming, Peer),
    ) -> io::Error {
        let endpoint = match self.endpoint() {
            Ok(endpoint) => endpoint,
            Err(error) => return error,
        };
        let _open = Open::new(endpoint, &self.config);
        while let Some(connection) = endpoint.accept().await {
            let handshake = Handshake::begin(self.unfinished.clone());
            let crowded = handshake.before >= UNVALIDATED_HANDSHAKES;
            if crowded && !connection.remote_address_validated() && connection.may_retry() {
                // It may fail only if this may not be asked.
                let _ = connection.retry();
                continue;
            }
            let peer = connection.remote_address();
            serve(QuicIncoming { connection, handshake, shared: self.shared.clone() }, peer.into());
        }
        io::ErrorKind::NotConnected.into()
    }
}

/// Has a socket refuse connections once nobody accepts them any more; those that are open go on.
struct Open<'a>(&'a Endpoint);

impl<'a> Open<'a> {
    fn new(endpoint: &'a Endpoint, config: &ServerConfig) -> Self {
        endpoint.set_server_config(Some(config.clone()));
        Self(endpoint)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.set_server_config(None);
    }
}

/// Counts a handshake of a listener until this is dropped.
#[derive(Debug)]
struct Handshake {
    unfinished: Arc<AtomicUsize>,
    before: usize,
}

impl Handshake {
    fn begin(unfinished: Arc<AtomicUsize>) -> Self {
        let before = unfinished.fetch_add(1, Ordering::Relaxed);
        Self { unfinished, before }
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.unfinished.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection of which the first packet has arrived.
#[derive(Debug)]
pub struct QuicIncoming {
    connection: Unfinished,
    handshake: Handshake,
    shared: SharedBytes,
}

impl Incoming for QuicIncoming {
    type Carrier = QuicCarrier;

    async fn open(self, slot: ConnectionSlot) -> Result<Opened<QuicCarrier>> {
        let Self { connection, handshake, shared } = self;
        let peer = connection.remote_address();
        let failed = |error: quinn::ConnectionError| {
            Error::transport(format!("no greeting from {peer}"), error.into())
        };
        let connection = connection.accept().map_err(failed)?.await.map_err(failed)?;
        drop(handshake);
        // The peer opens the stream with its greeting.
        let streams = connection.accept_bi().await.map_err(failed)?;
        Ok(Opened::one(QuicCarrier::new(connection, streams, shared), slot))
    }
}
