//! What an inlet tells of a client in `Open`: where it comes from, and which server it names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rmp::decode::{read_bin_len, read_str_len};

use crate::portal::limits::MAX_TARGET;

/// What `Open` tells of a client, as the elements that it adds there: the [`ClientAddresses`], and
/// the server that the client names. Mostly there is one, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Introduction<'a>(&'a [u8]);

/// The elements of an introduction, or the name of one that is malformed.
type Elements<'a> = Result<(&'a [u8], &'a str), &'static str>;

impl<'a> Introduction<'a> {
    /// That of these elements, which
    /// [`encode_introduction`](crate::portal::protocol::message::encode_introduction) has written.
    pub const fn of(encoded: &'a [u8]) -> Self {
        Self(encoded)
    }

    /// Takes so many elements off `rest`, at most 2.
    ///
    /// # Errors
    /// The name of one that is malformed.
    pub(crate) fn read(rest: &mut &'a [u8], elements: u32) -> Result<Self, &'static str> {
        let before = *rest;
        read_elements(rest, elements)?;
        Ok(Self(&before[..before.len() - rest.len()]))
    }

    /// The elements.
    pub(crate) const fn encoded(&self) -> &'a [u8] {
        self.0
    }

    /// How many elements it adds to `Open`.
    pub(crate) fn elements(&self) -> u32 {
        let mut rest = self.0;
        match read_elements(&mut rest, 1) {
            _ if self.0.is_empty() => 0,
            Ok(_) if rest.is_empty() => 1,
            _ => 2,
        }
    }

    /// Where the client comes from, if the inlet says so.
    pub fn client(&self) -> Option<ClientAddresses> {
        ClientAddresses::from_bytes(read_elements(&mut { self.0 }, self.elements()).ok()?.0)
    }

    /// The server that the client names, as `host:port`; empty if it names none.
    pub fn target(&self) -> &'a str {
        read_elements(&mut { self.0 }, self.elements()).map_or("", |(_, target)| target)
    }
}

fn read_elements<'a>(rest: &mut &'a [u8], elements: u32) -> Elements<'a> {
    const CLIENT: &str = "the client's addresses";
    const TARGET: &str = "the target";
    let (mut client, mut target) = (&[][..], "");
    if elements > 0 {
        let len = read_bin_len(rest).map_err(|_| CLIENT)?;
        client = take(rest, len, ClientAddresses::V6).ok_or(CLIENT)?;
        if !client.is_empty() && ClientAddresses::from_bytes(client).is_none() {
            return Err(CLIENT);
        }
    }
    if elements > 1 {
        let len = read_str_len(rest).map_err(|_| TARGET)?;
        let text = take(rest, len, MAX_TARGET).ok_or(TARGET)?;
        target = std::str::from_utf8(text).map_err(|_| TARGET)?;
    }
    Ok((client, target))
}

fn take<'a>(rest: &mut &'a [u8], len: u32, most: usize) -> Option<&'a [u8]> {
    let len = usize::try_from(len).ok().filter(|len| *len <= most)?;
    let (taken, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(taken)
}

/// The two ends of a client's connection to an inlet, in one family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddresses {
    /// The client's.
    pub client: SocketAddr,
    /// The one that it connected to.
    pub server: SocketAddr,
}

impl ClientAddresses {
    /// Bytes of two IPv4 addresses and ports.
    const V4: usize = 12;
    /// Bytes of two IPv6 addresses and ports.
    const V6: usize = 36;

    /// The client's address and port, and then those that it connected to, in network order.
    pub fn to_bytes(self) -> Vec<u8> {
        let ends = [self.client, self.server];
        let addresses = ends.map(|end| end.ip().to_canonical());
        let are_v4 = addresses.iter().all(IpAddr::is_ipv4);
        let mut bytes = Vec::with_capacity(Self::V6);
        for (address, end) in addresses.into_iter().zip(ends) {
            match address {
                IpAddr::V4(address) if are_v4 => bytes.extend(address.octets()),
                IpAddr::V4(address) => bytes.extend(address.to_ipv6_mapped().octets()),
                IpAddr::V6(address) => bytes.extend(address.octets()),
            }
            bytes.extend(end.port().to_be_bytes());
        }
        bytes
    }

    /// The addresses that these bytes stand for.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (client, server) = bytes.split_at(bytes.len() / 2);
        match bytes.len() {
            Self::V4 => Some(Self {
                client: end::<4, Ipv4Addr>(client)?,
                server: end::<4, Ipv4Addr>(server)?,
            }),
            Self::V6 => Some(Self {
                client: end::<16, Ipv6Addr>(client)?,
                server: end::<16, Ipv6Addr>(server)?,
            }),
            _ => None,
        }
    }
}

/// An address of `N` bytes and a port.
fn end<const N: usize, A: From<[u8; N]> + Into<IpAddr>>(bytes: &[u8]) -> Option<SocketAddr> {
    let (address, port) = bytes.split_first_chunk::<N>()?;
    let port = u16::from_be_bytes(port.try_into().ok()?);
    Some(SocketAddr::new(A::from(*address).into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_in_one_family() {
        for (client, server, length) in [
            ("192.0.2.1:50000", "198.51.100.2:80", 12),
            ("[2001:db8::1]:50000", "[2001:db8::2]:80", 36),
        ] {
            let addresses = ClientAddresses {
                client: client.parse().unwrap(),
                server: server.parse().unwrap(),
            };
            let bytes = addresses.to_bytes();
            assert_eq!(bytes.len(), length);
            assert_eq!(ClientAddresses::from_bytes(&bytes), Some(addresses));
            assert_eq!(ClientAddresses::from_bytes(&bytes[1..]), None);
        }
        assert_eq!(ClientAddresses::from_bytes(&[]), None);
    }

    #[test]
    fn ipv4_inside_ipv6_is_ipv4_unless_mixed() {
        let bytes = |client: &str, server: &str| {
            let (client, server) = (client.parse().unwrap(), server.parse().unwrap());
            ClientAddresses { client, server }.to_bytes()
        };
        let plain = bytes("192.0.2.1:1", "192.0.2.2:2");
        assert_eq!(plain, [192, 0, 2, 1, 0, 1, 192, 0, 2, 2, 0, 2]);
        assert_eq!(bytes("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:2"), plain);
        let mixed = bytes("192.0.2.1:1", "[2001:db8::2]:2");
        let client = ClientAddresses::from_bytes(&mixed).unwrap().client;
        assert_eq!(client.to_string(), "[::ffff:192.0.2.1]:1");
    }
}
