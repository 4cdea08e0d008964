//! The outlet that an inlet names, instead of a route that the outlet has printed.

use std::{fmt, str::FromStr};

use clap::Args;
use ockam::{is_peer_name, Error, Identifier, Result, ServiceAddress};

use crate::command::node_address::NodeAddress;

/// The options of a command that is given an outlet by name.
#[derive(Args)]
pub(crate) struct ToArguments {
    /// Outlet to reach, as ID/SERVICE: the identity that it runs with and its --service, or ID
    /// alone if it has none. It need not have run yet.
    ///
    /// Instead of ID, a name that --trust or --trust-file has for it. The outlet needs --identity,
    /// and --trust or --trust-file with the identity of this node, as this address has no secret.
    #[arg(long, value_name = "ID/SERVICE", conflicts_with_all = ["route", "route_file", "plain"])]
    pub(crate) to: Option<NamedOutlet>,

    /// Hub of the outlet that --to names, as host:port, quic://host:port, ws://host:port/path,
    /// wss://host:port/path or unix:/path; several with commas between them. Without it, OCKAM_HUB
    /// in the environment says which.
    #[arg(long, value_name = "HUB", value_delimiter = ',', requires = "to")]
    pub(crate) via: Vec<NodeAddress>,
}

/// An identity, or the name that it has here, and one of its services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedOutlet {
    whose: String,
    service: String,
}

impl NamedOutlet {
    /// Its service, where `find` knows the identities that have a name.
    ///
    /// # Errors
    /// If nobody has the name that was given.
    pub(crate) fn resolve(
        &self,
        find: impl FnOnce(&str) -> Option<Identifier>,
    ) -> Result<ServiceAddress> {
        let Self { whose, service } = self;
        let identifier = match (find(whose), whose.parse::<Identifier>()) {
            (Some(identifier), _) | (None, Ok(identifier)) => identifier,
            (None, Err(error)) => {
                return Err(Error::Usage(format!(
                    "--to {self}: \"{whose}\" is no name in --trust or --trust-file, and no \
                     identifier: {error}"
                )))
            }
        };
        ServiceAddress::new(identifier, service)
    }
}

/// A name that a service can have.
///
/// # Errors
/// The text of what is wrong.
pub(crate) fn service_name(text: &str) -> std::result::Result<String, String> {
    let checked = ServiceAddress::new(Identifier::from_bytes([0; 32]), text);
    checked.map(|service| service.name().to_owned()).map_err(|error| error.one_line())
}

impl fmt::Display for NamedOutlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.service.is_empty() {
            true => f.write_str(&self.whose),
            false => write!(f, "{}/{}", self.whose, self.service),
        }
    }
}

impl FromStr for NamedOutlet {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (whose, service) = text.split_once('/').unwrap_or((text, ""));
        let is_address = whose.contains([':', '#']);
        let is_whose = is_peer_name(whose) || whose.parse::<Identifier>().is_ok();
        if is_address || !is_whose {
            return Err("expected ID/SERVICE, or NAME/SERVICE with a name from --trust or \
                        --trust-file; the hub goes to --via"
                .into());
        }
        Ok(Self { whose: whose.to_owned(), service: service_name(service)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlets_are_named_by_owner_and_service() {
        let id = Identifier::from_bytes([7; 32]);
        for text in [format!("{id}/web"), id.to_string(), "laptop/web".into(), "laptop".into()] {
            assert_eq!(text.parse::<NamedOutlet>().unwrap().to_string(), text);
        }
        for wrong in ["", "/web", "a b/web", "a/b/c", "127.0.0.1:5000", "tcp#hub:1/web"] {
            assert!(wrong.parse::<NamedOutlet>().is_err(), "{wrong}");
        }
    }
}
