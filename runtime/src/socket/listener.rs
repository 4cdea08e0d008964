//! A listening socket: the system's, or one of a simulated network.

use std::{io, net::SocketAddr};

#[cfg(feature = "testing")]
use crate::simulated;

/// A listening TCP socket that is not on an arbiter yet.
#[derive(Debug)]
pub enum Listener {
    /// One of the system.
    System(std::net::TcpListener),
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
    /// If the system does not tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::System(socket) | Self::Both([socket, _]) => socket.local_addr(),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => Ok(socket.local_address()),
        }
    }

    /// One more handle of the same socket.
    ///
    /// # Errors
    /// If the system has no descriptor for it.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::System(socket) => Ok(Self::System(socket.try_clone()?)),
            Self::Both([four, six]) => Ok(Self::Both([four.try_clone()?, six.try_clone()?])),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => Ok(Self::Simulated(socket.clone())),
        }
    }

    /// The system's sockets, for options that only they have.
    pub const fn system(&self) -> &[std::net::TcpListener] {
        match self {
            Self::System(socket) => std::slice::from_ref(socket),
            Self::Both(sockets) => sockets,
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

#[cfg(feature = "testing")]
impl From<simulated::Listener> for Listener {
    fn from(socket: simulated::Listener) -> Self {
        Self::Simulated(socket)
    }
}
