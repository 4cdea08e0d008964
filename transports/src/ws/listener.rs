//! What a listener for WebSockets listens with: TCP, and TLS where it has a certificate.

use std::{io, net::SocketAddr, sync::Arc};

use ockam_actix_runtime::{trust::refusal_log::RefusalLog, Host, Node, Result};

#[cfg(feature = "tls")]
use crate::tls::{ServerTls, TlsStream};
use crate::{
    connection::{
        accepted::Peer,
        connection_limits::ConnectionSlot,
        listener::{Binding, Incoming, ListenOptions, Listener, Opened},
    },
    tcp::listener::{TcpBinding, TcpIncoming},
    ws::{byte_stream::ByteStream, carrier::WebSocket, endpoint::Endpoint, upgrade, WS},
};

/// Listens for connections of other nodes on `host:port` or `host:port/path`. With a path, clients
/// have to ask for that one; without, for any.
///
/// No client counts as one of this machine: those that connect to a loopback address may come
/// through a web server that runs beside the node.
///
/// # Errors
/// If the address is invalid, or cannot be bound, for example because another program uses the
/// port.
pub async fn listen(node: &Node, options: ListenOptions) -> Result<Listener> {
    let binding = WsBinding::of(node, WS.name(), &options.address).await?;
    crate::connection::listener::listen(node, binding, options)
}

/// As [`listen`], with TLS.
///
/// # Errors
/// As [`listen`].
#[cfg(feature = "tls")]
pub async fn listen_with_tls(
    node: &Node,
    options: ListenOptions,
    tls: ServerTls,
) -> Result<Listener> {
    let binding = WsBinding::of(node, super::WSS.name(), &options.address).await?;
    let binding = WsBinding { tls: Some(tls), ..binding };
    crate::connection::listener::listen(node, binding, options)
}

/// A socket that listens for WebSockets.
#[derive(Debug)]
pub struct WsBinding {
    transport: &'static str,
    tcp: TcpBinding,
    path: Option<Arc<str>>,
    #[cfg(feature = "tls")]
    tls: Option<ServerTls>,
}

impl WsBinding {
    async fn of(node: &Node, transport: &'static str, address: &str) -> Result<Self> {
        let Endpoint { host_and_port, path } = Endpoint::parse(transport, address)?;
        Ok(Self {
            transport,
            tcp: TcpBinding::of(node.network(), host_and_port).await?,
            path: path.map(Into::into),
            #[cfg(feature = "tls")]
            tls: None,
        })
    }
}

impl Binding for WsBinding {
    type Address = SocketAddr;
    type Incoming = WsIncoming;

    fn address(&self) -> SocketAddr {
        self.tcp.address()
    }

    fn name(&self) -> String {
        let path = self.path.as_deref().unwrap_or_default();
        format!("{}#{}{path}", self.transport, self.tcp.name())
    }

    fn is_loopback(&self) -> bool {
        false
    }

    async fn accept_all(
        &self,
        who: &str,
        log: &RefusalLog,
        mut serve: impl FnMut(WsIncoming, Peer),
    ) -> io::Error {
        let serve = |tcp, peer: Peer| {
            let incoming = WsIncoming {
                tcp,
                peer: peer.name.clone(),
                path: self.path.clone(),
                #[cfg(feature = "tls")]
                tls: self.tls.clone(),
            };
            serve(incoming, peer);
        };
        self.tcp.accept_all(who, log, serve).await
    }
}

/// An accepted connection that is to become a WebSocket.
#[derive(Debug)]
pub struct WsIncoming {
    tcp: TcpIncoming,
    peer: String,
    path: Option<Arc<str>>,
    #[cfg(feature = "tls")]
    tls: Option<ServerTls>,
}

impl Incoming for WsIncoming {
    type Carrier = WebSocket;

    async fn open(self, slot: ConnectionSlot) -> Result<Opened<WebSocket>> {
        let socket = self.tcp.attach()?;
        #[cfg(feature = "tls")]
        let stream = match &self.tls {
            Some(tls) => {
                ByteStream::Tls(Box::new(TlsStream::accept(socket, tls, &self.peer).await?))
            }
            None => ByteStream::Plain(socket),
        };
        #[cfg(not(feature = "tls"))]
        let stream = ByteStream::Plain(socket);
        let carrier = upgrade::answer(stream, self.path.as_deref(), &self.peer).await?;
        Ok(Opened::one(carrier, slot))
    }
}
