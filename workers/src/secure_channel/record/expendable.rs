//! Expendable records: those that may be lost, doubled and overtaken, so that each opens by itself.
//!
//! ```text
//! record = generation (4 bytes, big-endian) || counter (4 bytes, big-endian) || ciphertext || tag
//! nonce  = 4 zero bytes || generation || counter      no additional data
//! key    = HMAC-SHA256(key of the direction, "ockam-actix/1 expendable\0")
//! ```
//!
//! They have a key of their own for each direction, so that neither kind of record opens as the
//! other, whatever a node on the route says it is. The *generation* counts the handshakes of a
//! channel from 0, and the counter begins at 0 in each: a receiver knows from it which key a record
//! needs that was overtaken by a change of keys.
//!
//! A bad record is dropped and changes nothing, because anybody on the line can make one; the
//! numbers that were opened are remembered in a [`ReplayWindow`], so that each record opens once.
//! The key is not replaced between handshakes, which are due after [`DUE_RECORDS`] at the latest,
//! and seals no more than [`MOST_RECORDS`]: after that, messages travel in ordinary records.

use std::{fmt, ops::Range};

use ring::{
    aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM},
    hmac,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    identity::secret_bytes::SecretKey,
    secure_channel::record::replay_window::{Replay, ReplayWindow},
};

/// Bytes before the ciphertext: generation and counter.
pub const NUMBER_LENGTH: usize = 8;

/// Bytes after the ciphertext.
const TAG_LENGTH: usize = 16;

/// Bytes of the longest plaintext, as for the other records.
const MAX_PLAINTEXT: usize = 65_535 - TAG_LENGTH;

/// Records that one key seals. At the largest size they are 2^36 AES blocks, which leaves an
/// attacker an advantage of 2^-57, as TLS 1.3 has it; those that fit into a datagram of a network
/// leave 2^-68.
pub const MOST_RECORDS: u64 = 1 << 24;

/// Records after which a new handshake is due. At 100,000 a second it has a minute and a half.
pub const DUE_RECORDS: u64 = MOST_RECORDS / 2;

/// What the key is derived with.
const LABEL: &[u8] = b"ockam-actix/1 expendable\0";

/// Why a record was dropped. The network or the peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DroppedRecord {
    /// Shorter than an empty record, or longer than the longest.
    #[error("a record of {0} bytes cannot be one")]
    BadLength(usize),
    /// Its keys are not in use, or not any more.
    #[error("it is of the handshake {0}, whose keys are not in use")]
    OtherKeys(u32),
    /// It was opened before.
    #[error("record {0} came again")]
    Repeated(u32),
    /// It is so late that it is not known whether it was opened before.
    #[error("record {0} came too late")]
    Late(u32),
    /// It was altered, or sealed with another key.
    #[error("record {0} is not authentic")]
    BadTag(u32),
}

/// The number of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    generation: u32,
    counter: u32,
}

impl Number {
    fn bytes(self) -> [u8; NUMBER_LENGTH] {
        ((u64::from(self.generation) << 32) | u64::from(self.counter)).to_be_bytes()
    }

    fn of(bytes: [u8; NUMBER_LENGTH]) -> Self {
        let [a, b, c, d, rest @ ..] = bytes;
        let generation = u32::from_be_bytes([a, b, c, d]);
        Self { generation, counter: u32::from_be_bytes(rest) }
    }

    fn nonce(self) -> Nonce {
        let mut bytes = [0; 12];
        bytes[4..].copy_from_slice(&self.bytes());
        Nonce::assume_unique_for_key(bytes)
    }
}

/// The generation that a record says it is of; of one that is too short, 0.
pub(crate) fn generation_of(record: &[u8]) -> u32 {
    record.first_chunk().map_or(0, |number| Number::of(*number).generation)
}

/// Seals the expendable records of one direction.
pub(super) struct ExpendableSealer {
    key: SecretKey,
    /// Made for the first record: most channels have none.
    expanded: Option<Box<LessSafeKey>>,
    generation: u32,
    /// The counter of the next record.
    next: u32,
    bytes: u64,
}

impl ExpendableSealer {
    /// Derives its key from that of the direction.
    pub(super) fn new(direction: &SecretKey) -> Self {
        Self { key: derive(direction), expanded: None, generation: 0, next: 0, bytes: 0 }
    }

    /// Its keys come from the handshake that followed that of `before`.
    pub(super) fn follow(&mut self, before: &Self) {
        self.generation = before.generation.wrapping_add(1);
    }

    /// Encrypts `plaintext` in place; returns what goes before and after it. `None` if the key has
    /// sealed as much as it may, or the plaintext is too long.
    pub(super) fn seal_in_place(
        &mut self,
        plaintext: &mut [u8],
    ) -> Option<([u8; NUMBER_LENGTH], [u8; TAG_LENGTH])> {
        if u64::from(self.next) >= MOST_RECORDS || plaintext.len() > MAX_PLAINTEXT {
            return None;
        }
        let number = Number { generation: self.generation, counter: self.next };
        // Whatever comes of this one: its number is used.
        self.next += 1;
        self.bytes = self.bytes.saturating_add(plaintext.len() as u64);
        let key = self.expanded.get_or_insert_with(|| Box::new(expand(&self.key)));
        let sealed = key.seal_in_place_separate_tag(number.nonce(), Aad::empty(), plaintext);
        let mut tag = [0; TAG_LENGTH];
        tag.copy_from_slice(sealed.ok()?.as_ref());
        Some((number.bytes(), tag))
    }

    /// Records and bytes that were sealed.
    pub(super) fn sealed(&self) -> (u64, u64) {
        (self.next.into(), self.bytes)
    }
}

/// Opens the expendable records of the other direction, in any order and each once.
pub(crate) struct ExpendableOpener {
    key: SecretKey,
    generation: u32,
    /// Made for the first record.
    open: Option<Box<Open>>,
    bytes: u64,
}

struct Open {
    key: LessSafeKey,
    window: ReplayWindow,
}

impl ExpendableOpener {
    /// Derives its key from that of the direction.
    pub(super) fn new(direction: &SecretKey) -> Self {
        Self { key: derive(direction), generation: 0, open: None, bytes: 0 }
    }

    /// Its keys come from the handshake that followed that of `before`.
    pub(super) fn follow(&mut self, before: &Self) {
        self.generation = before.generation.wrapping_add(1);
    }

    /// Which handshake of the channel its keys come from.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Checks and decrypts a record in place; returns the range of the plaintext in it.
    ///
    /// # Errors
    /// Says why it is to be dropped. It changes nothing: another record may open.
    pub(crate) fn open_in_place_range(
        &mut self,
        record: &mut [u8],
    ) -> Result<Range<usize>, DroppedRecord> {
        let length = record.len();
        let bad_length = DroppedRecord::BadLength(length);
        let (number, sealed) = record.split_first_chunk_mut().ok_or(bad_length)?;
        if !(TAG_LENGTH..=MAX_PLAINTEXT + TAG_LENGTH).contains(&sealed.len()) {
            return Err(bad_length);
        }
        let number = Number::of(*number);
        if number.generation != self.generation {
            return Err(DroppedRecord::OtherKeys(number.generation));
        }
        let counter = u64::from(number.counter);
        if counter >= MOST_RECORDS {
            return Err(DroppedRecord::BadTag(number.counter));
        }
        let open = self.open.get_or_insert_with(|| {
            Box::new(Open { key: expand(&self.key), window: ReplayWindow::default() })
        });
        open.window.check(counter).map_err(|replay| match replay {
            Replay::Repeated => DroppedRecord::Repeated(number.counter),
            Replay::Late => DroppedRecord::Late(number.counter),
        })?;
        let opened = open.key.open_in_place(number.nonce(), Aad::empty(), sealed);
        let plaintext = opened.map_err(|_| DroppedRecord::BadTag(number.counter))?.len();
        open.window.note(counter);
        self.bytes = self.bytes.saturating_add(plaintext as u64);
        Ok(NUMBER_LENGTH..length - TAG_LENGTH)
    }

    /// Records that the peer has sealed, as far as is known, and bytes that were opened.
    pub(super) fn opened(&self) -> (u64, u64) {
        (self.open.as_ref().map_or(0, |open| open.window.next()), self.bytes)
    }
}

impl fmt::Debug for ExpendableOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExpendableOpener(generation {}, key redacted)", self.generation)
    }
}

/// The key for expendable records of a direction. It is derived before the direction's own key is
/// ever replaced.
fn derive(direction: &SecretKey) -> SecretKey {
    let key = hmac::Key::new(hmac::HMAC_SHA256, direction.expose());
    let mut derived = Zeroizing::new([0; SecretKey::LENGTH]);
    derived.copy_from_slice(hmac::sign(&key, LABEL).as_ref());
    SecretKey::take(&mut derived)
}

fn expand(key: &SecretKey) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, key.expose())
        .expect("ring rejects only lengths other than 32, and the type has 32");
    LessSafeKey::new(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair() -> (ExpendableSealer, ExpendableOpener) {
        let key = SecretKey::copy_of(&[0x42; 32]);
        (ExpendableSealer::new(&key), ExpendableOpener::new(&key))
    }

    fn record(sealer: &mut ExpendableSealer, plaintext: &[u8]) -> Vec<u8> {
        let mut body = plaintext.to_vec();
        let (number, tag) = sealer.seal_in_place(&mut body).unwrap();
        [&number[..], &body, &tag].concat()
    }

    fn open(opener: &mut ExpendableOpener, record: &[u8]) -> Result<Vec<u8>, DroppedRecord> {
        let mut record = record.to_vec();
        let plaintext = opener.open_in_place_range(&mut record)?;
        Ok(record[plaintext].to_vec())
    }

    #[test]
    fn bad_records_leave_the_next_unharmed() {
        let (mut sealer, mut opener) = pair();
        let records: Vec<_> = (0..4_u8).map(|n| record(&mut sealer, &[n])).collect();
        assert_eq!(open(&mut opener, &records[2]), Ok(vec![2]));
        assert_eq!(open(&mut opener, &records[2]), Err(DroppedRecord::Repeated(2)));
        for bit in 64..records[1].len() * 8 {
            let mut altered = records[1].clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&mut opener, &altered), Err(DroppedRecord::BadTag(1)));
        }
        for length in 0..records[1].len() {
            assert!(open(&mut opener, &records[1][..length]).is_err());
        }
        let long = vec![0; NUMBER_LENGTH + MAX_PLAINTEXT + TAG_LENGTH + 1];
        assert_eq!(open(&mut opener, &long), Err(DroppedRecord::BadLength(long.len())));
        assert_eq!(open(&mut opener, &records[1]), Ok(vec![1]));
        assert_eq!(open(&mut opener, &records[0]), Ok(vec![0]));
        assert_eq!(open(&mut opener, &records[3]), Ok(vec![3]));
    }

    #[test]
    fn each_number_is_used_once() {
        let (mut sealer, mut opener) = pair();
        sealer.next = u32::try_from(MOST_RECORDS).unwrap() - 1;
        let last = record(&mut sealer, b"last");
        assert_eq!(open(&mut opener, &last), Ok(b"last".to_vec()));
        assert_eq!(sealer.seal_in_place(&mut [0]), None);
        assert_eq!(sealer.seal_in_place(&mut [0]), None);
        assert_eq!(sealer.seal_in_place(&mut vec![0; MAX_PLAINTEXT + 1]), None);
        assert_eq!((sealer.sealed().0, opener.opened().0), (MOST_RECORDS, MOST_RECORDS));
        let mut beyond = last.clone();
        beyond[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(open(&mut opener, &beyond), Err(DroppedRecord::BadTag(u32::MAX)));
    }

    #[test]
    fn generations_have_numbers_of_their_own() {
        let ((mut first, mut old), (mut second, mut new)) = (pair(), pair());
        second.follow(&first);
        new.follow(&old);
        // Even with the same key, which no two handshakes have.
        let (one, two) = (record(&mut first, b"x"), record(&mut second, b"x"));
        assert_ne!(one, two);
        assert_eq!((generation_of(&one), generation_of(&two), generation_of(&[9])), (0, 1, 0));
        assert_eq!(open(&mut new, &one), Err(DroppedRecord::OtherKeys(0)));
        assert_eq!(open(&mut old, &one), Ok(b"x".to_vec()));
        assert_eq!(open(&mut new, &two), Ok(b"x".to_vec()));
    }

    proptest! {
        #[test]
        fn any_order_opens_each_record_once(order in prop::collection::vec(0..60_usize, 0..200)) {
            let (mut sealer, mut opener) = pair();
            let records: Vec<_> = (0..60_u8).map(|n| record(&mut sealer, &[n])).collect();
            let mut opened = std::collections::BTreeSet::new();
            for which in order {
                let expected = match opened.insert(which) {
                    true => Ok(vec![which as u8]),
                    false => Err(DroppedRecord::Repeated(which as u32)),
                };
                prop_assert_eq!(open(&mut opener, &records[which]), expected);
            }
        }
    }
}
