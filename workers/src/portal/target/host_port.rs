//! A TCP server, as `host:port`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use ockam_actix_runtime::socket::host_port::{self, in_brackets, is_name};

use crate::portal::target::misspelt::Misspelt;

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
        match host_port::HostPort::parse(text) {
            Some(host_port::HostPort { host, port: port @ 1.. }) => {
                Ok(Self { host: Host::of(host)?, port })
            }
            _ => Err(mistake(text)),
        }
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
        if text.starts_with('[') {
            let address = in_brackets(text);
            return Self::of(address.ok_or(Misspelt::new("no IPv6 address is in the brackets"))?);
        }
        if text.contains('*') {
            return Err(Misspelt::new("* stands for a host, or for what is before a dot"));
        }
        if !is_name(text) {
            return Err(Misspelt::new("no host has such a name"));
        }
        Self::of(text)
    }

    /// One of the right form, without brackets.
    fn of(host: &str) -> Result<Self, Misspelt> {
        if let Ok(address) = host.parse() {
            return Ok(Self::Address(address));
        }
        if let Some((address, zone)) = host.split_once('%') {
            let address = address.parse::<Ipv6Addr>();
            // In the form that all addresses have.
            let shown = address.map_or(host.into(), |address| format!("{address}%{zone}"));
            return Ok(Self::Zoned(shown));
        }
        match ends_in_number(host) {
            true => Err(Misspelt::new("an IPv4 address has four numbers up to 255")),
            false => Ok(Self::Name(host.to_lowercase())),
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
    host_port::parse_port(text).filter(|port| *port > 0)
}

/// What is wrong with a text that has another form.
fn mistake(text: &str) -> Misspelt {
    let Some((host, port)) = text.rsplit_once(':') else {
        return without_port(text);
    };
    let is_address = text.ends_with(']') || text.parse::<Ipv6Addr>().is_ok();
    if is_address && !is_port_likely(text) {
        return without_port(text);
    }
    if host.is_empty() {
        return Misspelt::meant("the host is missing", format!("127.0.0.1{text}"));
    }
    let Some(port) = parse_port(port) else {
        return without_port_number(host, port);
    };
    if host.contains("://") {
        return Misspelt::new("it is a URL");
    }
    if host.contains(':') && !host.starts_with('[') {
        let meant = format!("[{host}]:{port}");
        return Misspelt::meant("an IPv6 address is written in brackets", meant);
    }
    Host::parse(host).err().unwrap_or(Misspelt::new("no host has such a name"))
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
