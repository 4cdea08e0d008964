//! One's own identity with its secrets: what a vault keeps for each name and what a handshake
//! needs.

use std::{fmt, sync::Arc};

use ring::rand::SecureRandom;
use x25519_dalek::StaticSecret;

use crate::identity::{
    address_secret::AddressSecret,
    secret_bytes::SecretKey,
    signature::{self, PublicKey, Purpose, Signature},
    Identity, IdentityError,
};
use ockam_actix_runtime::{address::identifier::Identifier, lock::SharedLock};

/// An identity together with its Ed25519 seed and X25519 static secret. Cheap to clone; it is a
/// snapshot, so a handshake that started before a rotation ends with the keys it began with.
#[derive(Clone)]
pub struct LocalIdentity(Arc<Keys>);

struct Keys {
    identity: Identity,
    seed: SecretKey,
    static_key: StaticKey,
    /// What the secrets of its forwarding addresses are derived from.
    address_root: SecretKey,
}

impl LocalIdentity {
    /// A new identity, or `None` if the system gave no randomness.
    pub(crate) fn generate(rng: &dyn SecureRandom) -> Option<Self> {
        let seed = SecretKey::random(rng)?;
        let identity = Identity::introduce(&seed);
        let static_key = StaticKey::new(SecretKey::random(rng)?);
        Some(Self::new(identity, seed, static_key, SecretKey::random(rng)?))
    }

    /// The same identity with a new Ed25519 key and a new static key; `None` if the system gave no
    /// randomness.
    pub(crate) fn rotated(&self, rng: &dyn SecureRandom) -> Option<Result<Self, IdentityError>> {
        let (seed, static_secret) = (SecretKey::random(rng)?, SecretKey::random(rng)?);
        let identity = self.0.identity.extended(&self.0.seed, &seed);
        let (static_key, root) = (StaticKey::new(static_secret), self.0.address_root.clone());
        Some(identity.map(|identity| Self::new(identity, seed, static_key, root)))
    }

    /// The same identity and keys with other secrets for its forwarding addresses; `None` if the
    /// system gave no randomness.
    pub(crate) fn with_new_address_secrets(&self, rng: &dyn SecureRandom) -> Option<Self> {
        let Keys { identity, seed, static_key, .. } = &*self.0;
        let root = SecretKey::random(rng)?;
        Some(Self::new(identity.clone(), seed.clone(), static_key.clone(), root))
    }

    /// The secret of the identity's forwarding address with these bits.
    pub(crate) fn address_secret(&self, bits: &[u8; 16]) -> AddressSecret {
        AddressSecret::derive(&self.0.address_root, bits)
    }

    /// Reassembles stored parts; `None` when the seed is not that of the key in force.
    pub(crate) fn restore(
        identity: Identity,
        seed: SecretKey,
        static_secret: SecretKey,
        address_root: SecretKey,
    ) -> Option<Self> {
        let fits = &signature::public_key(&seed) == identity.current_key();
        fits.then(|| Self::new(identity, seed, StaticKey::new(static_secret), address_root))
    }

    fn new(
        identity: Identity,
        seed: SecretKey,
        static_key: StaticKey,
        address_root: SecretKey,
    ) -> Self {
        Self(Arc::new(Keys { identity, seed, static_key, address_root }))
    }

    /// The public part.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Its identifier.
    #[must_use]
    pub fn identifier(&self) -> Identifier {
        self.0.identity.identifier()
    }

    /// Signs a message; [`Identity::verify`] checks it. The signature is valid for nothing but
    /// messages.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.sign_for(Purpose::Message, &[message])
    }

    pub(crate) fn sign_for(&self, purpose: Purpose, parts: &[&[u8]]) -> Signature {
        purpose.sign(&self.0.seed, parts)
    }

    /// The Ed25519 seed, for the vault file.
    pub(crate) fn seed(&self) -> &SecretKey {
        &self.0.seed
    }

    /// The root of the forwarding addresses' secrets, for the vault file.
    pub(crate) fn address_root(&self) -> &SecretKey {
        &self.0.address_root
    }

    /// The X25519 static key, for the handshake.
    pub(crate) fn static_key(&self) -> &StaticKey {
        &self.0.static_key
    }

    /// An identity from known secrets, so that test vectors are the same every time.
    #[cfg(test)]
    pub(crate) fn dangerous_from_fixed_secrets(seed: [u8; 32], static_secret: [u8; 32]) -> Self {
        let seed = SecretKey::copy_of(&seed);
        let static_key = StaticKey::new(SecretKey::copy_of(&static_secret));
        let root = SecretKey::copy_of(&[7; 32]);
        Self::new(Identity::introduce(&seed), seed, static_key, root)
    }
}

impl fmt::Debug for LocalIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalIdentity({}, secrets redacted)", self.identifier())
    }
}

/// One's own identity with its current keys, shared by all clones. Each handshake takes a snapshot
/// of it when it begins.
#[derive(Clone)]
pub struct CurrentIdentity(Arc<SharedLock<LocalIdentity>>);

impl CurrentIdentity {
    /// A snapshot of this moment.
    #[must_use]
    pub fn now(&self) -> LocalIdentity {
        self.0.read().clone()
    }

    /// Replaces the identity from now on.
    pub(crate) fn replace(&self, identity: LocalIdentity) {
        *self.0.write() = identity;
    }
}

impl From<LocalIdentity> for CurrentIdentity {
    fn from(identity: LocalIdentity) -> Self {
        Self(Arc::new(SharedLock::new(identity)))
    }
}

impl fmt::Debug for CurrentIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.now().fmt(f)
    }
}

/// An X25519 key pair.
#[derive(Clone, Debug)]
pub(crate) struct StaticKey {
    public: PublicKey,
    secret: SecretKey,
}

impl StaticKey {
    /// The pair that belongs to this secret.
    pub(crate) fn new(secret: SecretKey) -> Self {
        let public =
            x25519_dalek::PublicKey::from(&StaticSecret::from(*secret.expose())).to_bytes();
        Self { public, secret }
    }

    /// The half that a peer sees.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The secret half.
    pub(crate) fn secret(&self) -> &SecretKey {
        &self.secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    #[test]
    fn rotation_changes_both_keys_and_keeps_the_identifier() {
        let rng = SystemRandom::new();
        let old = LocalIdentity::generate(&rng).unwrap();
        let new = old.rotated(&rng).unwrap().unwrap();
        assert_eq!(old.identifier(), new.identifier());
        assert_ne!(old.identity().current_key(), new.identity().current_key());
        assert_ne!(old.static_key().public(), new.static_key().public());
        assert!(new.identity().is_extension_of(old.identity()));
        assert!(!old.identity().is_extension_of(new.identity()));
        let signature = old.sign(b"before");
        assert!(old.identity().verify(b"before", &signature));
        assert!(!new.identity().verify(b"before", &signature));
    }

    #[test]
    fn a_seed_of_another_key_does_not_restore() {
        let rng = SystemRandom::new();
        let one = LocalIdentity::generate(&rng).unwrap();
        let seed = SecretKey::random(&rng).unwrap();
        assert!(LocalIdentity::restore(
            one.identity().clone(),
            seed,
            SecretKey::random(&rng).unwrap(),
            SecretKey::random(&rng).unwrap()
        )
        .is_none());
    }
}
