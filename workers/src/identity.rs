//! A public identity: the signed history of its keys.
//!
//! ```text
//! history   = array of 1 to 16 changes, the oldest first
//! change 0  = [bin key, bin own signature]
//! change n  = [bin key, bin own signature, bin signature by the key of change n-1]
//! signed    = "ockam-actix/1 identity change\0" || identifier || n (4 bytes, big-endian) || previous || key
//! previous  = SHA-256(signed of change n-1), 32 zero bytes for change 0
//! ```
//!
//! Keys are Ed25519 public keys, all different. The own signature proves that the holder of the new
//! key agreed, the other one that the holder of the old key did. Decoding verifies all of it, so an
//! [`Identity`] that exists is genuine: whoever holds its current key was appointed by the first
//! one. It is not secret and may be shown to anyone.

use std::fmt;

use thiserror::Error;

use crate::identity::{
    change::Change,
    claimed::ClaimedIdentity,
    secret_bytes::SecretKey,
    signature::{PublicKey, Purpose, Signature},
};
use ockam_actix_runtime::{
    address::identifier::Identifier,
    message::messagepack::{DecodeError, Reader, Writer},
};

pub mod access;
pub mod address_secret;
mod change;
pub(crate) mod claimed;
pub(crate) mod current_policy;
#[cfg_attr(not(internals), doc(hidden))]
pub mod key_history;
#[cfg_attr(not(internals), doc(hidden))]
pub mod known_identities;
pub mod local_identity;
pub mod peer_names;
pub mod policy;
#[cfg_attr(not(internals), doc(hidden))]
pub mod secret_bytes;
#[cfg_attr(not(internals), doc(hidden))]
pub mod signature;
#[cfg(test)]
mod tests;
pub mod trust_file;
pub mod trust_list;
pub mod vault;

pub use change::MAX_CHANGES;

/// Bytes of the longest encoded history: the array header and 16 changes of 1 + 34 + 66 + 66 bytes.
pub const MAX_ENCODED: usize = 3 + MAX_CHANGES * 167;

/// A verified identity. Two are equal when their histories are, signature by signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    identifier: Identifier,
    first: Change,
    later: Vec<Change>,
}

/// Why bytes are not an identity, or a history cannot grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// The bytes are not a history.
    #[error("the identity is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// A key is not on the curve or has small order.
    #[error("key {index} of the identity is not a sound Ed25519 key")]
    UnsoundKey {
        /// Position of the change, from 0.
        index: usize,
    },
    /// A key is in the history twice.
    #[error("key {index} of the identity was used before")]
    RepeatedKey {
        /// Position of the later change, from 0.
        index: usize,
    },
    /// A signature does not verify.
    #[error("change {index} of the identity is not correctly signed")]
    BadSignature {
        /// Position of the change, from 0.
        index: usize,
    },
    /// The history cannot take another change.
    #[error("the identity has used all of its {MAX_CHANGES} changes; create a new identity")]
    HistoryFull,
}

/// How one history of an identity relates to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRelation {
    /// The same keys.
    Same,
    /// The other one's keys, and more after them.
    Newer,
    /// The first of the other one's keys: a peer that shows it uses a key that was replaced.
    Older,
    /// The same identifier and then different keys: an old key was used to appoint a second
    /// successor.
    Forked,
    /// Another identity.
    Unrelated,
}

impl Identity {
    /// Reads and verifies a history.
    ///
    /// # Errors
    /// If the bytes are not a valid history: see [`IdentityError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, IdentityError> {
        let mut reader = Reader::new(bytes);
        let identity = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(identity)
    }

    /// The history as bytes, at most [`MAX_ENCODED`]. Every identity has exactly one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(MAX_ENCODED);
        self.write(&mut writer);
        writer.finish()
    }

    /// Who this is. It stays the same when keys change.
    #[must_use]
    pub fn identifier(&self) -> Identifier {
        self.identifier
    }

    /// The Ed25519 public key in force.
    #[must_use]
    pub fn current_key(&self) -> &PublicKey {
        &self.latest().key
    }

    /// How many keys the identity has had, at least 1.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.later.len() + 1
    }

    /// Whether `signature` was made over `message` by
    /// [`Vault::sign`](crate::identity::vault::Vault::sign) with the key in force.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        self.verify_for(Purpose::Message, &[message], signature)
    }

    /// Whether this history is the same as `known` or continues it.
    ///
    /// Whoever has met a peer before accepts it again only then: a replaced key must not come back.
    #[must_use]
    pub fn is_extension_of(&self, known: &Self) -> bool {
        matches!(self.relation_to(known), HistoryRelation::Same | HistoryRelation::Newer)
    }

    /// How this history relates to `other`. Keys are compared, signatures are not: the same change
    /// may be signed twice.
    #[must_use]
    pub fn relation_to(&self, other: &Self) -> HistoryRelation {
        if self.identifier != other.identifier {
            return HistoryRelation::Unrelated;
        }
        let common =
            self.changes().zip(other.changes()).take_while(|(a, b)| a.key == b.key).count();
        match (common == self.key_count(), common == other.key_count()) {
            (true, true) => HistoryRelation::Same,
            (false, true) => HistoryRelation::Newer,
            (true, false) => HistoryRelation::Older,
            (false, false) => HistoryRelation::Forked,
        }
    }

    /// A new identity whose first key is derived from `seed`.
    pub(crate) fn introduce(seed: &SecretKey) -> Self {
        let key = signature::public_key(seed);
        let identifier = Identifier::of_first_key(&key);
        let own = Purpose::IdentityChange.sign(seed, &[&Statement::first(identifier, &key).0]);
        Self { identifier, first: Change { key, own, approval: None }, later: Vec::new() }
    }

    /// The same identity with one more key. `current` must be the seed of the key in force.
    pub(crate) fn extended(
        &self,
        current: &SecretKey,
        next: &SecretKey,
    ) -> Result<Self, IdentityError> {
        if self.key_count() == MAX_CHANGES {
            return Err(IdentityError::HistoryFull);
        }
        let key = signature::public_key(next);
        let statement = self.next_statement(&key);
        let sign = |seed| Purpose::IdentityChange.sign(seed, &[&statement.0]);
        let mut grown = self.clone();
        grown.accept(Change { key, own: sign(next), approval: Some(sign(current)) })?;
        Ok(grown)
    }

    /// Whether `signature` was made for `purpose` with the key in force.
    pub(crate) fn verify_for(
        &self,
        purpose: Purpose,
        parts: &[&[u8]],
        signature: &Signature,
    ) -> bool {
        purpose.verify(self.current_key(), parts, signature)
    }

    /// Reads and verifies a history that is part of a larger value.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, IdentityError> {
        Self::verified(ClaimedIdentity::read(reader)?, None)
    }

    /// Verifies what `known`, a verified history of the same identity, does not vouch for.
    pub(crate) fn verified(
        claimed: ClaimedIdentity,
        known: Option<&Self>,
    ) -> Result<Self, IdentityError> {
        let vouched_for = claimed.key_count() - Self::unverified_keys(&claimed, known);
        let ClaimedIdentity { first, mut later } = claimed;
        let (mut identity, rest) = match vouched_for.checked_sub(1) {
            None => (Self::accept_first(first.key, first.own)?, later),
            Some(good) => {
                let rest = later.split_off(good);
                (Self { identifier: Identifier::of_first_key(&first.key), first, later }, rest)
            }
        };
        for change in rest {
            identity.accept(change)?;
        }
        Ok(identity)
    }

    /// How many keys of a claim `known`, a verified history, does not vouch for: it does so for
    /// changes that are the same, signature by signature, from the first on.
    pub(crate) fn unverified_keys(claimed: &ClaimedIdentity, known: Option<&Self>) -> usize {
        let known = known.into_iter().flat_map(Self::changes);
        let same = claimed.changes().zip(known).take_while(|(claimed, known)| claimed == known);
        claimed.key_count() - same.count()
    }

    /// Writes the history as part of a larger value.
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.array(self.key_count());
        for change in self.changes() {
            writer.array(if change.approval.is_some() { 3 } else { 2 });
            writer.bin(&change.key);
            writer.bin(&change.own);
            if let Some(approval) = &change.approval {
                writer.bin(approval);
            }
        }
    }

    fn accept_first(key: PublicKey, own: Signature) -> Result<Self, IdentityError> {
        if !signature::is_sound(&key) {
            return Err(IdentityError::UnsoundKey { index: 0 });
        }
        let identifier = Identifier::of_first_key(&key);
        if !Purpose::IdentityChange.verify(&key, &[&Statement::first(identifier, &key).0], &own) {
            return Err(IdentityError::BadSignature { index: 0 });
        }
        Ok(Self { identifier, first: Change { key, own, approval: None }, later: Vec::new() })
    }

    /// Checks a change and appends it. No later change gets into a history otherwise.
    fn accept(&mut self, change: Change) -> Result<(), IdentityError> {
        let index = self.key_count();
        if !signature::is_sound(&change.key) {
            return Err(IdentityError::UnsoundKey { index });
        }
        if self.changes().any(|earlier| earlier.key == change.key) {
            return Err(IdentityError::RepeatedKey { index });
        }
        let statement = self.next_statement(&change.key);
        let approved = change.approval.is_some_and(|approval| {
            Purpose::IdentityChange.verify(self.current_key(), &[&statement.0], &approval)
        });
        if !approved || !Purpose::IdentityChange.verify(&change.key, &[&statement.0], &change.own) {
            return Err(IdentityError::BadSignature { index });
        }
        self.later.push(change);
        Ok(())
    }

    /// What must be signed to append `key` to the history as it is. It takes at most 16 short
    /// hashes, so nothing is cached.
    fn next_statement(&self, key: &PublicKey) -> Statement {
        let mut statement = Statement::first(self.identifier, &self.first.key);
        for (index, key) in (1u32..).zip(self.later.iter().map(|change| &change.key).chain([key])) {
            statement = Statement::new(self.identifier, index, statement.hash(), key);
        }
        statement
    }

    fn latest(&self) -> &Change {
        self.later.last().unwrap_or(&self.first)
    }

    /// Its keys, the oldest first.
    fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.changes().map(|change| &change.key)
    }

    fn changes(&self) -> impl Iterator<Item = &Change> {
        std::iter::once(&self.first).chain(&self.later)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, {} keys)", self.identifier, self.key_count())
    }
}

/// What the signatures of one change cover, after the label.
struct Statement([u8; 100]);

impl Statement {
    fn first(identifier: Identifier, key: &PublicKey) -> Self {
        Self::new(identifier, 0, [0; 32], key)
    }

    fn new(identifier: Identifier, index: u32, previous: [u8; 32], key: &PublicKey) -> Self {
        let mut bytes = [0; 100];
        bytes[..32].copy_from_slice(identifier.as_bytes());
        bytes[32..36].copy_from_slice(&index.to_be_bytes());
        bytes[36..68].copy_from_slice(&previous);
        bytes[68..].copy_from_slice(key);
        Self(bytes)
    }

    fn hash(&self) -> [u8; 32] {
        Purpose::IdentityChange.hash(&[&self.0])
    }
}
