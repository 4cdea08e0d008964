//! One flow at the outlet: its socket to the target, and how answers go back.

use std::{
    fmt, io,
    net::{self, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use ockam_actix_runtime::{
    edge::first_hop::FirstHop, lock::Lock, socket::host_port::HostPort, Address, Error, Host, Node,
    Route,
};
use socket2::SockRef;
use tokio::{net::UdpSocket, time::timeout};

use crate::{
    datagram::{
        limits::{EARLY_BYTES, EARLY_BYTES_WITHOUT_NAME, EARLY_DATAGRAMS, LOOKUP_TIMEOUT},
        loss::Loss,
        sending::Sending,
        socket::{enlarge_buffer, send},
    },
    portal::pool::Holder,
};

/// By what an outlet knows a flow again, also when it comes along another path: the identity of the
/// inlet's node, or else the connection that it comes by, and the flow's address at the inlet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowKey {
    pub(super) peer: Option<Holder>,
    pub(super) inlet: Address,
}

/// What an outlet sends to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Address(SocketAddr),
    /// `host:port`, which is looked up for each flow.
    Name(String),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match (text.parse(), HostPort::parse(text)) {
            (Ok(address), Some(HostPort { port: 1.., .. })) => Ok(Self::Address(address)),
            (Err(_), Some(HostPort { port: 1.., .. })) => Ok(Self::Name(text.to_owned())),
            _ => Err(Error::Usage(format!(
                "\"{text}\" is not a UDP target: expected host:port, such as 127.0.0.1:53"
            ))),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// The path that answers go back by.
pub(super) struct Back {
    route: Route,
    pub(super) first_hop: FirstHop,
}

impl Back {
    /// Along the return route of a datagram.
    pub(super) fn along(node: &Node, route: &Route) -> Result<Self, Loss> {
        let first_hop = node.first_hop(route).map_err(|_| Loss::PathLost)?;
        Ok(Self { route: route.clone(), first_hop })
    }
}

/// One flow.
pub(super) struct Flow {
    sending: Sending,
    /// Of the latest datagram.
    back: Lock<Arc<Back>>,
    socket: Lock<FlowSocket>,
}

enum FlowSocket {
    /// The target is looked up; these datagrams have come meanwhile, and may have so many bytes.
    Opening(Vec<Box<[u8]>>, usize),
    Open(Arc<UdpSocket>),
}

impl Flow {
    /// A flow that keeps its datagrams until it has a [socket](Self::socket).
    pub(super) fn new(inlet: Address, back: Back, target: &Target) -> Self {
        let most = match target {
            Target::Address(_) => EARLY_BYTES_WITHOUT_NAME,
            Target::Name(_) => EARLY_BYTES,
        };
        let socket = Lock::new(FlowSocket::Opening(Vec::new(), most));
        Self { sending: Sending::back(inlet), back: Lock::new(Arc::new(back)), socket }
    }

    /// Has answers go back along `route` from now on.
    pub(super) fn answer_along(&self, node: &Node, route: &Route) -> Result<(), Loss> {
        if self.back.lock().route != *route {
            let back = Arc::new(Back::along(node, route)?);
            *self.back.lock() = back;
        }
        Ok(())
    }

    /// Sends a datagram to the target.
    pub(super) fn send(&self, datagram: &[u8]) -> Result<(), Loss> {
        let mut socket = self.socket.lock();
        let (early, most) = match &mut *socket {
            FlowSocket::Open(socket) => return send(socket, datagram).map_err(Loss::Socket),
            FlowSocket::Opening(early, most) => (early, *most),
        };
        let bytes = early.iter().map(|datagram| datagram.len()).sum::<usize>();
        if early.len() == EARLY_DATAGRAMS || bytes + datagram.len() > most {
            return Err(Loss::TooEarly);
        }
        early.push(datagram.into());
        Ok(())
    }

    /// Opens the flow's socket, and sends what has come for it.
    pub(super) async fn socket(
        &self,
        node: &Node,
        target: &Target,
    ) -> Result<Arc<UdpSocket>, Loss> {
        let no_target = |error: io::Error| Loss::NoTarget(error.to_string());
        let addresses = match target {
            Target::Address(address) => vec![*address],
            Target::Name(name) => {
                let found = timeout(LOOKUP_TIMEOUT, node.network().resolve(name)).await;
                let found = found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                found.map_err(no_target)?
            }
        };
        let socket = Arc::new(connect(&addresses).map_err(no_target)?);
        let mut state = self.socket.lock();
        if let FlowSocket::Opening(early, _) = &*state {
            // What the system does not take is lost, as it is later.
            early.iter().for_each(|datagram| drop(send(&socket, datagram)));
        }
        *state = FlowSocket::Open(socket.clone());
        Ok(socket)
    }

    /// Sends what the target has answered back.
    pub(super) fn answer(&self, node: &Node, datagram: &[u8]) -> Result<(), Loss> {
        let back = self.back.lock().clone();
        self.sending.send(node, &back.first_hop, &back.route, datagram)
    }
}

/// A socket that is connected to the first of `addresses` that has a route.
fn connect(addresses: &[SocketAddr]) -> io::Result<UdpSocket> {
    let mut failure = io::ErrorKind::NotFound.into();
    for address in addresses {
        match connect_to(*address) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn connect_to(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
        SocketAddr::V6(_) => net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
    };
    enlarge_buffer(SockRef::from(&socket));
    socket.set_nonblocking(true)?;
    socket.connect(address)?;
    UdpSocket::from_std(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_addresses_or_names_with_ports() {
        for text in ["127.0.0.1:53", "[::1]:53"] {
            assert!(matches!(text.parse(), Ok(Target::Address(_))), "{text}");
        }
        for text in ["dns.internal:53", "[fe80::1%eth0]:53", "fe80::1%eth0:53"] {
            assert!(matches!(text.parse(), Ok(Target::Name(_))), "{text}");
        }
        for text in [
            "",
            "a b:53",
            "host:+53",
            "53",
            ":53",
            "host:",
            "host:0",
            "127.0.0.1:0",
            "udp://host:53",
            "::1:53",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
