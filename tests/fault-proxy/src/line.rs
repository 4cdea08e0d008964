//! What a proxy stands in, and what a fault hits there.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

/// A line to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// TCP. A fault hits a frame.
    Tcp(SocketAddr),
    /// A Unix socket. A fault hits a frame.
    Unix(PathBuf),
    /// TCP that carries something else, such as WebSockets or TLS. A fault hits the bytes that came
    /// at once.
    Opaque(SocketAddr),
    /// UDP, for QUIC. A fault hits a datagram.
    Udp(SocketAddr),
}

impl Line {
    /// Whether it carries frames as they are.
    pub(crate) fn has_frames(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Unix(_))
    }
}

/// As `127.0.0.1:4000`, `unix:/path`, `opaque:127.0.0.1:4000` and `udp:127.0.0.1:4000`.
impl FromStr for Line {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("unix", path)) => Ok(Self::Unix(path.into())),
            Some(("opaque", address)) => address.parse().map(Self::Opaque),
            Some(("udp", address)) => address.parse().map(Self::Udp),
            _ => text.parse().map(Self::Tcp),
        }
    }
}
