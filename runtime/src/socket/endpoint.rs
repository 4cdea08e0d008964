//! Where a socket is bound, or who is at its other end.

use std::{fmt, net::SocketAddr, path::Path, sync::Arc};

/// One end of a connection, or of a listening socket.
///
/// ```
/// use ockam_actix_runtime::socket::endpoint::Endpoint;
///
/// let address: std::net::SocketAddr = "127.0.0.1:80".parse()?;
/// assert_eq!(Endpoint::from(address).to_string(), "127.0.0.1:80");
/// assert_eq!(Endpoint::Unix(std::path::Path::new("/run/s").into()).to_string(), "unix:/run/s");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An address of a network, with its port.
    Network(SocketAddr),
    /// The path of a Unix socket. A client of one, which has none of its own, has that of its
    /// server.
    Unix(Arc<Path>),
}

impl Endpoint {
    /// The address, if it is one of a network.
    pub const fn network(&self) -> Option<SocketAddr> {
        match self {
            Self::Network(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Network(address)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
