//! Forwarding addresses: a forwarder on a hub, and the identity that it leads to.
//!
//! ```text
//! F0123456789abcdef0123456789abcdef.I<64 hexadecimal digits>
//! |  128 bits that cannot be guessed | fingerprint of the identity that it leads to
//! ```
//!
//! The first half names the forwarder on the hub, the second the identity that answers through it.
//! The user carries both from the program that asked for the forwarder to the one that opens a
//! secure channel through it, where the second half is pinned. So a hub cannot put itself in the
//! middle, whatever the policies of both ends say.

use std::{fmt, str::FromStr};

use ockam_actix_runtime::{Address, Error, Identifier, Result};

/// The letter before the random half.
const PREFIX: char = 'F';

/// Characters of the random half after its letter.
const RANDOM_DIGITS: usize = 32;

/// A forwarder's address with the fingerprint of the identity that it leads to.
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
}

impl ForwardingAddress {
    /// A new forwarder's address, which cannot be guessed.
    pub fn new_random(identifier: impl Into<Option<Identifier>>) -> Self {
        let forwarder = Address::from(format!("{PREFIX}{}", Address::random()));
        Self { forwarder, identifier: identifier.into() }
    }

    /// Whether `text` is meant as a forwarding address, however damaged its copy is: an address
    /// that silently lost its pin would be worse than one that is refused. Other addresses, such as
    /// `Feed` or `outlet`, are not.
    pub fn is_meant_by(text: &str) -> bool {
        let (forwarder, fingerprint) = split(text);
        let starts = text.starts_with(['F', 'f']);
        let digits = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | 'I' | 'i');
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
            Some(identifier) => write!(f, ".{identifier}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ForwardingAddress {
    type Err = Error;

    /// # Errors
    /// [`Error::Usage`] that says which half is damaged: an address is copied by hand, and with
    /// half a fingerprint it must not work at all.
    fn from_str(text: &str) -> Result<Self> {
        let (forwarder, fingerprint) = split(text);
        if !is_forwarder(forwarder) {
            return Err(Error::Usage(format!(
                "\"{text}\" is not a forwarding address: {PREFIX} and {RANDOM_DIGITS} digits \
                 (0-9, a-f) must come before the full stop; copy the whole address again"
            )));
        }
        let identifier = fingerprint.map(str::parse::<Identifier>).transpose();
        let identifier = identifier.map_err(|error| {
            Error::Usage(format!(
                "the fingerprint of the forwarding address \"{text}\" is damaged: {error}; \
                 copy the whole address again"
            ))
        })?;
        Ok(Self { forwarder: forwarder.into(), identifier })
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

    #[test]
    fn survives_as_text_with_and_without_a_fingerprint() {
        for identifier in [Some(ID), None] {
            let address = ForwardingAddress::new_random(identifier);
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
        let whole = ForwardingAddress::new_random(ID).to_string();
        for end in 34..whole.len() {
            let cut = &whole[..end];
            assert!(ForwardingAddress::is_meant_by(cut), "{cut}");
            assert!(cut.parse::<ForwardingAddress>().is_err(), "{cut}");
        }
        let lacks_a_digit = format!("F{}", &whole[2..]);
        assert!(ForwardingAddress::is_meant_by(&lacks_a_digit));
        let error = lacks_a_digit.parse::<ForwardingAddress>().unwrap_err().to_string();
        assert!(error.contains("copy the whole address again"), "{error}");
        assert!(format!("{whole}0").parse::<ForwardingAddress>().is_err());
        assert!(whole.replace(".I", ".i").parse::<ForwardingAddress>().is_err());
    }

    #[test]
    fn other_addresses_are_left_alone() {
        for text in ["outlet", "Feed", "F", "Face.book", "tcp#F.example.org:1", "F00.I11"] {
            assert!(!ForwardingAddress::is_meant_by(text), "{text}");
        }
        let whole = ForwardingAddress::new_random(ID).to_string();
        for damaged in [whole.to_uppercase(), whole.to_lowercase(), whole.replace('.', "")] {
            assert!(ForwardingAddress::is_meant_by(&damaged), "{damaged}");
            assert!(damaged.parse::<ForwardingAddress>().is_err(), "{damaged}");
        }
    }
}
