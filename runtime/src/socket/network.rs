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
    /// The addresses of `host:port`, in the resolver's order; an IPv6 address is in brackets and
    /// may name an interface, as in `[fe80::1%eth0]:80`.
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn resolved(name: &str) -> io::Result<Vec<SocketAddr>> {
        actix_rt::System::new().block_on(Network::System.resolve(name))
    }

    #[test]
    fn an_address_may_name_its_interface() {
        let loopback = if cfg!(target_os = "linux") { "lo" } else { "lo0" };
        for (zone, scope) in [(loopback, 1), ("7", 7)] {
            let name = format!("[fe80::1%{zone}]:80");
            let [SocketAddr::V6(address)] = resolved(&name).unwrap()[..] else { panic!("{name}") };
            assert_eq!((address.scope_id(), address.port()), (scope, 80), "{name}");
        }
    }

    #[test]
    fn addresses_are_not_looked_up() {
        for name in ["127.0.0.1:80", "[::1]:80"] {
            assert_eq!(resolved(name).unwrap(), [name.parse().unwrap()]);
        }
        for name in ["127.0.0.1", "127.0.0.1:http", "[::1]", ""] {
            assert_eq!(resolved(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }
}
