//! Hosts and ports as people write them: `host:port`. Every such text of the system is taken apart
//! here; what a mistake is told as depends on what the text was to be.

use std::net::{IpAddr, Ipv6Addr};

/// The most bytes of a host's name, as in DNS.
const MAX_NAME: usize = 253;

/// The two parts of `host:port`.
///
/// ```
/// use ockam_actix_runtime::socket::host_port::HostPort;
///
/// let server = HostPort::parse("[fe80::1%eth0]:80").expect("it has a host and a port");
/// assert_eq!((server.host, server.port), ("fe80::1%eth0", 80));
/// assert_eq!(HostPort::parse("http://example.org"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort<'a> {
    /// A name or an address, without the brackets around one of IPv6. That may have a zone, as in
    /// `fe80::1%eth0`.
    pub host: &'a str,
    /// The port.
    pub port: u16,
}

impl<'a> HostPort<'a> {
    /// Takes `host:port` apart, without resolving the host. An address of IPv6 is in brackets, or
    /// else has a zone, so that its end is clear. None if the text has another form.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let is_unbracketed = |host: &&str| is_name(host) || (host.contains('%') && is_ipv6(host));
        let host = match host.starts_with('[') {
            true => in_brackets(host),
            false => Some(host).filter(is_unbracketed),
        }?;
        Some(Self { host, port: parse_port(port)? })
    }

    /// The host, if it is an address and no name; without its zone.
    pub fn ip(&self) -> Option<IpAddr> {
        let address = self.host.split_once('%').map_or(self.host, |(address, _)| address);
        address.parse().ok()
    }

    /// Whether only this machine, or one on the same link, can mean the host by this: `localhost`,
    /// and addresses of the loopback interface, of a link, or of none.
    pub fn is_local(&self) -> bool {
        match self.ip().map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
            Some(IpAddr::V6(ip)) => {
                ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified()
            }
            None => is_within(self.host, "localhost"),
        }
    }
}

/// The address of IPv6 in `[::1]`, which may have a zone.
pub fn in_brackets(host: &str) -> Option<&str> {
    let inside = host.strip_prefix('[')?.strip_suffix(']')?;
    is_ipv6(inside).then_some(inside)
}

/// A port, in digits alone.
pub fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a name is `domain`, or one below it.
pub fn is_within(name: &str, domain: &str) -> bool {
    let name = name.trim_end_matches('.');
    let Some(before) = name.len().checked_sub(domain.len()) else { return false };
    // Names in other scripts may be cut within a letter: they are others.
    let same = name.get(before..).is_some_and(|end| end.eq_ignore_ascii_case(domain));
    same && (before == 0 || name.as_bytes()[before - 1] == b'.')
}

/// Whether it may be the name of a host, or an address of IPv4.
pub fn is_name(host: &str) -> bool {
    let fits = |sign: char| sign.is_alphanumeric() || "-._".contains(sign);
    !host.is_empty() && host.len() <= MAX_NAME && host.chars().all(fits)
}

/// Whether it is an address of IPv6, which may have a zone.
fn is_ipv6(host: &str) -> bool {
    let (address, zone) = host.split_once('%').unwrap_or((host, "zone"));
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty() && zone.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_taken_apart() {
        for (text, host, port) in [
            ("127.0.0.1:4000", "127.0.0.1", 4000),
            ("[::1]:4000", "::1", 4000),
            ("[fe80::1%eth0]:4000", "fe80::1%eth0", 4000),
            ("fe80::1%eth0:4000", "fe80::1%eth0", 4000),
            ("[fe80::1%2]:4000", "fe80::1%2", 4000),
            ("example.org:1", "example.org", 1),
            ("bücher.example:0", "bücher.example", 0),
            ("my_host:65535", "my_host", 65535),
        ] {
            assert_eq!(HostPort::parse(text), Some(HostPort { host, port }), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let long = format!("{}:80", "x".repeat(254));
        for text in [
            "",
            ":",
            ":80",
            "80",
            "example.org",
            "example.org:",
            "example.org:http",
            "a:+80",
            "a:70000",
            "::1",
            "::1:4000",
            "[::1]",
            "[::1:80",
            "[example.org]:80",
            "[127.0.0.1]:80",
            "[fe80::1%]:80",
            "fe80::1%:80",
            "[fe80::1%a b]:80",
            "exa mple.org:80",
            "*:80",
            "user@host:80",
            "http://a:80",
            "a:1\r\nHost: b:1",
            &long,
        ] {
            assert_eq!(HostPort::parse(text), None, "{text}");
        }
    }

    #[test]
    fn local_hosts_are_recognised() {
        for (text, local) in [
            ("localhost:1", true),
            ("LocalHost.:1", true),
            ("db.localhost:1", true),
            ("notlocalhost:1", false),
            ("localhost.example.org:1", false),
            ("127.0.0.2:1", true),
            ("0.0.0.0:1", true),
            ("169.254.1.1:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("[fe80::1%eth0]:1", true),
            ("10.0.0.1:1", false),
            ("[2001:db8::1]:1", false),
        ] {
            assert_eq!(HostPort::parse(text).unwrap().is_local(), local, "{text}");
        }
    }
}
