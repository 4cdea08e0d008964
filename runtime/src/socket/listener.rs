//! A listening socket: the system's, or one of a simulated network.

use std::{io, net::SocketAddr};

#[cfg(feature = "testing")]
use crate::simulated;

/// A listening TCP socket that is not on an arbiter yet.
#[derive(Debug)]
pub enum Listener {
    /// One of the system.
    System(std::net::TcpListener),
    /// One of a simulated network.
    #[cfg(feature = "testing")]
    Simulated(simulated::Listener),
}

impl Listener {
    /// The address that it is bound to.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::System(socket) => socket.local_addr(),
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
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => Ok(Self::Simulated(socket.clone())),
        }
    }

    /// The system's socket, for options that only it has.
    pub fn system(&self) -> Option<&std::net::TcpListener> {
        match self {
            Self::System(socket) => Some(socket),
            #[cfg(feature = "testing")]
            Self::Simulated(_) => None,
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
