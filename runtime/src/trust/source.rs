//! The source that an accepted connection is counted against: its remote IP address, not the
//! connection, as a stranger can open any number of connections.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// The remote end of an accepted connection, for caps and rates: an IPv4 address, or the /64 that
/// an IPv6 address belongs to, since one customer gets at least that much.
///
/// Only a transport makes one, from its socket; nothing that a message says goes into it.
///
/// ```
/// use ockam_actix_runtime::trust::source::SourceAddress;
/// let one = SourceAddress::of("2001:db8::1".parse()?);
/// assert_eq!(one, SourceAddress::of("2001:db8::ffff:1".parse()?));
/// assert_ne!(one, SourceAddress::of("2001:db8:0:1::1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceAddress(IpAddr);

impl SourceAddress {
    /// The source that a peer at `address` counts against.
    pub fn of(address: IpAddr) -> Self {
        // A listener for both versions sees IPv4 addresses inside IPv6 ones, all of one /64.
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        })
    }
}

impl fmt::Display for SourceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> SourceAddress {
        SourceAddress::of(text.parse().unwrap())
    }

    #[test]
    fn ipv4_addresses_count_alone_however_they_are_written() {
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_eq!(of("::ffff:192.0.2.1").to_string(), "192.0.2.1");
    }

    #[test]
    fn all_of_an_ipv6_64_are_one_source() {
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
    }
}
