//! An identity as somebody claims it: read, and not verified.
//!
//! The identifier follows from the first key, so a policy can refuse it before any signature is
//! checked, and the newest key can be asked for its proof first. Verifying a long history comes
//! last: it costs two signatures for each key.

use crate::identity::{
    change::{Change, MAX_CHANGES},
    signature::{self, PublicKey, Purpose, Signature},
};
use ockam_actix_runtime::{
    address::identifier::Identifier,
    message::messagepack::{DecodeError, Reader},
};

/// A history of keys without any check of what it says.
pub(crate) struct ClaimedIdentity {
    pub(super) first: Change,
    pub(super) later: Vec<Change>,
}

impl ClaimedIdentity {
    /// Reads a history that fills `bytes`.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let claimed = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(claimed)
    }

    /// Reads a history that is part of a larger value.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.array(1..=MAX_CHANGES)?;
        reader.array(2..=2)?;
        let first = Change { key: *reader.bin()?, own: *reader.bin()?, approval: None };
        let mut later = Vec::with_capacity(count - 1);
        for _ in 1..count {
            reader.array(3..=3)?;
            later.push(Change {
                key: *reader.bin()?,
                own: *reader.bin()?,
                approval: Some(*reader.bin()?),
            });
        }
        Ok(Self { first, later })
    }

    /// Who it claims to be.
    pub(crate) fn identifier(&self) -> Identifier {
        Identifier::of_first_key(&self.first.key)
    }

    /// How many keys it claims to have had.
    pub(crate) fn key_count(&self) -> usize {
        self.later.len() + 1
    }

    /// Whether `signature` was made for `purpose` with the newest key.
    pub(crate) fn is_signed_by_newest(
        &self,
        purpose: Purpose,
        parts: &[&[u8]],
        signature: &Signature,
    ) -> bool {
        let key = self.newest_key();
        signature::is_sound(key) && purpose.verify(key, parts, signature)
    }

    fn newest_key(&self) -> &PublicKey {
        &self.later.last().unwrap_or(&self.first).key
    }

    /// Its changes, the oldest first.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        std::iter::once(&self.first).chain(&self.later)
    }
}
