//! The identifier of an identity: a fingerprint that never changes, however often its keys do.
//!
//! * Bytes: `SHA-256("ockam-actix/1 identifier\0" || first Ed25519 public key)`, 32 bytes.
//! * Text: the letter `I` and 64 lower-case hexadecimal digits.
//! * Serde: a byte string (`bin` in MessagePack).

use std::{fmt, str::FromStr};

use ring::digest::{Context, SHA256};
use serde::{
    de::{self, Visitor},
    Deserialize, Deserializer, Serialize, Serializer,
};
use thiserror::Error;

/// Precedes the key, so that the fingerprint is never equal to a hash made for another purpose.
const LABEL: &[u8] = b"ockam-actix/1 identifier\0";

/// Who somebody is: the fingerprint of the first public key of an identity.
///
/// ```
/// # use ockam_actix_runtime::address::identifier::Identifier;
/// let id = Identifier::of_first_key(&[7; 32]);
/// assert_eq!(id.to_string().parse::<Identifier>(), Ok(id));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier([u8; Identifier::LENGTH]);

impl Identifier {
    /// Bytes of an identifier.
    pub const LENGTH: usize = 32;

    /// Characters of its text form: `I` and two digits for each byte.
    pub const TEXT_LENGTH: usize = 1 + 2 * Self::LENGTH;

    /// The identifier of the identity whose *first* Ed25519 public key this is.
    #[must_use]
    pub fn of_first_key(key: &[u8; 32]) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(LABEL);
        hash.update(key);
        let mut bytes = [0; Self::LENGTH];
        bytes.copy_from_slice(hash.finish().as_ref());
        Self(bytes)
    }

    /// An identifier that was stored or sent as bytes. It proves nothing by itself.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("I")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseIdentifierError {
    /// The first character is not `I`.
    #[error(
        "an identifier starts with the letter I and has 64 lower-case hexadecimal digits after it"
    )]
    NoPrefix,
    /// Too short or too long.
    #[error("an identifier has 65 characters, this text has {found}")]
    Length {
        /// Characters found.
        found: usize,
    },
    /// Something other than `0`-`9` and `a`-`f` after the `I`.
    #[error(
        "character {position} of an identifier is {found:?}; only 0-9 and a-f (lower case) are \
         allowed after the I"
    )]
    Digit {
        /// Position in the text, counted from 1.
        position: usize,
        /// The character that was found there.
        found: char,
    },
}

impl FromStr for Identifier {
    type Err = ParseIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('I').ok_or(ParseIdentifierError::NoPrefix)?;
        let found = text.chars().count();
        if found != Self::TEXT_LENGTH {
            return Err(ParseIdentifierError::Length { found });
        }
        let mut bytes = [0; Self::LENGTH];
        for (index, found) in digits.chars().enumerate() {
            // `to_digit` accepts upper case too; two spellings of one identity would defeat
            // comparison by eye.
            let digit = match found {
                '0'..='9' | 'a'..='f' => found.to_digit(16).and_then(|d| u8::try_from(d).ok()),
                _ => None,
            };
            let digit = digit.ok_or(ParseIdentifierError::Digit { position: index + 2, found })?;
            bytes[index / 2] = bytes[index / 2] << 4 | digit;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BytesOnly)
    }
}

/// Accepts a byte string and nothing else, so that every identifier has one encoding.
struct BytesOnly;

impl Visitor<'_> for BytesOnly {
    type Value = Identifier;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an identifier: a byte string of 32 bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Identifier, E> {
        let bytes = bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))?;
        Ok(Identifier(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_i_and_64_lower_case_digits() {
        let id = Identifier::from_bytes([0xab; 32]);
        assert_eq!(id.to_string(), format!("I{}", "ab".repeat(32)));
        assert_eq!(format!("{id:?}"), id.to_string());
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn fingerprint_is_the_documented_hash() {
        let text = [LABEL, &[7; 32]].concat();
        let hash = ring::digest::digest(&SHA256, &text);
        assert_eq!(Identifier::of_first_key(&[7; 32]).as_bytes(), hash.as_ref());
    }

    #[test]
    fn parse_errors_say_what_is_wrong() {
        let good = Identifier::from_bytes([0; 32]).to_string();
        let parse = |text: &str| text.parse::<Identifier>();
        assert_eq!(parse("P00"), Err(ParseIdentifierError::NoPrefix));
        assert_eq!(parse("I00"), Err(ParseIdentifierError::Length { found: 3 }));
        assert_eq!(parse(&format!("{good}0")), Err(ParseIdentifierError::Length { found: 66 }));
        let upper = good.replacen('0', "A", 1);
        assert_eq!(parse(&upper), Err(ParseIdentifierError::Digit { position: 2, found: 'A' }));
        let wide = format!("{}é", &good[..64]);
        assert_eq!(parse(&wide), Err(ParseIdentifierError::Digit { position: 65, found: 'é' }));
    }

    #[test]
    fn serde_form_is_bin_and_only_bin() {
        let id = Identifier::from_bytes([9; 32]);
        let bytes = rmp_serde::to_vec(&id).unwrap();
        assert_eq!(&bytes[..2], &[0xc4, 32]);
        assert_eq!(rmp_serde::from_slice::<Identifier>(&bytes).unwrap(), id);
        let array = rmp_serde::to_vec(&vec![9u8; 32]).unwrap();
        assert!(rmp_serde::from_slice::<Identifier>(&array).is_err());
        let text = rmp_serde::to_vec(&"9".repeat(32)).unwrap();
        assert!(rmp_serde::from_slice::<Identifier>(&text).is_err());
        let short = rmp_serde::to_vec(&serde_bytes_of(&[9; 31])).unwrap();
        assert!(rmp_serde::from_slice::<Identifier>(&short).is_err());
    }

    fn serde_bytes_of(bytes: &[u8]) -> impl Serialize + '_ {
        struct Bin<'a>(&'a [u8]);
        impl Serialize for Bin<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(self.0)
            }
        }
        Bin(bytes)
    }

    proptest! {
        #[test]
        fn every_text_that_parses_is_shown_the_same(text in "I?[0-9a-fA-FI]{0,66}|.{0,70}") {
            if let Ok(id) = text.parse::<Identifier>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }

        #[test]
        fn every_identifier_survives_its_text(bytes: [u8; 32]) {
            let id = Identifier::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
