//! The address that a hub gives out for a node that nobody can connect to.
//!
//! Text: `F` and 32 lower-case hexadecimal digits name the forwarder; `.` and an
//! [`Identifier`] after it name the identity behind the destination, where there is one:
//! `F00112233445566778899aabbccddeeff.I0011…ff`. The first half is for the hub, the second for
//! whoever opens a secure channel through it: a hub in the middle cannot show that identity.

use std::{fmt, str::FromStr};

use ockam_runtime::{identifier::ParseIdentifierError, Address, Identifier};

/// Characters of the first half: `F` and two digits for each of 16 bytes.
const FORWARDER_CHARACTERS: usize = 33;

/// A forwarder on a hub, and who is to be found behind it.
///
/// ```
/// use ockam_workers::forwarding_address::ForwardingAddress;
/// let text = format!("F{}.I{}", "0".repeat(32), "1".repeat(64));
/// let address: ForwardingAddress = text.parse()?;
/// assert_eq!(address.forwarder.as_str().len(), 33);
/// assert_eq!(address.to_string(), text);
/// # Ok::<(), ockam_workers::forwarding_address::ParseForwardingAddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForwardingAddress {
    /// The forwarder's address on its hub, the `F…` half.
    pub forwarder: Address,
    /// The identity behind the destination, the `I…` half.
    pub identifier: Option<Identifier>,
}

/// Why a text is no forwarding address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseForwardingAddressError {
    /// The first half is another kind of address.
    #[error("a forwarding address starts with the letter F and 32 lower-case hexadecimal digits, with a dot and an identifier after them")]
    Forwarder,
    /// The second half is no identifier.
    #[error("what follows the dot of a forwarding address is wrong: {0}")]
    Identifier(#[from] ParseIdentifierError),
}

impl fmt::Display for ForwardingAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.forwarder)?;
        self.identifier.map_or(Ok(()), |identifier| write!(f, ".{identifier}"))
    }
}

impl FromStr for ForwardingAddress {
    type Err = ParseForwardingAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (forwarder, identifier) = match text.split_once('.') {
            Some((forwarder, identifier)) => (forwarder, Some(identifier.parse()?)),
            None => (text, None),
        };
        let digits = forwarder.strip_prefix('F').unwrap_or_default();
        let digit = |character| matches!(character, b'0'..=b'9' | b'a'..=b'f');
        if forwarder.len() != FORWARDER_CHARACTERS
            || digits.is_empty()
            || !digits.bytes().all(digit)
        {
            return Err(ParseForwardingAddressError::Forwarder);
        }
        Ok(Self { forwarder: forwarder.into(), identifier })
    }
}

impl From<ForwardingAddress> for Address {
    fn from(address: ForwardingAddress) -> Self {
        Self::from(&address)
    }
}

impl From<&ForwardingAddress> for Address {
    fn from(address: &ForwardingAddress) -> Self {
        address.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_show_and_parse_back() {
        let forwarder = format!("F{}", "0a".repeat(16));
        let identifier = Identifier::from_bytes([7; 32]);
        for text in [forwarder.clone(), format!("{forwarder}.{identifier}")] {
            let address: ForwardingAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.forwarder.as_str(), forwarder);
            assert_eq!(Address::from(address).as_str(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let forwarder = format!("F{}", "0".repeat(32));
        let long = format!("{forwarder}0");
        let upper = forwarder.replacen('0', "A", 1);
        let no_identifier = format!("{forwarder}.");
        let other = forwarder.replacen('F', "G", 1);
        for text in ["", "F", "outlet", ".", "é", &long, &upper, &no_identifier, &other] {
            assert!(text.parse::<ForwardingAddress>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_text_that_parses_is_the_text_that_is_shown(
            text in "F[0-9a-f]{30,33}(\\.I[0-9a-f]{63,65})?|.{0,40}"
        ) {
            if let Ok(address) = text.parse::<ForwardingAddress>() {
                prop_assert_eq!(address.to_string(), text);
            }
        }
    }
}
