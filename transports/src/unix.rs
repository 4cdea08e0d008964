//! Unix sockets: connections between nodes of one machine, where the mode of the socket's file says
//! who may connect.

use std::{
    io::{self, ErrorKind, IoSlice},
    os::unix::net::{SocketAddr, UnixStream as Detached},
    path::PathBuf,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use ockam_actix_runtime::{
    socket::unix::UnixSocket, trust::refusal_log::RefusalLog, Error, Node, Result, TransportType,
};
use tokio::{
    net::{UnixListener, UnixStream},
    time::{sleep, timeout},
};

use crate::{
    connection::{
        accepted::Peer,
        carrier::Carrier,
        connection_limits::ConnectionSlot,
        connectors::Connector,
        dialled::add_connector,
        listener::{Binding, Incoming, ListenOptions, Listener, Opened},
    },
    limits::CONNECT_TIMEOUT,
};

/// The transport's name in addresses: `(UNIX, "/run/hub.sock")`.
pub const UNIX: TransportType = TransportType::new("unix");

/// The pause after a failure to accept. Most likely descriptors ran out, and connections that end
/// free some.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);

/// Makes `node` dial addresses such as `(UNIX, "/run/hub.sock")`.
pub fn add(node: &Node) {
    add_connector(node, UNIX, UnixConnector);
}

/// Checks that a text is an absolute path that a socket can have.
///
/// # Errors
/// If it is not.
pub fn check_path(path: &str) -> Result<()> {
    if !path.starts_with('/') || path.ends_with('/') {
        return Err(Error::Usage(format!(
            "\"{path}\" is not the path of a Unix socket: expected an absolute one, such as \
             /run/ockam/hub.sock"
        )));
    }
    let too_long = |_| Error::Usage(format!("\"{path}\" is too long for a Unix socket"));
    SocketAddr::from_pathname(path).map(drop).map_err(too_long)
}

impl Carrier for UnixStream {
    fn transport(&self) -> &'static str {
        UNIX.name()
    }

    fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(task)
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        self.try_read_buf(buffer)
    }

    fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(task)
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(slices)
    }
}

/// Connects to nodes at the paths of their sockets.
struct UnixConnector;

impl Connector for UnixConnector {
    type Carrier = UnixStream;

    fn check(&self, path: &str) -> Result<()> {
        check_path(path)
    }

    async fn connect(&self, path: String) -> Result<UnixStream> {
        let connecting = timeout(CONNECT_TIMEOUT, UnixStream::connect(&path)).await;
        let connected = connecting.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
        connected.map_err(|source| Error::transport(format!("cannot connect to {path}"), source))
    }
}

/// Listens for connections of other nodes on the path that `options` say.
///
/// A socket file that a process has left behind is replaced; one that somebody listens on is not.
///
/// # Errors
/// If the path is relative or in use, or cannot be bound.
pub fn listen(node: &Node, options: ListenOptions) -> Result<Listener<PathBuf>> {
    check_path(&options.address)?;
    let path = PathBuf::from(&options.address);
    let failed = |source| Error::not_bound(path.display(), source);
    let socket = UnixSocket::bind(&path, options.mode).map_err(failed)?;
    let binding = UnixBinding(socket);
    crate::connection::listener::listen(node, binding, options)
}

/// A socket that listens.
#[derive(Debug)]
pub struct UnixBinding(UnixSocket);

impl Binding for UnixBinding {
    type Address = PathBuf;
    type Incoming = UnixIncoming;

    fn address(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn name(&self) -> String {
        format!("{}#{}", UNIX.name(), self.0.path().display())
    }

    /// Whom the file lets in: programs of this machine, as through a loopback address.
    fn is_loopback(&self) -> bool {
        true
    }

    async fn accept_all(
        &self,
        who: &str,
        log: &RefusalLog,
        mut serve: impl FnMut(UnixIncoming, Peer),
    ) -> io::Error {
        let listener = match self.0.listener().try_clone().and_then(UnixListener::from_std) {
            Ok(listener) => listener,
            Err(error) => return error,
        };
        loop {
            let accepted = listener.accept().await.and_then(|(stream, _)| {
                let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
                Ok((stream.into_std()?, process))
            });
            match accepted {
                Ok((stream, process)) => {
                    let process = process.map_or("a process".into(), |id| format!("process {id}"));
                    let name = format!("{process} on {}", self.0.path().display());
                    serve(UnixIncoming(stream), Peer { name, source: None });
                }
                Err(error) => {
                    let what = format_args!("{who} cannot accept a connection: {error}");
                    log.warn("accept-failed", what);
                    sleep(PAUSE_AFTER_FAILURE).await;
                }
            }
        }
    }
}

/// An accepted socket.
#[derive(Debug)]
pub struct UnixIncoming(Detached);

impl Incoming for UnixIncoming {
    type Carrier = UnixStream;

    async fn open(self, slot: ConnectionSlot) -> Result<Opened<UnixStream>> {
        let failed = |source| Error::transport("cannot use an accepted socket", source);
        Ok(Opened::one(UnixStream::from_std(self.0).map_err(failed)?, slot))
    }
}
