//! Addresses of nodes as people write them: `host:port`, or with a transport before it.

use std::{fmt, net::SocketAddr, str::FromStr};

use ockam::{Address, Error, TransportType, QUIC, TCP, UNIX, WS, WSS};
use ockam_actix_runtime::socket::host_port::HostPort;
use ockam_actix_transports::{peer, unix, ws};

/// The transports that a command knows, with the form of their addresses.
const TRANSPORTS: [(TransportType, Form); 5] = [
    (TCP, Form::HostPort),
    (QUIC, Form::HostPort),
    (UNIX, Form::Path),
    (WS, Form::Web { port: 80 }),
    (WSS, Form::Web { port: 443 }),
];

/// What follows `transport:` in an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `//host:port`
    HostPort,
    /// `/path`, or the same with `//` before it.
    Path,
    /// `//host:port/path`, where the path may be missing, and the port if it is this one.
    Web { port: u16 },
}

/// Where a node listens, or is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeAddress {
    pub(crate) transport: TransportType,
    /// What follows the `#` in a route.
    pub(crate) text: String,
}

impl Form {
    /// Checks what follows the `#` in a route.
    fn check(self, text: &str) -> Result<(), String> {
        let checked = match self {
            Self::HostPort => peer::parse(text).map(drop),
            Self::Web { .. } => ws::check_peer(text),
            Self::Path => unix::check_path(text),
        };
        checked.map_err(|error| error.one_line())
    }
}

impl NodeAddress {
    /// The address in routes of any of several nodes, in the order of preference.
    pub(crate) fn any_of(all: &[Self]) -> Address {
        let first = all.first().map_or(TCP, |first| first.transport);
        let each = all.iter().map(|Self { transport, text }| match *transport == first {
            // What names no transport has that of the first.
            true => text.clone(),
            false => format!("{}#{text}", transport.name()),
        });
        Address::from((first, each.collect::<Vec<_>>().join(",")))
    }

    /// The nodes of an address in routes, as an option takes them.
    pub(crate) fn all_in(address: &Address) -> String {
        let of = |one: Address| {
            let (transport, text) = one.dial_parts()?;
            let known = TRANSPORTS.iter().find(|(known, _)| known.name() == transport);
            known
                .map(|(transport, _)| Self { transport: *transport, text: text.into() }.to_string())
        };
        address.alternatives().filter_map(of).collect::<Vec<_>>().join(",")
    }

    /// Checks that `address`, which a route begins with, is of a node that can be connected to, or
    /// of several.
    ///
    /// # Errors
    /// If it is not; the error shows no secret.
    pub(crate) fn check_dialled(address: &Address) -> ockam::Result<()> {
        address.alternatives().try_for_each(|one| {
            let parts = one.dial_parts();
            let (transport, text) = parts.ok_or_else(|| {
                let shown = one.shown();
                Error::Usage(format!(
                    "the route begins with \"{shown}\", which is no node: expected tcp#HOST:PORT"
                ))
            })?;
            let known = TRANSPORTS.iter().find(|(known, _)| known.name() == transport);
            let checked = match known {
                Some((_, form)) => form.check(text),
                None => Err(unknown(transport, text)),
            };
            checked.map_err(|why| {
                Error::Usage(format!("the route begins with \"{}\": {why}", one.shown()))
            })
        })
    }

    /// Whether other machines may reach what is bound to it.
    pub(crate) fn is_for_others(&self) -> bool {
        let host = self.text.parse::<SocketAddr>().map(|address| address.ip().to_canonical());
        self.transport != UNIX && !host.is_ok_and(|ip| ip.is_loopback())
    }

    /// The text for what it was bound to: with the port that the system chose, and the same path.
    pub(crate) fn bound_to(&self, address: SocketAddr) -> String {
        let path = self.text.find('/').map_or("", |slash| &self.text[slash..]);
        format!("{address}{path}")
    }
}

/// As in the options of the commands.
impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transport, text } = self;
        match *transport {
            TCP => f.write_str(text),
            UNIX => write!(f, "unix:{text}"),
            _ => write!(f, "{}://{text}", transport.name()),
        }
    }
}

impl FromStr for NodeAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(space) = text.chars().find(|c| c.is_whitespace()) {
            let where_to = "several addresses have commas between them and no spaces";
            return Err(format!("there is a {space:?} in it: {where_to}"));
        }
        if let Some((transport, peer)) = text.split_once('#') {
            return Err(format!("that is how routes name a node: write {transport}://{peer} here"));
        }
        let parts = text.split_once("://").or_else(|| {
            // `unix:/path`; in `host:port`, what follows the colon is a number.
            let is_path = |scheme: &str| scheme == UNIX.name() && HostPort::parse(text).is_none();
            text.split_once(':').filter(|(scheme, rest)| rest.starts_with('/') || is_path(scheme))
        });
        let Some((scheme, rest)) = parts else {
            return Ok(Self { transport: TCP, text: host_and_port(text)? });
        };
        let known = TRANSPORTS.iter().find(|(transport, _)| transport.name() == scheme);
        let Some(&(transport, form)) = known else { return Err(unknown(scheme, rest)) };
        let text = match form {
            Form::HostPort => host_and_port(rest)?,
            Form::Path if rest.starts_with('/') => rest.to_owned(),
            Form::Path => return Err(format!("expected an absolute path: unix:/{rest}")),
            Form::Web { port } => web(rest, port)?,
        };
        form.check(&text)?;
        Ok(Self { transport, text })
    }
}

/// `host:port`, if it is that.
fn host_and_port(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    peer::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// `host:port/path`, with the port that was left out; a slash alone says nothing.
fn web(text: &str, port: u16) -> Result<String, String> {
    let (host, path) = text.find('/').map_or((text, ""), |slash| text.split_at(slash));
    let has_port = !host.ends_with(']') && host.contains(':');
    let host = if has_port { host.to_owned() } else { format!("{host}:{port}") };
    Ok(format!("{}{}", host_and_port(&host)?, if path == "/" { "" } else { path }))
}

fn unknown(scheme: &str, rest: &str) -> String {
    let known: Vec<_> = TRANSPORTS.iter().map(|(transport, _)| transport.name()).collect();
    let known = known.join(", ");
    match scheme {
        "http" | "https" => format!("{scheme}:// is for web pages: write {rest} for TCP"),
        _ => format!("there is no transport \"{scheme}\": expected host:port, or one of {known}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> NodeAddress {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn addresses_name_a_transport_or_are_tcp() {
        for (text, address, shown) in [
            ("127.0.0.1:4000", "tcp#127.0.0.1:4000", "127.0.0.1:4000"),
            ("[::1]:4000", "tcp#[::1]:4000", "[::1]:4000"),
            ("[fe80::1%eth0]:4000", "tcp#[fe80::1%eth0]:4000", "[fe80::1%eth0]:4000"),
            ("fe80::1%eth0:4000", "tcp#fe80::1%eth0:4000", "fe80::1%eth0:4000"),
            ("tcp://hub:4000", "tcp#hub:4000", "hub:4000"),
            ("tcp://hub:4000/", "tcp#hub:4000", "hub:4000"),
            ("quic://hub:4000", "quic#hub:4000", "quic://hub:4000"),
            ("ws://hub:8080/", "ws#hub:8080", "ws://hub:8080"),
            ("ws://[::1]/a/b", "ws#[::1]:80/a/b", "ws://[::1]:80/a/b"),
            ("wss://hub", "wss#hub:443", "wss://hub:443"),
            ("wss://hub:8443/node", "wss#hub:8443/node", "wss://hub:8443/node"),
            ("unix:/run/hub.sock", "unix#/run/hub.sock", "unix:/run/hub.sock"),
            ("unix:///run/hub.sock", "unix#/run/hub.sock", "unix:/run/hub.sock"),
        ] {
            let parsed = parsed(text);
            assert_eq!(
                NodeAddress::any_of(std::slice::from_ref(&parsed)).as_str(),
                address,
                "{text}"
            );
            assert_eq!(parsed.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn lists_name_what_differs_from_the_first() {
        let list = |all: &[&str]| {
            let all: Vec<_> = all.iter().map(|text| parsed(text)).collect();
            NodeAddress::any_of(&all).to_string()
        };
        assert_eq!(list(&["a:1"]), "tcp#a:1");
        assert_eq!(list(&["a:1", "b:2"]), "tcp#a:1,b:2");
        assert_eq!(list(&["unix:/a", "b:2", "unix:/c"]), "unix#/a,tcp#b:2,/c");
        let given = NodeAddress::all_in(&"quic#a:1,tcp#b:2,wss#c:3/p".into());
        assert_eq!(given, "quic://a:1,b:2,wss://c:3/p");
    }

    #[test]
    fn routes_begin_with_nodes_that_can_be_dialled() {
        let check = |text: &str| NodeAddress::check_dialled(&text.into());
        for right in ["tcp#a:1", "quic#a:1,tcp#b:2", "ws#a:1/path", "unix#/run/hub.sock"] {
            assert!(check(right).is_ok(), "{right}");
        }
        for (wrong, said) in [
            ("worker", "\"worker\", which is no node"),
            ("tpc#a:1", "no transport \"tpc\""),
            ("tcp#a:1,b", "b:4000"),
            ("ws#a/b", "host:port/path"),
            ("unix#hub.sock", "absolute"),
        ] {
            let error = check(wrong).unwrap_err().to_string();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }

    #[test]
    fn errors_show_the_form_that_was_meant() {
        for (text, said) in [
            ("localhost", "localhost:4000"),
            (":4000", "127.0.0.1:4000"),
            ("::1", "[::1]:4000"),
            ("udp:127.0.0.1:53", "did you mean 127.0.0.1:53"),
            ("a:1 b:2", "commas"),
            ("tcp#a:1", "tcp://a:1"),
            ("http://a:1", "write a:1"),
            ("tpc://a:1", "tcp, quic, unix, ws"),
            ("ws://", "host:port"),
            ("wss://:443/a", "host:port"),
            ("unix://run/hub.sock", "unix:/run/hub.sock"),
            ("unix:hub.sock", "unix:/hub.sock"),
            ("unix:/run/", "not the path of a Unix socket"),
            (&format!("unix:/{}", "x".repeat(120)), "too long"),
            ("ws://a:1/b<c", "host:port/path"),
        ] {
            let error = text.parse::<NodeAddress>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
