//! Which servers the clients of an outlet may name.
//!
//! An outlet has one target, or a list of patterns with commas between them:
//!
//! | pattern | what a client may name |
//! |---|---|
//! | `db.internal:5432` | this name, with this port |
//! | `*.web.internal:443` | every name that ends so, but not `web.internal` itself |
//! | `10.1.0.0/16:*`, `[fd00::/8]:22` | every address of the network, here with any port |
//! | `*:443` | every name and every address |
//!
//! Patterns are about hosts as they are named: a literal address matches only patterns for
//! addresses, and the address that a name resolves to does not matter.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use ockam_actix_runtime::{Error, Result};

use crate::portal::target::{
    host_port::{Host, HostPort},
    misspelt::Misspelt,
    Target,
};

/// What the streams of an outlet may connect to.
#[derive(Clone, Debug)]
pub(crate) enum Permitted {
    /// One target, which clients need not name.
    Only(Arc<Target>),
    /// What clients name, if it matches one of these.
    Listed(Arc<[Pattern]>),
}

/// Servers that clients may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    hosts: Hosts,
    /// Any, if there is none.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    Any,
    One(Host),
    /// Names that end in this, with its dot.
    Below(String),
    Network(IpAddr, u32),
}

impl Permitted {
    /// Whether clients name what they connect to.
    pub(crate) const fn is_list(&self) -> bool {
        matches!(self, Self::Listed(_))
    }

    /// The server of a client that names `name`, or none; `None` if it may not be connected to.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Target>> {
        match self {
            Self::Only(target) if name.is_empty() => Some(target.clone()),
            Self::Only(target) => {
                let named = HostPort::parse(name).ok()?;
                let Target::Tcp(server) = &**target else { return None };
                let is_same = server.port == named.port && is_same(&server.host, &named.host);
                is_same.then(|| target.clone())
            }
            Self::Listed(patterns) => {
                let named = HostPort::parse(name).ok()?;
                let permits = patterns.iter().any(|pattern| pattern.matches(&named));
                permits.then(|| Arc::new(Target::Tcp(named)))
            }
        }
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, Misspelt> {
        if text.starts_with("unix:") {
            return Err(Misspelt::new("a client cannot name a Unix socket"));
        }
        let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
        let any_port = port == "*";
        let hosts = match host.strip_prefix('*') {
            Some("") => Hosts::Any,
            Some(suffix) => match suffix.strip_prefix('.').map(Host::parse) {
                Some(Ok(Host::Name(name))) => Hosts::Below(format!(".{}", without_dot(&name))),
                _ => return Err(Misspelt::new("* stands for a host, or for what is before a dot")),
            },
            None if begins_as_network(host) => network(host)?,
            None if any_port => Hosts::One(Host::parse(host)?),
            None => Hosts::One(HostPort::parse(text)?.host),
        };
        // The port of any host is checked as that of a real one.
        let port = match any_port {
            true => None,
            false => Some(HostPort::parse(&format!("host:{port}"))?.port),
        };
        Ok(Self { hosts, port })
    }

    fn matches(&self, named: &HostPort) -> bool {
        self.port.is_none_or(|port| port == named.port)
            && match (&self.hosts, &named.host) {
                (Hosts::Any, _) => true,
                (Hosts::One(host), named) => is_same(host, named),
                (Hosts::Below(suffix), Host::Name(name)) => {
                    let name = without_dot(name);
                    name.len() > suffix.len() && name.ends_with(suffix.as_str())
                }
                (Hosts::Network(network, bits), Host::Address(address)) => {
                    is_in(address.to_canonical(), *network, *bits)
                }
                _ => false,
            }
    }
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn is_same(one: &Host, other: &Host) -> bool {
    match (one, other) {
        (Host::Name(one), Host::Name(other)) => without_dot(one) == without_dot(other),
        (Host::Address(one), Host::Address(other)) => one.to_canonical() == other.to_canonical(),
        _ => one == other,
    }
}

/// `10.0.0.0/8`, or `[fd00::/8]`.
fn network(text: &str) -> Result<Hosts, Misspelt> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let parsed = inner.unwrap_or(text).split_once('/').and_then(|(address, bits)| {
        let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?);
        Some((address, bits)).filter(|_| address.is_ipv6() == inner.is_some())
    });
    let longest = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
    match parsed.filter(|(address, bits)| *bits <= longest(*address)) {
        Some((address, bits)) => Ok(Hosts::Network(address, bits)),
        None => Err(Misspelt::new("a network is written as 10.0.0.0/8 or [fd00::/8]")),
    }
}

fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differs = address.to_bits() ^ network.to_bits();
            differs.checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differs = address.to_bits() ^ network.to_bits();
            differs.checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

impl FromStr for Permitted {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if !text.contains([',', '*']) && !begins_as_network(text) {
            return Ok(Self::Only(Arc::new(text.parse()?)));
        }
        if text.contains(char::is_whitespace) {
            let meant: String = text.split_whitespace().collect();
            let misspelt = Misspelt::meant("it has spaces", meant);
            return Err(misspelt.error((text, "a list of targets"), |meant| parse(meant).is_ok()));
        }
        parse(text).map(|patterns| Self::Listed(patterns.into()))
    }
}

/// Whether what has a slash begins as a network, and not as a URL or a path.
fn begins_as_network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').unwrap_or_default();
    let address = address.strip_prefix('[').unwrap_or(address);
    address.parse::<IpAddr>().is_ok() && bits.starts_with(|c: char| c.is_ascii_digit())
}

fn parse(text: &str) -> Result<Vec<Pattern>> {
    let one = |text: &str| {
        let is_right = |meant: &str| Pattern::parse(meant).is_ok();
        let what = "a pattern for targets";
        Pattern::parse(text).map_err(|misspelt| misspelt.error((text, what), is_right))
    };
    text.split(',').map(one).collect()
}

impl fmt::Display for Permitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only(target) => target.fmt(f),
            Self::Listed(patterns) => {
                write!(f, "that its clients name ({} patterns)", patterns.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(text: &str) -> Permitted {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn clients_reach_what_the_patterns_permit() {
        let all = permitted(
            "db.internal:5432,*.Web.internal:443,10.1.0.0/16:*,[fd00::/8]:22,192.0.2.1:80,\
             [2001:db8::1]:80",
        );
        for (named, expected) in [
            ("db.internal:5432", true),
            ("DB.internal.:5432", true),
            ("db.internal:5433", false),
            ("xdb.internal:5432", false),
            ("a.web.internal:443", true),
            ("a.b.WEB.internal.:443", true),
            ("web.internal:443", false),
            (".web.internal:443", false),
            ("awebxinternal:443", false),
            ("a.web.internal:80", false),
            ("a.web.internal.example:443", false),
            ("10.1.255.255:1", true),
            ("10.2.0.0:1", false),
            ("[::ffff:10.1.0.1]:1", true),
            ("[fdff::1]:22", true),
            ("[fe00::1]:22", false),
            ("[fd00::1%eth0]:22", false),
            ("192.0.2.1:80", true),
            ("192.0.2.2:80", false),
            ("[2001:db8:0:0::1]:80", true),
            ("10.1.1:1", false),
            ("unix:/run/db.sock", false),
            ("db.internal", false),
            ("", false),
        ] {
            assert_eq!(all.named(named).is_some(), expected, "{named}");
        }
        let https = permitted("*:443");
        for (named, expected) in
            [("a:443", true), ("10.0.0.1:443", true), ("[fe80::1%eth0]:443", true), ("a:80", false)]
        {
            assert_eq!(https.named(named).is_some(), expected, "{named}");
        }
        assert!(permitted("*:*").named("anything.example:1").is_some());
        assert!(permitted("0.0.0.0/0:*").named("203.0.113.9:1").is_some());
        assert!(permitted("0.0.0.0/0:*").named("[::1]:1").is_none());
        assert!(permitted("[::/0]:*").named("[::1]:1").is_some());
        assert!(permitted("10.0.0.7/32:*").named("10.0.0.7:1").is_some());
    }

    #[test]
    fn an_only_target_may_be_named_exactly() {
        let only = permitted("db.internal:5432");
        for (named, expected) in [
            ("", true),
            ("db.internal:5432", true),
            ("DB.INTERNAL:5432", true),
            ("db.internal:1", false),
            ("other:5432", false),
        ] {
            assert_eq!(only.named(named).is_some(), expected, "{named}");
        }
        let unix = permitted("unix:/run/db.sock");
        assert!(unix.named("").is_some());
        assert!(unix.named("unix:/run/db.sock").is_none());
    }

    #[test]
    fn errors_show_the_form_of_a_pattern() {
        for (text, why) in [
            ("a:1,b", "the port is missing; did you mean b:5000?"),
            ("a:1, b:2", "it has spaces; did you mean a:1,b:2?"),
            ("a:1,", "the port is missing"),
            ("a:1,http://b:2", "it is a URL"),
            ("a:1,unix:/run/s", "cannot name a Unix socket"),
            ("a*:1", "* stands for"),
            ("a.*.b:1", "* stands for"),
            ("*", "between 1 and 65535"),
            ("*:0", "between 1 and 65535"),
            ("10.0.0.0/33:1", "10.0.0.0/8 or [fd00::/8]"),
            ("fd00::/8:1", "10.0.0.0/8 or [fd00::/8]"),
            ("[10.0.0.0/8]:1", "10.0.0.0/8 or [fd00::/8]"),
            ("http://a:1", "is not a target: a target is no URL; did you mean a:1?"),
            ("/run/db.sock", "did you mean unix:/run/db.sock?"),
            ("a:5000/path", "did you mean a:5000?"),
        ] {
            let error = text.parse::<Permitted>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
