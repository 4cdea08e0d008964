//! Forwarding addresses: a forwarder on a hub, and the identity that it leads to.
//!
//! ```text
//! F<32 digits>.I<64 digits>.S<64 digits>
//! |            |            | the secret without which nobody opens a channel through it
//! |            | fingerprint of the identity that it leads to
//! | 128 bits that cannot be guessed
//! ```
//!
//! The first part names the forwarder on the hub, the second the identity that answers through it,
//! and the third is known to both ends alone. The user carries all of it from the program that
//! asked for the forwarder to the one that opens a secure channel through it, where the second part
//! is pinned and the third becomes the pre-shared key of the handshake. So a hub can neither put
//! itself in the middle nor use the address itself, whatever the policies of both ends say. The
//! secret never travels, and is not shown in logs, errors or routes.

use std::{fmt, str::FromStr};

use ockam_actix_runtime::{Address, Error, Identifier, Result};

use crate::{forwarder::placement, identity::address_secret::AddressSecret};

/// The letter before the random part.
const PREFIX: char = 'F';

/// The letter before the secret.
const SECRET_PREFIX: char = 'S';

/// Characters of the random part after its letter.
const RANDOM_DIGITS: usize = 32;

/// A forwarder's address with the fingerprint of the identity that it leads to, and the secret that
/// gives access to it. `Display` shows all of it, for the person who copies it; `Debug` does not.
///
/// ```
/// # use ockam_actix_workers::forwarder::address::ForwardingAddress;
/// # use ockam_actix_runtime::Identifier;
/// let address = ForwardingAddress::new_random(Some(Identifier::from_bytes([7; 32])));
/// assert_eq!(address.to_string().parse::<ForwardingAddress>()?, address);
/// # Ok::<(), ockam_actix_runtime::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardingAddress {
    /// What goes into a route on the wire.
    pub forwarder: Address,
    /// The identity that must answer there; `None` when the destination has no identity.
    pub identifier: Option<Identifier>,
    /// What gives access; `None` when the destination is no secure channel listener.
    pub secret: Option<AddressSecret>,
}

impl ForwardingAddress {
    /// A new forwarder's address, which cannot be guessed.
    pub fn new_random(identifier: impl Into<Option<Identifier>>) -> Self {
        let forwarder = Address::from(format!("{PREFIX}{}", Address::random()));
        Self { forwarder, identifier: identifier.into(), secret: None }
    }

    /// The hubs of a list, such as `tcp#a:4000,b:4000`, in the order in which clients of this
    /// forwarder are to prefer them. It follows from the address and the names of the hubs alone,
    /// and is another one for other forwarders, so that they spread over the hubs. A list of
    /// several transports stays as it is.
    ///
    /// ```
    /// # use ockam_actix_workers::forwarder::address::ForwardingAddress;
    /// # use ockam_actix_runtime::Address;
    /// let address = ForwardingAddress::new_random(None);
    /// let (hubs, same) = ("tcp#a:4000,b:4000", "tcp#b:4000,a:4000");
    /// assert_eq!(address.spread(&hubs.into()), address.spread(&same.into()));
    /// ```
    pub fn spread(&self, hubs: &Address) -> Address {
        placement::spread(&self.forwarder, hubs)
    }

    /// Whether `text` is meant as a forwarding address, however damaged its copy is: an address
    /// that silently lost its pin would be worse than one that is refused. Other addresses, such as
    /// `Feed` or `outlet`, are not.
    pub fn is_meant_by(text: &str) -> bool {
        let (forwarder, fingerprint) = split(text);
        let starts = text.starts_with(['F', 'f']);
        let digits = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | 'I' | 'i' | 'S' | 's');
        is_forwarder(forwarder)
            || (starts && text.len() > RANDOM_DIGITS && text.chars().all(digits))
            || (starts && fingerprint.is_some_and(|text| text.parse::<Identifier>().is_ok()))
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('.').map_or((text, None), |(forwarder, rest)| (forwarder, Some(rest)))
}

fn is_forwarder(text: &str) -> bool {
    let digits = text.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == RANDOM_DIGITS
        && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for ForwardingAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.forwarder)?;
        match &self.identifier {
            Some(identifier) => write!(f, ".{identifier}")?,
            None => return Ok(()),
        }
        match &self.secret {
            Some(secret) => write!(f, ".{SECRET_PREFIX}{}", secret.reveal()),
            None => Ok(()),
        }
    }
}

impl FromStr for ForwardingAddress {
    type Err = Error;

    /// # Errors
    /// [`Error::Usage`] that says which part is damaged: an address is copied by hand, and with
    /// half a fingerprint it must not work at all.
    fn from_str(text: &str) -> Result<Self> {
        // Whatever is damaged, no part of the secret gets into an error.
        let shown = Address::from(text).to_string();
        let (forwarder, rest) = split(text);
        if !is_forwarder(forwarder) {
            return Err(Error::Usage(format!(
                "\"{shown}\" is not a forwarding address: {PREFIX} and {RANDOM_DIGITS} digits \
                 (0-9, a-f) must come before the full stop; copy the whole address again"
            )));
        }
        let (fingerprint, secret) = match rest.map(split) {
            Some((fingerprint, secret)) => (Some(fingerprint), secret),
            None => (None, None),
        };
        let identifier = fingerprint.map(str::parse::<Identifier>).transpose();
        let identifier = identifier.map_err(|error| {
            Error::Usage(format!(
                "the fingerprint of the forwarding address \"{shown}\" is damaged: {error}; \
                 copy the whole address again"
            ))
        })?;
        let parsed = |text: &str| {
            text.strip_prefix(SECRET_PREFIX).and_then(AddressSecret::parse).ok_or_else(|| {
                Error::Usage(format!(
                    "the secret of the forwarding address \"{shown}\" is damaged: copy the whole \
                     address again"
                ))
            })
        };
        let secret = secret.map(parsed).transpose()?;
        Ok(Self { forwarder: forwarder.into(), identifier, secret })
    }
}

impl From<ForwardingAddress> for Address {
    fn from(address: ForwardingAddress) -> Self {
        Self::from(address.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Identifier = Identifier::from_bytes([0xab; 32]);

    fn secret() -> AddressSecret {
        AddressSecret::parse(&"5e".repeat(32)).unwrap()
    }

    fn whole() -> String {
        let address = ForwardingAddress::new_random(ID);
        ForwardingAddress { secret: Some(secret()), ..address }.to_string()
    }

    #[test]
    fn survives_as_text_with_all_its_parts() {
        for (identifier, secret) in [(Some(ID), Some(secret())), (Some(ID), None), (None, None)] {
            let address = ForwardingAddress::new_random(identifier);
            let address = ForwardingAddress { secret, ..address };
            let text = address.to_string();
            assert!(ForwardingAddress::is_meant_by(&text));
            assert!(Address::parse(&text).is_ok());
            assert_eq!(text.parse::<ForwardingAddress>().unwrap(), address);
        }
    }

    #[test]
    fn two_are_never_the_same() {
        assert_ne!(ForwardingAddress::new_random(ID), ForwardingAddress::new_random(ID));
    }

    #[test]
    fn damaged_copies_of_an_address_are_errors() {
        let whole = whole();
        let with_fingerprint = whole.find(".S").unwrap();
        for end in (34..whole.len()).filter(|end| *end != with_fingerprint) {
            let cut = &whole[..end];
            assert!(ForwardingAddress::is_meant_by(cut), "{cut}");
            let error = cut.parse::<ForwardingAddress>().unwrap_err().to_string();
            assert!(!error.contains("5e5e"), "{error}");
        }
        let lacks_a_digit = format!("F{}", &whole[2..]);
        assert!(ForwardingAddress::is_meant_by(&lacks_a_digit));
        let error = lacks_a_digit.parse::<ForwardingAddress>().unwrap_err().to_string();
        assert!(error.contains("copy the whole address again"), "{error}");
        assert!(format!("{whole}0").parse::<ForwardingAddress>().is_err());
        assert!(whole.replace(".I", ".i").parse::<ForwardingAddress>().is_err());
    }

    #[test]
    fn only_display_shows_the_secret() {
        let address: ForwardingAddress = whole().parse().unwrap();
        assert!(address.to_string().ends_with(&format!(".S{}", "5e".repeat(32))));
        let in_a_route = Address::from(address.clone());
        for shown in [format!("{address:?}"), format!("{in_a_route:?}"), in_a_route.to_string()] {
            assert!(!shown.contains("5e5e"), "{shown}");
        }
        assert_eq!(in_a_route.as_str().parse::<ForwardingAddress>().unwrap(), address);
        for damaged in
            [whole().replace(".S", ".s"), format!("{} ", whole()), whole().replace('I', "i")]
        {
            let error = Address::parse(&damaged).err().map(|error| error.to_string());
            let shown = format!("{} {error:?}", Address::from(damaged.as_str()));
            assert!(!shown.contains("5e5e"), "{shown}");
        }
    }

    #[test]
    fn other_addresses_are_left_alone() {
        for text in ["outlet", "Feed", "F", "Face.book", "tcp#F.example.org:1", "F00.I11"] {
            assert!(!ForwardingAddress::is_meant_by(text), "{text}");
        }
        let whole = whole();
        for damaged in [whole.to_uppercase(), whole.to_lowercase(), whole.replace('.', "")] {
            assert!(ForwardingAddress::is_meant_by(&damaged), "{damaged}");
            assert!(damaged.parse::<ForwardingAddress>().is_err(), "{damaged}");
        }
    }
}
