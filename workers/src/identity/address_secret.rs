//! The secret of a forwarding address: its holder was given the address by its owner.
//!
//! ```text
//! secret = HMAC-SHA256(root, "ockam-actix/1 forwarding address secret\0" || bits of the forwarder)
//!        | HMAC-SHA256(secret of an invitation, "ockam-actix/1 invitation secret\0")
//! tag    = first 16 bytes of HMAC-SHA256(secret, "ockam-actix/1 message 1\0" || noise message 1)
//! ```
//!
//! The root is 32 random bytes that are kept with the identity. The secret is the pre-shared key of
//! handshakes that come through the forwarder, and never travels; the tag lets the responder drop
//! a message 1 whose sender does not have the secret before it does any work for it.

use std::fmt;

use ring::hmac;
use zeroize::Zeroizing;

use crate::identity::secret_bytes::SecretKey;

/// Bytes of the tag of a message 1.
pub const TAG_LENGTH: usize = 16;

/// Digits of the secret in an address.
const DIGITS: usize = 2 * SecretKey::LENGTH;

const SECRET_LABEL: &[u8] = b"ockam-actix/1 forwarding address secret\0";
const INVITATION_LABEL: &[u8] = b"ockam-actix/1 invitation secret\0";
const TAG_LABEL: &[u8] = b"ockam-actix/1 message 1\0";

/// The secret of one forwarding address. Nothing shows it but [`AddressSecret::reveal`].
#[derive(Clone)]
pub struct AddressSecret(SecretKey);

impl AddressSecret {
    /// The secret of the forwarder with these bits, which only the owner of `root` can compute.
    pub(crate) fn derive(root: &SecretKey, bits: &[u8; 16]) -> Self {
        let mut secret = Zeroizing::new([0; SecretKey::LENGTH]);
        secret.copy_from_slice(mac(root, &[SECRET_LABEL, bits]).as_ref());
        Self(SecretKey::take(&mut secret))
    }

    /// The secret of handshakes that show an invitation.
    pub(crate) fn of_invitation(secret: &[u8; 16]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let mut derived = Zeroizing::new([0; SecretKey::LENGTH]);
        derived.copy_from_slice(hmac::sign(&key, INVITATION_LABEL).as_ref());
        Self(SecretKey::take(&mut derived))
    }

    /// The secret with these digits, `None` if they are damaged.
    pub(crate) fn parse(digits: &str) -> Option<Self> {
        let mut secret = Zeroizing::new([0; SecretKey::LENGTH]);
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != DIGITS || !digits.bytes().all(is_digit) {
            return None;
        }
        for (at, byte) in secret.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(SecretKey::take(&mut secret)))
    }

    /// Its 64 digits, for the address that a person copies.
    pub fn reveal(&self) -> String {
        let mut digits = String::with_capacity(DIGITS);
        for byte in self.0.expose() {
            for nibble in [byte >> 4, byte & 0x0f] {
                digits.extend(char::from_digit(nibble.into(), 16));
            }
        }
        digits
    }

    /// The pre-shared key.
    pub(crate) fn psk(&self) -> &[u8; SecretKey::LENGTH] {
        self.0.expose()
    }

    /// The tag of a message 1.
    pub(crate) fn tag(&self, noise: &[u8]) -> [u8; TAG_LENGTH] {
        let mut tag = [0; TAG_LENGTH];
        tag.copy_from_slice(&mac(&self.0, &[TAG_LABEL, noise]).as_ref()[..TAG_LENGTH]);
        tag
    }

    /// Whether whoever made `tag` for this message 1 has the secret. It takes the same time for
    /// every wrong tag.
    pub(crate) fn has_made(&self, tag: &[u8; TAG_LENGTH], noise: &[u8]) -> bool {
        let expected = self.tag(noise);
        expected.iter().zip(tag).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
    }
}

fn mac(key: &SecretKey, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
    parts.iter().for_each(|part| context.update(part));
    context.sign()
}

impl PartialEq for AddressSecret {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.expose().iter().zip(other.0.expose());
        pairs.fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
    }
}

impl Eq for AddressSecret {}

impl fmt::Debug for AddressSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressSecret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> AddressSecret {
        AddressSecret::derive(&SecretKey::copy_of(&[byte; 32]), &[1; 16])
    }

    #[test]
    fn a_secret_survives_as_digits_alone() {
        let digits = secret(1).reveal();
        assert_eq!(AddressSecret::parse(&digits), Some(secret(1)));
        for damaged in [&digits[1..], &digits.to_uppercase(), &format!("{digits}0"), ""] {
            assert_eq!(AddressSecret::parse(damaged), None, "{damaged}");
        }
        let shown = format!("{:?}", secret(1));
        assert_eq!(shown, "AddressSecret(redacted)");
    }

    #[test]
    fn each_root_and_forwarder_has_its_secret() {
        let root = SecretKey::copy_of(&[1; 32]);
        assert_ne!(secret(1), secret(2));
        assert_ne!(secret(1), AddressSecret::derive(&root, &[2; 16]));
    }

    #[test]
    fn a_tag_belongs_to_one_secret_and_message() {
        let tag = secret(1).tag(b"message");
        assert!(secret(1).has_made(&tag, b"message"));
        assert!(!secret(1).has_made(&tag, b"other"));
        assert!(!secret(2).has_made(&tag, b"message"));
        assert!(!secret(1).has_made(&[0; TAG_LENGTH], b"message"));
    }
}
