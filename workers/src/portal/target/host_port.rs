//! A TCP server, as `host:port`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::portal::target::misspelt::Misspelt;

/// The most bytes of a host's name, as in DNS.
const MAX_NAME: usize = 253;

/// A host and a port of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: Host,
    /// Not 0.
    pub(crate) port: u16,
}

/// A host, by one of its addresses or by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Address(IpAddr),
    /// An address of a link, with the interface to it: `fe80::1%eth0`.
    Zoned(String),
    /// In small letters, and never one that a resolver takes for a number, such as `127.1`.
    Name(String),
}

impl HostPort {
    /// # Errors
    /// If it is not `host:port`.
    pub(crate) fn parse(text: &str) -> Result<Self, Misspelt> {
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(without_port(text));
        };
        let is_address = text.ends_with(']') || text.parse::<Ipv6Addr>().is_ok();
        if is_address && !is_port_likely(text) {
            return Err(without_port(text));
        }
        if host.is_empty() {
            return Err(Misspelt::meant("the host is missing", format!("127.0.0.1{text}")));
        }
        let port = parse_port(port).ok_or_else(|| without_port_number(host, port))?;
        if host.contains("://") {
            return Err(Misspelt::new("it is a URL"));
        }
        if host.contains(':') && !host.starts_with('[') {
            let meant = format!("[{host}]:{port}");
            return Err(Misspelt::meant("an IPv6 address is written in brackets", meant));
        }
        Ok(Self { host: Host::parse(host)?, port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{port}"),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}:{port}"),
            Host::Zoned(address) => write!(f, "[{address}]:{port}"),
            Host::Name(name) => write!(f, "{name}:{port}"),
        }
    }
}

impl Host {
    /// Parses a host; an IPv6 address has brackets.
    ///
    /// # Errors
    /// If it is neither an address nor a name.
    pub(crate) fn parse(text: &str) -> Result<Self, Misspelt> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').unwrap_or_default();
            return in_brackets(inner).ok_or(Misspelt::new("no IPv6 address is in the brackets"));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.contains('*') {
            return Err(Misspelt::new("* stands for a host, or for what is before a dot"));
        }
        if text.is_empty() || text.len() > MAX_NAME || !text.chars().all(fits) {
            return Err(Misspelt::new("no host has such a name"));
        }
        if ends_in_number(text) {
            return Err(Misspelt::new("an IPv4 address has four numbers up to 255"));
        }
        Ok(Self::Name(text.to_lowercase()))
    }
}

fn in_brackets(text: &str) -> Option<Host> {
    match text.split_once('%') {
        None => text.parse::<Ipv6Addr>().ok().map(|address| Host::Address(address.into())),
        Some((address, zone)) => {
            let is_zone = !zone.is_empty()
                && zone.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            let address: Ipv6Addr = address.parse().ok().filter(|_| is_zone)?;
            Some(Host::Zoned(format!("{address}%{zone}")))
        }
    }
}

/// Whether resolvers take the name for an address, as they do with `127.1` and `0x7f000001`.
fn ends_in_number(name: &str) -> bool {
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_hex = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    let is_hex = is_hex.is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
    is_hex || last.chars().all(|c| c.is_ascii_digit())
}

fn parse_port(text: &str) -> Option<u16> {
    let is_number = text.chars().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0)
}

/// Whether what looks like an IPv6 address more likely is one with a port, as `::1:5000`.
fn is_port_likely(text: &str) -> bool {
    let host = text.rsplit_once(':').map_or("", |(host, _)| host);
    text.rsplit(':').next().is_some_and(|last| parse_port(last).is_some_and(|port| port > 999))
        && host.parse::<Ipv6Addr>().is_ok()
}

fn without_port(text: &str) -> Misspelt {
    const WHY: &str = "the port is missing";
    match (parse_port(text), text.parse::<Ipv6Addr>()) {
        (Some(port), _) => Misspelt::meant("the host is missing", format!("127.0.0.1:{port}")),
        (None, Ok(address)) => Misspelt::meant(WHY, format!("[{address}]:5000")),
        (None, Err(_)) => Misspelt::meant(WHY, format!("{text}:5000")),
    }
}

fn without_port_number(host: &str, port: &str) -> Misspelt {
    const WHY: &str = "a port is a number between 1 and 65535";
    let number = port.split(['/', '?', '#']).next().unwrap_or_default();
    Misspelt::meant(WHY, format!("{host}:{number}"))
}
