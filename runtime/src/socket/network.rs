//! The network that a node's sockets are on: the system's, or a simulated one.

use std::{io, net::SocketAddr};

use tokio::net::TcpStream;

#[cfg(feature = "testing")]
use crate::simulated::Host;
use crate::socket::{
    connect::refuse_self_connected, listener::Listener, lookup::lookup, stream::Socket,
};

/// Where a node's names are looked up, and where its sockets connect and listen.
#[derive(Clone, Debug, Default)]
pub enum Network {
    /// The system's.
    #[default]
    System,
    /// A simulated one, as this host has it.
    #[cfg(feature = "testing")]
    Simulated(Host),
}

impl Network {
    /// The addresses of `host:port`, in the resolver's order.
    ///
    /// # Errors
    /// If the text has another form, or the name is unknown.
    pub async fn resolve(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => lookup(name).await,
            #[cfg(feature = "testing")]
            Self::Simulated(host) => Ok(vec![host.resolve(name)?]),
        }
    }

    /// Connects to `address`.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<Socket> {
        match self {
            Self::System => Ok(refuse_self_connected(TcpStream::connect(address).await?)?.into()),
            #[cfg(feature = "testing")]
            Self::Simulated(host) => Ok(host.connect(address).await?.into()),
        }
    }

    /// Listens on `address`; on the system's network with a socket that `bind` makes.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn bind(
        &self,
        address: SocketAddr,
        bind: impl FnOnce(SocketAddr) -> io::Result<std::net::TcpListener>,
    ) -> io::Result<Listener> {
        match self {
            Self::System => Ok(bind(address)?.into()),
            #[cfg(feature = "testing")]
            Self::Simulated(host) => Ok(host.bind(address)?.into()),
        }
    }
}
