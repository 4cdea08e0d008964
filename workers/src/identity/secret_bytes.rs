//! Secret keys as bytes: wiped when dropped, never shown.

use std::fmt;

use ring::rand::SecureRandom;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 secret bytes: an Ed25519 seed, an X25519 secret or a symmetric key.
///
/// The heap holds them, so that moving the value leaves no copy behind on the stack.
/// No `PartialEq` on purpose: nothing here needs to compare secrets.
#[derive(Clone)]
pub struct SecretKey(Box<[u8; SecretKey::LENGTH]>);

impl SecretKey {
    /// Bytes of a secret key.
    pub const LENGTH: usize = 32;

    /// A new random key, or `None` when the system has no randomness to give.
    pub(crate) fn random(rng: &dyn SecureRandom) -> Option<Self> {
        let mut key = Self(Box::new([0; Self::LENGTH]));
        rng.fill(key.0.as_mut_slice()).ok()?;
        Some(key)
    }

    /// Takes the bytes over and wipes where they came from.
    pub(crate) fn take(bytes: &mut [u8; Self::LENGTH]) -> Self {
        let key = Self(Box::new(*bytes));
        bytes.zeroize();
        key
    }

    /// Copies a key out of a buffer that wipes itself.
    pub(crate) fn copy_of(bytes: &[u8; Self::LENGTH]) -> Self {
        Self(Box::new(*bytes))
    }

    /// The bytes, for the primitive that needs them.
    pub(crate) fn expose(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

impl Zeroize for SecretKey {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for SecretKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_bytes_wipes_their_source() {
        let mut source = [5; 32];
        let key = SecretKey::take(&mut source);
        assert_eq!(source, [0; 32]);
        assert_eq!(key.expose(), &[5; 32]);
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", SecretKey::copy_of(&[5; 32])), "SecretKey(redacted)");
    }
}
