//! Peers as people write them: `host:port`.

use std::net::{IpAddr, Ipv6Addr};

use ockam_actix_runtime::{Error, Result};

/// The two parts of `host:port`.
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
    /// else has a zone, so that its end is clear.
    ///
    /// # Errors
    /// If the text has another form; it says which one was probably meant.
    pub fn parse(peer: &'a str) -> Result<Self> {
        parse(peer).ok_or_else(|| {
            let hint = match meant(peer) {
                Some(meant) => format!("did you mean {meant}?"),
                None => "such as 127.0.0.1:4000, [::1]:4000 or example.org:4000".into(),
            };
            Error::Usage(format!("\"{peer}\" is not a TCP address: expected host:port; {hint}"))
        })
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

fn parse(peer: &str) -> Option<HostPort<'_>> {
    let (host, port) = peer.rsplit_once(':')?;
    let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => Some(inside).filter(|inside| is_ipv6(inside)),
        None => Some(host).filter(|host| is_name(host) || (host.contains('%') && is_ipv6(host))),
    }?;
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    Some(HostPort { host, port: port.parse().ok().filter(|_| is_number)? })
}

/// The peer that was probably meant by a text that is none.
fn meant(text: &str) -> Option<String> {
    let text = text.trim();
    let (before, last) = text.rsplit_once(':').unwrap_or(("", text));
    let in_brackets = format!("[{text}]:4000");
    // `2001:db8::1:4000` is an address as well, and more likely one with a port.
    let has_port = last.len() >= 4 && before.parse::<Ipv6Addr>().is_ok();
    let candidates = [
        text.to_owned(),
        if has_port { format!("[{before}]:{last}") } else { in_brackets },
        format!("127.0.0.1{text}"),
        format!("127.0.0.1:{text}"),
        format!("{text}:4000"),
    ];
    candidates.into_iter().chain(meant_by_url(text)).find(|candidate| parse(candidate).is_some())
}

/// The host and the port in `http://example.org/`, and in what is nearly such a text, such as
/// `tcp:example.org:4000`.
fn meant_by_url(text: &str) -> Vec<String> {
    let Some((scheme, rest)) = text.split_once(':') else { return Vec::new() };
    let rest = rest.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !is_scheme || host.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let port = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        _ => 4000,
    };
    vec![host.to_owned(), format!("{host}:{port}")]
}

/// Whether a name is `domain`, or one below it.
pub(crate) fn is_within(name: &str, domain: &str) -> bool {
    let name = name.trim_end_matches('.');
    let Some(before) = name.len().checked_sub(domain.len()) else { return false };
    // Names in other scripts may be cut within a letter: they are others.
    let same = name.get(before..).is_some_and(|end| end.eq_ignore_ascii_case(domain));
    same && (before == 0 || name.as_bytes()[before - 1] == b'.')
}

/// Whether it may be the name of a host, or an address of IPv4.
pub(crate) fn is_name(host: &str) -> bool {
    !host.is_empty() && host.chars().all(|sign| sign.is_alphanumeric() || "-._".contains(sign))
}

/// Whether it is an address of IPv6, which may have a zone.
fn is_ipv6(host: &str) -> bool {
    let (address, zone) = host.split_once('%').unwrap_or((host, "zone"));
    let zone = !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_graphic());
    address.parse::<Ipv6Addr>().is_ok() && zone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_taken_apart() {
        for (peer, host, port) in [
            ("127.0.0.1:4000", "127.0.0.1", 4000),
            ("[::1]:4000", "::1", 4000),
            ("[fe80::1%eth0]:4000", "fe80::1%eth0", 4000),
            ("fe80::1%eth0:4000", "fe80::1%eth0", 4000),
            ("[fe80::1%2]:4000", "fe80::1%2", 4000),
            ("example.org:1", "example.org", 1),
            ("my_host:65535", "my_host", 65535),
        ] {
            assert_eq!(HostPort::parse(peer).unwrap(), HostPort { host, port }, "{peer}");
        }
    }

    #[test]
    fn errors_say_what_was_probably_meant() {
        for (peer, hint) in [
            ("http://example.org", "did you mean example.org:80?"),
            ("https://user@example.org/path?query", "did you mean example.org:443?"),
            ("https://example.org:8443/", "did you mean example.org:8443?"),
            ("tcp://example.org:4000", "did you mean example.org:4000?"),
            ("tpc:/example.org:4000", "did you mean example.org:4000?"),
            ("udp:127.0.0.1:53", "did you mean 127.0.0.1:53?"),
            ("tcp://[::1]:4000", "did you mean [::1]:4000?"),
            (" example.org:4000", "did you mean example.org:4000?"),
            ("example.org: 4000", "such as 127.0.0.1"),
            ("example.org", "did you mean example.org:4000?"),
            ("4000", "did you mean 127.0.0.1:4000?"),
            (":4000", "did you mean 127.0.0.1:4000?"),
            ("::1", "did you mean [::1]:4000?"),
            ("fe80::1%eth0", "did you mean [fe80::1%eth0]:4000?"),
            ("2001:db8::1:4000", "did you mean [2001:db8::1]:4000?"),
            ("[::1]", "did you mean [::1]:4000?"),
            ("::1%", "such as 127.0.0.1"),
            ("host:70000", "such as 127.0.0.1"),
            ("example.org:70000", "such as 127.0.0.1"),
            ("example.org:+80", "such as 127.0.0.1"),
            ("exa mple.org:80", "such as 127.0.0.1"),
            ("[example.org]:80", "such as 127.0.0.1"),
            ("a:1\r\nHost: b:1", "such as 127.0.0.1"),
            ("", "such as 127.0.0.1"),
        ] {
            let text = HostPort::parse(peer).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!(
                    "\"{peer}\" is not a TCP address: expected host:port; {hint}"
                )),
                "{text}"
            );
        }
    }

    #[test]
    fn local_hosts_are_recognised() {
        for (peer, local) in [
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
            assert_eq!(HostPort::parse(peer).unwrap().is_local(), local, "{peer}");
        }
    }
}
