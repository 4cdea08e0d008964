//! Peers as people write them, `host:port`, and what they probably meant by something else.

use std::net::Ipv6Addr;

use ockam_actix_runtime::{socket::host_port::HostPort, Error, Result};

/// Takes a peer apart, as [`HostPort::parse`].
///
/// # Errors
/// If the text has another form; it says which one was probably meant.
pub fn parse(peer: &str) -> Result<HostPort<'_>> {
    HostPort::parse(peer).ok_or_else(|| {
        let hint = match meant(peer) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "such as 127.0.0.1:4000, [::1]:4000 or example.org:4000".into(),
        };
        Error::Usage(format!("\"{peer}\" is not a TCP address: expected host:port; {hint}"))
    })
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
    candidates
        .into_iter()
        .chain(meant_by_url(text))
        .find(|candidate| HostPort::parse(candidate).is_some())
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

#[cfg(test)]
mod tests {
    use super::*;

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
            let text = parse(peer).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!(
                    "\"{peer}\" is not a TCP address: expected host:port; {hint}"
                )),
                "{text}"
            );
        }
    }
}
