//! The socket of an inlet, which answers each client from the address that it sent to.
//!
//! Left alone, the system answers from the address of its route to the client. On a host with
//! several addresses that may be another one, from which no client takes answers. So a socket that
//! is bound to an unspecified address has the system tell where each datagram went (`IP_PKTINFO`),
//! and answers from there.
//!
//! The socket options and messages for that are those of nix. quinn-udp has them too, but keeps
//! datagrams from being cut into fragments, and people send such that are larger than a packet.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket},
    os::fd::AsRawFd,
};

use libc::{in6_addr, in6_pktinfo, in_addr, in_pktinfo};
use nix::{
    cmsg_space,
    sys::socket::{
        recvmsg, sendmsg, setsockopt,
        sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo},
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage,
    },
};
use tokio::{io::Interest, net::UdpSocket as AsyncSocket};

/// Who has sent a datagram, and to which address of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    /// None where the socket has one address only.
    sent_to: Option<IpAddr>,
}

pub(crate) struct InletSocket {
    socket: UdpSocket,
    has_many_addresses: bool,
}

impl InletSocket {
    /// # Errors
    /// If the system does not tell where datagrams are sent to.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let has_many_addresses = address.ip().is_unspecified();
        match address {
            _ if !has_many_addresses => {}
            SocketAddr::V4(_) => setsockopt(&socket, Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, Ipv6RecvPacketInfo, &true)?,
        }
        Ok(Self { socket, has_many_addresses })
    }

    /// Another descriptor of the same socket, to read from.
    pub(crate) fn reading(&self) -> io::Result<AsyncSocket> {
        self.socket.try_clone().and_then(AsyncSocket::from_std)
    }

    /// Reads a datagram from what [`reading`](Self::reading) has returned.
    pub(crate) fn try_receive(
        &self,
        socket: &AsyncSocket,
        buffer: &mut [u8],
    ) -> io::Result<(usize, Client)> {
        if self.has_many_addresses {
            return socket.try_io(Interest::READABLE, || receive(socket, buffer));
        }
        let (length, address) = socket.try_recv_from(buffer)?;
        Ok((length, Client { address, sent_to: None }))
    }

    /// Sends an answer to a client.
    pub(crate) fn answer(&self, datagram: &[u8], client: Client) -> io::Result<usize> {
        let send = |from: ControlMessage<'_>| {
            let (socket, to) = (self.socket.as_raw_fd(), SockaddrStorage::from(client.address));
            let parts = [IoSlice::new(datagram)];
            Ok(sendmsg(socket, &parts, &[from], MsgFlags::empty(), Some(&to))?)
        };
        match client.sent_to {
            None => self.socket.send_to(datagram, client.address),
            Some(IpAddr::V4(ip)) => send(ControlMessage::Ipv4PacketInfo(&in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
                ipi_addr: in_addr { s_addr: 0 },
            })),
            Some(IpAddr::V6(ip)) => send(ControlMessage::Ipv6PacketInfo(&in6_pktinfo {
                ipi6_addr: in6_addr { s6_addr: ip.octets() },
                ipi6_ifindex: 0,
            })),
        }
    }
}

fn receive(socket: &AsyncSocket, buffer: &mut [u8]) -> io::Result<(usize, Client)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let mut control = cmsg_space!(in6_pktinfo, in_pktinfo);
    let fd = socket.as_raw_fd();
    let received =
        recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut control), MsgFlags::empty())?;
    let sent_to = received.cmsgs()?.find_map(|message| match message {
        // Of a broadcast, the address that this host has there.
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::V4(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes())))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)))
        }
        _ => None,
    });
    let address = received.address.and_then(|from| {
        let four = from.as_sockaddr_in().map(|from| SocketAddrV4::from(*from).into());
        four.or_else(|| from.as_sockaddr_in6().map(|from| SocketAddrV6::from(*from).into()))
    });
    let address = address.ok_or(io::ErrorKind::InvalidData)?;
    // Nothing can be sent from the address of a group.
    let sent_to = sent_to.filter(|ip| !ip.is_multicast());
    Ok((received.bytes, Client { address, sent_to }))
}
