//! The variables of the environment that name a proxy.

use std::ffi::OsString;

use ockam_actix_runtime::{Error, Result};

use crate::proxy::{exceptions::Exceptions, server::ProxyServer};

/// Those that name it, the first that is set being the one that counts.
const SERVER: [&str; 2] = ["HTTPS_PROXY", "ALL_PROXY"];

/// The one that lists the peers that are connected to without it.
const EXCEPTIONS: &str = "NO_PROXY";

/// The proxy that the variables which `lookup` finds name, and its exceptions.
pub(super) fn read(
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<(ProxyServer, Exceptions)>> {
    for name in SERVER {
        let Some((name, url)) = variable(&lookup, name)? else { continue };
        let server = ProxyServer::parse(&url, &name)?;
        let exceptions = match variable(&lookup, EXCEPTIONS)? {
            Some((name, list)) => {
                let parsed = Exceptions::parse(&list);
                parsed.map_err(|why| Error::Usage(format!("{name}: {why}")))?
            }
            None => Exceptions::default(),
        };
        return Ok(Some((server, exceptions)));
    }
    Ok(None)
}

/// A variable's name as it was found, and its value, if that is not empty.
fn variable(
    lookup: impl Fn(&str) -> Option<OsString>,
    name: &str,
) -> Result<Option<(String, String)>> {
    for name in [name.to_ascii_lowercase(), name.to_owned()] {
        let Some(value) = lookup(&name).filter(|value| !value.is_empty()) else { continue };
        return match value.into_string() {
            Ok(value) => Ok(Some((name, value))),
            Err(_) => Err(Error::Usage(format!("{name} is no text in UTF-8"))),
        };
    }
    Ok(None)
}
