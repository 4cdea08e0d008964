//! Ed25519 signatures, each made for one named purpose.
//!
//! What is signed is always `label || parts`. Every label ends with its only zero byte, so none is
//! a prefix of another, and a signature made for one purpose verifies for no other: somebody who
//! gets a user to sign a message of their choice still holds no proof for a handshake.

use curve25519_dalek::edwards::CompressedEdwardsY;
use ring::{
    digest,
    signature::{Ed25519KeyPair, KeyPair, UnparsedPublicKey, ED25519},
};

use crate::identity::secret_bytes::SecretKey;

/// An Ed25519 signature.
pub type Signature = [u8; 64];

/// An Ed25519 or X25519 public key.
pub type PublicKey = [u8; 32];

/// What a signature is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A change of an identity's history.
    IdentityChange,
    /// The initiator's identity vouches for its static key in one handshake.
    InitiatorProof,
    /// The responder's identity vouches for its static key in one handshake.
    ResponderProof,
    /// A forwarder's address belongs to the identity.
    ForwarderClaim,
    /// Never shown: it makes a forwarder's address the same again after a restart.
    ForwarderSalt,
    /// A hub of a cluster shows another one who it is.
    ClusterMember,
    /// A message that the owner of the identity chose to sign.
    Message,
}

impl Purpose {
    /// The bytes that precede what is signed.
    pub(crate) const fn label(self) -> &'static [u8] {
        match self {
            Self::IdentityChange => b"ockam-actix/1 identity change\0",
            Self::InitiatorProof => b"ockam-actix/1 channel initiator\0",
            Self::ResponderProof => b"ockam-actix/1 channel responder\0",
            Self::ForwarderClaim => b"ockam-actix/1 forwarder claim\0",
            Self::ForwarderSalt => b"ockam-actix/1 forwarder salt\0",
            Self::ClusterMember => b"ockam-actix/1 cluster member\0",
            Self::Message => b"ockam-actix/1 message\0",
        }
    }

    fn signed_bytes(self, parts: &[&[u8]]) -> Vec<u8> {
        [self.label(), &parts.concat()].concat()
    }

    /// SHA-256 over exactly what a signature for this purpose covers.
    pub(crate) fn hash(self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, &self.signed_bytes(parts)).as_ref());
        hash
    }

    /// Signs with the key that is derived from `seed`.
    pub(crate) fn sign(self, seed: &SecretKey, parts: &[&[u8]]) -> Signature {
        let mut signature = [0; 64];
        signature.copy_from_slice(key_pair(seed).sign(&self.signed_bytes(parts)).as_ref());
        signature
    }

    /// Whether `signature` was made for this purpose over these parts with the secret of `key`.
    pub(crate) fn verify(self, key: &PublicKey, parts: &[&[u8]], signature: &Signature) -> bool {
        #[cfg(test)]
        count::one();
        UnparsedPublicKey::new(&ED25519, key).verify(&self.signed_bytes(parts), signature).is_ok()
    }
}

/// The public key that belongs to a seed.
pub(crate) fn public_key(seed: &SecretKey) -> PublicKey {
    let mut key = [0; 32];
    key.copy_from_slice(key_pair(seed).public_key().as_ref());
    key
}

/// Whether a public key is a point on the curve outside the small subgroup.
///
/// Under a small-order key one signature fits many messages, and some can be made without any
/// secret.
pub(crate) fn is_sound(key: &PublicKey) -> bool {
    CompressedEdwardsY(*key).decompress().is_some_and(|point| !point.is_small_order())
}

/// Derived anew for each signature: the seed wipes itself on drop and ring's key pair does not, so
/// it must not live long.
fn key_pair(seed: &SecretKey) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed.expose())
        .expect("ring rejects only lengths other than 32, and the type has 32")
}

/// Counts verifications on this thread, for tests of what costs how much.
#[cfg(test)]
pub(crate) mod count {
    use std::cell::Cell;

    thread_local! {
        static VERIFIED: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn one() {
        VERIFIED.set(VERIFIED.get() + 1);
    }

    /// How many signatures were verified meanwhile.
    pub(crate) fn during(work: impl FnOnce()) -> usize {
        let before = VERIFIED.get();
        work();
        VERIFIED.get() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Purpose; 6] = [
        Purpose::IdentityChange,
        Purpose::InitiatorProof,
        Purpose::ResponderProof,
        Purpose::ForwarderClaim,
        Purpose::ForwarderSalt,
        Purpose::Message,
    ];

    #[test]
    fn a_signature_verifies_for_its_purpose_only() {
        let seed = SecretKey::copy_of(&[3; 32]);
        for made in ALL {
            let signature = made.sign(&seed, &[b"ab", b"c"]);
            for asked in ALL {
                assert_eq!(asked.verify(&public_key(&seed), &[b"abc"], &signature), made == asked);
            }
        }
    }

    #[test]
    fn no_label_begins_another() {
        for a in ALL {
            assert_eq!(a.label().iter().position(|byte| *byte == 0), Some(a.label().len() - 1));
            assert!(ALL.iter().all(|b| *b == a || !b.label().starts_with(a.label())));
        }
    }

    #[test]
    fn small_order_and_off_curve_keys_are_unsound() {
        let mut one = [0; 32];
        one[0] = 1;
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        let mut two = [0; 32];
        two[0] = 2;
        for bad in [[0; 32], one, minus_one, two] {
            assert!(!is_sound(&bad), "{bad:?}");
        }
        assert!(is_sound(&public_key(&SecretKey::copy_of(&[3; 32]))));
    }
}
