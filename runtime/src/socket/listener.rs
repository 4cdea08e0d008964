//! A listening socket: the system's, or one of a simulated network.

use std::{io, net::SocketAddr, sync::Arc};

#[cfg(feature = "testing")]
use crate::simulated;
use crate::socket::{endpoint::Endpoint, unix::UnixSocket};

/// A listening socket that is not on an arbiter yet.
#[derive(Debug)]
pub enum Listener {
    /// One of the system, for TCP.
    System(std::net::TcpListener),
    /// One of the system, at a path.
    Unix(Arc<UnixSocket>),
    /// Two of the system that have a port in common: of IPv4 and of IPv6.
    Both([std::net::TcpListener; 2]),
    /// One of a simulated network.
    #[cfg(feature = "testing")]
    Simulated(simulated::Listener),
}

impl Listener {
    /// The address that it is bound to; of two, that of IPv4.
    ///
    /// # Errors
    /// If the system does not tell, or it is a Unix socket.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::System(socket) | Self::Both([socket, _]) => socket.local_addr(),
            Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => Ok(socket.local_address()),
        }
    }

    /// The address or the path that it is bound to.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn endpoint(&self) -> io::Result<Endpoint> {
        match self {
            Self::Unix(socket) => Ok(Endpoint::Unix(socket.path().into())),
            _ => self.local_address().map(Endpoint::from),
        }
    }

    /// The Unix socket, if it is one.
    pub const fn unix(&self) -> Option<&Arc<UnixSocket>> {
        match self {
            Self::Unix(socket) => Some(socket),
            _ => None,
        }
    }

    /// One more handle of the same socket.
    ///
    /// # Errors
    /// If the system has no descriptor for it.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::System(socket) => Ok(Self::System(socket.try_clone()?)),
            Self::Unix(socket) => Ok(Self::Unix(socket.clone())),
            Self::Both([four, six]) => Ok(Self::Both([four.try_clone()?, six.try_clone()?])),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => Ok(Self::Simulated(socket.clone())),
        }
    }

    /// The system's TCP sockets, for options that only they have.
    pub const fn system(&self) -> &[std::net::TcpListener] {
        match self {
            Self::System(socket) => std::slice::from_ref(socket),
            Self::Both(sockets) => sockets,
            Self::Unix(_) => &[],
            #[cfg(feature = "testing")]
            Self::Simulated(_) => &[],
        }
    }
}

impl From<std::net::TcpListener> for Listener {
    fn from(socket: std::net::TcpListener) -> Self {
        Self::System(socket)
    }
}

impl From<UnixSocket> for Listener {
    fn from(socket: UnixSocket) -> Self {
        Self::Unix(Arc::new(socket))
    }
}

#[cfg(feature = "testing")]
impl From<simulated::Listener> for Listener {
    fn from(socket: simulated::Listener) -> Self {
        Self::Simulated(socket)
    }
}
