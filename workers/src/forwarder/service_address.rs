//! Addresses by name: a service of an identity, whose forwarder a client computes itself.
//!
//! A [forwarding address](super::address) is known once its outlet has run. An identity and a name
//! are known before, and can be written into the inlet's configuration in advance. The forwarder of
//! a named service has bits that [follow](super::protocol::claim) from the two alone, and the hub
//! gives it only to a node that proves that identity. In return there is no secret in it: the
//! policy of the listener that it leads to must say whom to trust.

use std::{fmt, str::FromStr};

use ockam_actix_runtime::{Error, Identifier, Result};

use crate::forwarder::{
    address::ForwardingAddress,
    protocol::{
        claim::{ForwarderId, Salt},
        service_name::ServiceName,
    },
};

/// A service by its name: `IDENTIFIER/name`, or `IDENTIFIER` for the one without a name.
///
/// ```
/// # use ockam_actix_runtime::Identifier;
/// use ockam_actix_workers::forwarder::ServiceAddress;
///
/// let outlet = Identifier::from_bytes([7; 32]);
/// let service: ServiceAddress = format!("{outlet}/web").parse()?;
/// assert_eq!(service, ServiceAddress::new(outlet, "web")?);
/// assert_eq!(service.forwarding_address().identifier, Some(outlet));
/// # Ok::<(), ockam_actix_runtime::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAddress {
    identifier: Identifier,
    service: ServiceName,
}

impl ServiceAddress {
    /// The service called `name` of an identity; an empty name is that of the one without.
    ///
    /// # Errors
    /// If nothing can have this name: it needs at most 64 letters, digits, hyphens, underscores and
    /// full stops.
    pub fn new(identifier: Identifier, name: &str) -> Result<Self> {
        Ok(Self { identifier, service: name.parse()? })
    }

    /// Whose service it is.
    pub fn identifier(&self) -> Identifier {
        self.identifier
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.service.as_str()
    }

    /// Its address at every hub, for a route after the hub's own.
    pub fn forwarding_address(&self) -> ForwardingAddress {
        let id = ForwarderId::of(&self.identifier, &Salt::NAMED, &self.service);
        id.forwarding_address(Some(self.identifier))
    }
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "" => write!(f, "{}", self.identifier),
            name => write!(f, "{}/{name}", self.identifier),
        }
    }
}

impl FromStr for ServiceAddress {
    type Err = Error;

    /// # Errors
    /// [`Error::Usage`] that says which part is wrong.
    fn from_str(text: &str) -> Result<Self> {
        let (identifier, name) = text.split_once('/').unwrap_or((text, ""));
        let identifier = identifier.parse::<Identifier>().map_err(|error| {
            Error::Usage(format!("expected IDENTIFIER/NAME of a service: {error}"))
        })?;
        Self::new(identifier, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Identifier = Identifier::from_bytes([0xab; 32]);

    #[test]
    fn a_service_shows_as_text_and_parses_back() {
        for name in ["", "web", "a.b_c-1"] {
            let service = ServiceAddress::new(ID, name).unwrap();
            assert_eq!(service.to_string().parse::<ServiceAddress>().unwrap(), service);
        }
        for wrong in ["web", "I12/web", &format!("{ID}/a b"), &format!("{ID}/a/b")] {
            assert!(wrong.parse::<ServiceAddress>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_identity_and_name_has_its_address() {
        let address = |id, name| ServiceAddress::new(id, name).unwrap().forwarding_address();
        let web = address(ID, "web");
        assert_eq!((web.identifier, &web.secret), (Some(ID), &None));
        assert_eq!(web, address(ID, "web"));
        assert_ne!(web, address(ID, ""));
        assert_ne!(web.forwarder, address(Identifier::from_bytes([1; 32]), "web").forwarder);
    }
}
