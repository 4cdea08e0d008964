//! The keys that an identity has had: what is left of its history when nobody has to verify it
//! again.

use ockam_actix_runtime::{
    message::messagepack::{Reader, Writer},
    Identifier,
};

use crate::identity::{signature::PublicKey, HistoryRelation, Identity, MAX_CHANGES};

/// The keys of one identity, the oldest first. At most 512 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHistory {
    first: PublicKey,
    later: Vec<PublicKey>,
}

impl KeyHistory {
    /// The keys of an identity.
    pub fn of(identity: &Identity) -> Self {
        let mut keys = identity.keys().copied();
        let first = keys.next().unwrap_or_default();
        Self { first, later: keys.collect() }
    }

    /// Whose keys they are.
    pub fn identifier(&self) -> Identifier {
        Identifier::of_first_key(&self.first)
    }

    /// How many keys the identity has had, at least 1.
    pub fn key_count(&self) -> usize {
        self.later.len() + 1
    }

    /// How this history relates to `other`.
    pub fn relation_to(&self, other: &Self) -> HistoryRelation {
        if self.first != other.first {
            return HistoryRelation::Unrelated;
        }
        let common = self.later.iter().zip(&other.later).take_while(|(a, b)| a == b).count();
        match (common == self.later.len(), common == other.later.len()) {
            (true, true) => HistoryRelation::Same,
            (false, true) => HistoryRelation::Newer,
            (true, false) => HistoryRelation::Older,
            (false, false) => HistoryRelation::Forked,
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.array(self.key_count());
        writer.bin(&self.first);
        self.later.iter().for_each(|key| writer.bin(key));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let count = reader.array(1..=MAX_CHANGES).ok()?;
        let first = *reader.bin().ok()?;
        let later = (1..count).map(|_| reader.bin().ok().copied()).collect::<Option<_>>()?;
        Some(Self { first, later })
    }
}
