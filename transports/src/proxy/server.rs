//! A proxy, by its URL.

use std::fmt;

use ockam_actix_runtime::{socket::host_port::HostPort, Error, Result};
use percent_encoding::percent_decode_str;

/// A proxy: how it is spoken to, where it is, and who asks. Shown, it is `host:port`.
pub(crate) struct ProxyServer {
    pub(super) protocol: Protocol,
    address: String,
    pub(super) credentials: Option<Credentials>,
    /// What has named it, such as a variable of the environment.
    pub(super) named_by: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP's `CONNECT`.
    Http,
    /// SOCKS5, and who looks names up.
    Socks5 { here: bool },
}

/// A user's name and password, which are never shown.
#[derive(PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// Bytes of a name or a password, which have a length of one byte in SOCKS5.
const MAX_SOCKS_CREDENTIAL: usize = 255;

impl ProxyServer {
    /// The proxy at `url`, which `named_by` has named.
    ///
    /// # Errors
    /// If it has another form. The error never shows the URL, as that may have a password in it.
    pub(super) fn parse(url: &str, named_by: &str) -> Result<Self> {
        parse(url, named_by).map_err(|why| {
            Error::Usage(format!(
                "{named_by}: {why}; expected http://host:port, socks5://host:port or \
                 socks5h://host:port, with user:password@ before the host if the proxy asks for \
                 that"
            ))
        })
    }

    /// Where it listens, as `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether names of peers are looked up here, and not by the proxy.
    pub(crate) fn takes_addresses(&self) -> bool {
        self.protocol == Protocol::Socks5 { here: true }
    }
}

fn parse(url: &str, named_by: &str) -> std::result::Result<ProxyServer, &'static str> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (protocol, port) = match scheme.to_ascii_lowercase().as_str() {
        "http" => (Protocol::Http, 80),
        "socks5" => (Protocol::Socks5 { here: true }, 1080),
        "socks5h" => (Protocol::Socks5 { here: false }, 1080),
        "https" => {
            return Err("TLS to the proxy itself is not supported; most are spoken to as http://");
        }
        _ => return Err("there is no such kind of proxy"),
    };
    // A password may have an @ in it, though it should not.
    let (credentials, host) = match rest.rsplit_once('@') {
        Some((credentials, host)) => (Some(Credentials::parse(credentials)?), host),
        None => (None, rest),
    };
    let too_long = |Credentials { user, password }: &Credentials| {
        [user, password].iter().any(|part| !(1..=MAX_SOCKS_CREDENTIAL).contains(&part.len()))
    };
    if protocol != Protocol::Http && credentials.as_ref().is_some_and(too_long) {
        return Err("a user and a password for SOCKS5 have 1 to 255 bytes");
    }
    let host = host.trim_end_matches('/');
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let address = if has_port { host.to_owned() } else { format!("{host}:{port}") };
    HostPort::parse(&address).ok_or("the proxy has no host, or no valid port")?;
    Ok(ProxyServer { protocol, address, credentials, named_by: named_by.to_owned() })
}

impl Credentials {
    fn parse(text: &str) -> std::result::Result<Self, &'static str> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let decode = |part| match percent_decode_str(part).decode_utf8() {
            Ok(decoded) => Ok(decoded.into_owned()),
            Err(_) => Err("the user or the password is no text in UTF-8"),
        };
        Ok(Self { user: decode(user)?, password: decode(password)? })
    }
}

impl fmt::Display for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyServer({:?}, {})", self.protocol, self.address)
    }
}
