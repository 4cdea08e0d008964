//! What an outlet connects to, as people write it.
//!
//! | text | target |
//! |---|---|
//! | `db.internal:5432`, `127.0.0.1:5000` | a TCP server, whose name is resolved for each stream |
//! | `[::1]:5000`, `[fe80::1%eth0]:5000` | one with an IPv6 address, which may name an interface |
//! | `unix:/run/db.sock`, `unix:///run/db.sock` | a server at a Unix socket |
//!
//! Anything else is refused at start, with the form that was probably meant.

pub(crate) mod connect;
mod host_port;
mod misspelt;
pub(crate) mod permitted;
pub(crate) mod proxy_protocol;
mod unix_path;

use std::{fmt, path::PathBuf, str::FromStr};

use ockam_actix_runtime::{Error, Result};

use self::misspelt::Misspelt;
pub(crate) use self::{host_port::HostPort, unix_path::unix_path};

/// A server that an outlet connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// At a TCP port.
    Tcp(HostPort),
    /// At a Unix socket.
    Unix(PathBuf),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_right = |meant: &str| parse(meant).is_ok();
        parse(text).map_err(|misspelt| misspelt.error((text, "a target"), is_right))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(server) => server.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn parse(text: &str) -> Result<Target, Misspelt> {
    if text.contains(char::is_whitespace) {
        return Err(Misspelt::meant("it has spaces", text.split_whitespace().collect::<String>()));
    }
    if let Some(path) = unix_path(text) {
        return path.map(Target::Unix);
    }
    if text.starts_with('/') {
        return Err(Misspelt::meant("it is a path", format!("unix:{text}")));
    }
    match text.split_once("://") {
        Some((scheme, rest)) => Err(with_scheme(scheme, rest)),
        None if text.starts_with("udp:") => Err(with_scheme("udp", &text[4..])),
        None => HostPort::parse(text).map(Target::Tcp),
    }
}

/// What is wrong with a URL.
fn with_scheme(scheme: &str, rest: &str) -> Misspelt {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let server = authority.rsplit('@').next().unwrap_or_default();
    let (why, port) = match scheme.to_ascii_lowercase().as_str() {
        "udp" => {
            return Misspelt::new("it is UDP, for which there are UDP portals: udp://host:port")
        }
        "http" | "ws" => ("a target is no URL", 80),
        "https" | "wss" => ("a target is no URL", 443),
        _ => ("a target has no scheme but unix:", 0),
    };
    match HostPort::parse(server) {
        Ok(server) => Misspelt::meant(why, server.to_string()),
        Err(_) => Misspelt::meant(why, format!("{server}:{port}")),
    }
}

#[cfg(test)]
mod tests;
