//! Records: what travels over an established channel, sealed and opened in place.
//!
//! ```text
//! record = counter (8 bytes, big-endian) || ciphertext || tag (16 bytes)
//! nonce  = 4 zero bytes || counter        no additional data
//! ```
//!
//! After the counter comes a Noise transport message, byte for byte: AES-256-GCM with the Noise
//! nonce. The counter need not be in the additional data, because a record under another counter
//! has another nonce and does not open. Each direction has its own key and counts from 0 without
//! gaps. After every [`REKEY_INTERVAL`] records the key is replaced by Noise's `REKEY`; the counter
//! goes on.
//!
//! One bad record ends the channel: the [`Opener`] drops its key and answers
//! [`RecordError::Closed`] from then on. ring does not wipe its expanded keys, so the raw key is
//! wiped here and the expanded one lives no longer than its owner.
//!
//! Beside these there are [`expendable`] records, which may be lost, under a key of their own that
//! the same sealers and openers hold.

use std::{fmt, ops::Range};

use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM};
use thiserror::Error;

use crate::{
    identity::secret_bytes::SecretKey,
    secure_channel::record::expendable::{
        DroppedRecord, ExpendableOpener, ExpendableSealer, NUMBER_LENGTH,
    },
};

pub mod expendable;
pub mod replay_window;
#[cfg(test)]
mod tests;

/// Bytes before the ciphertext.
pub const COUNTER_LENGTH: usize = 8;

/// Bytes after the ciphertext.
pub const TAG_LENGTH: usize = 16;

/// Bytes that a record adds to its plaintext.
pub const OVERHEAD: usize = COUNTER_LENGTH + TAG_LENGTH;

/// Bytes of the longest plaintext: Noise allows 65,535 bytes with the tag, and its libraries
/// enforce that.
pub const MAX_PLAINTEXT: usize = 65_535 - TAG_LENGTH;

/// Records sealed with one key. At the largest size they are 4 GiB or 2^28 AES blocks, which leaves
/// an attacker an advantage of about 2^-72 (birthday bound on 128-bit blocks); the replaced key is
/// gone, and its successor opens nothing sent earlier.
pub const REKEY_INTERVAL: u64 = 65_536;

/// Records after which a new handshake is due. Rekeying adds no fresh secret; a handshake does, so
/// that whoever once stole a key is shut out again. 2^32 records are hours at full speed.
pub const REHANDSHAKE_RECORDS: u64 = 1 << 32;

/// Bytes of plaintext after which a new handshake is due: 1 TiB, for the same reason.
pub const REHANDSHAKE_BYTES: u64 = 1 << 40;

/// Records after which a direction stops. Whoever heeds [`REHANDSHAKE_RECORDS`] never gets here; it
/// is far below the last counter, 2^64 - 1, which Noise reserves.
pub const LAST_RECORD: u64 = 1 << 48;

/// The nonce that Noise reserves for deriving the next key.
const REKEY_COUNTER: u64 = u64::MAX;

/// Why a record was not sealed or not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Caller: too much plaintext for one record. The sealer stays usable.
    #[error("a record holds at most {MAX_PLAINTEXT} bytes, not {0}")]
    TooLong(usize),
    /// Peer or network: shorter than an empty record, or longer than the longest.
    #[error("a record of {0} bytes cannot be one")]
    BadLength(usize),
    /// Peer or network: this record was seen before, or comes after later ones.
    #[error("record {found} came again or too late; {expected} was next")]
    Repeated {
        /// The counter that should have come.
        expected: u64,
        /// The counter that came.
        found: u64,
    },
    /// Peer or network: records are missing.
    #[error("record {found} came before {expected}: records were lost or reordered")]
    Gap {
        /// The counter that should have come.
        expected: u64,
        /// The counter that came.
        found: u64,
    },
    /// Peer or network: the record was altered, or sealed with another key.
    #[error("record {0} is not authentic")]
    BadTag(u64),
    /// The direction has used all of its records.
    #[error("the channel has used all of its records; a new handshake is overdue")]
    Exhausted,
    /// An earlier error closed this direction.
    #[error("the channel was closed by an earlier record")]
    Closed,
}

/// What one direction has carried since its keys were agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Records of both kinds.
    pub records: u64,
    /// Bytes of plaintext.
    pub bytes: u64,
    /// Records that are [`expendable`].
    pub expendable: u64,
}

/// Seals the records of one direction.
pub struct Sealer {
    ordered: Direction,
    expendable: ExpendableSealer,
    /// Of the same handshake as `ordered`, while `expendable` is of the one before.
    next_expendable: Option<ExpendableSealer>,
}

impl Sealer {
    /// Starts at counter 0 with the key of a verified session.
    pub(crate) fn new(key: &SecretKey) -> Self {
        let expendable = ExpendableSealer::new(key);
        Self { ordered: Direction::new(key), expendable, next_expendable: None }
    }

    /// Replaces the keys of `before` in its channel. The peer may not be able to open expendable
    /// records under the new ones yet: those go on under the key of before until
    /// [`switch_expendable`](Self::switch_expendable).
    pub(crate) fn replace(&mut self, before: Self) {
        self.expendable.follow(&before.expendable);
        let next = std::mem::replace(&mut self.expendable, before.expendable);
        self.next_expendable = Some(next);
    }

    /// Seals expendable records with the new key too: the peer has it.
    pub(crate) fn switch_expendable(&mut self) {
        if let Some(next) = self.next_expendable.take() {
            self.expendable = next;
        }
    }

    /// Encrypts `plaintext` in place as an [`expendable`] record. Send the returned number before
    /// it and the tag after it. `None` if there may be no more of them under this key, or the
    /// plaintext is longer than [`MAX_PLAINTEXT`]; the sealer stays usable.
    pub fn seal_expendable_in_place(
        &mut self,
        plaintext: &mut [u8],
    ) -> Option<([u8; NUMBER_LENGTH], [u8; TAG_LENGTH])> {
        self.expendable.seal_in_place(plaintext)
    }

    /// Encrypts `plaintext` in place. Send the returned counter before it and the tag after it.
    ///
    /// # Errors
    /// [`RecordError::TooLong`] changes nothing; [`RecordError::Exhausted`] is final.
    pub fn seal_in_place(
        &mut self,
        plaintext: &mut [u8],
    ) -> Result<([u8; COUNTER_LENGTH], [u8; TAG_LENGTH]), RecordError> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(RecordError::TooLong(plaintext.len()));
        }
        let counter = self.ordered.counter;
        // ring fails here only beyond 64 GiB, and then the nonce must not be used again: close.
        let key = self.ordered.key()?;
        let sealed = key.seal_in_place_separate_tag(nonce(counter), Aad::empty(), plaintext);
        let Ok(sealed) = sealed else { return Err(self.ordered.close(RecordError::Closed)) };
        self.ordered.advance(plaintext.len())?;
        let mut tag = [0; TAG_LENGTH];
        tag.copy_from_slice(sealed.as_ref());
        Ok((counter.to_be_bytes(), tag))
    }

    /// The counter of the next record.
    #[must_use]
    pub fn next_counter(&self) -> u64 {
        self.ordered.counter
    }

    /// What the present keys and those derived from them have sealed.
    #[must_use]
    pub fn volume(&self) -> Volume {
        self.ordered.volume(self.expendable.sealed())
    }
}

/// Opens the records of the other direction, each exactly once and in order.
pub struct Opener {
    ordered: Direction,
    expendable: ExpendableOpener,
}

impl Opener {
    /// Starts at counter 0 with the key of a verified session.
    pub(crate) fn new(key: &SecretKey) -> Self {
        Self { ordered: Direction::new(key), expendable: ExpendableOpener::new(key) }
    }

    /// The same, with the keys that replace those of `before` in its channel.
    pub(crate) fn after(mut self, before: &Self) -> Self {
        self.expendable.follow(&before.expendable);
        self
    }

    /// Checks and decrypts an [`expendable`] record in place, each at most once and in any order;
    /// returns the range of the plaintext in it.
    ///
    /// # Errors
    /// Says why the record is to be dropped. Nothing else follows from that.
    pub fn open_expendable_in_place_range(
        &mut self,
        record: &mut [u8],
    ) -> Result<Range<usize>, DroppedRecord> {
        self.expendable.open_in_place_range(record)
    }

    /// What opens its expendable records, and those alone.
    pub(crate) fn expendable(&mut self) -> &mut ExpendableOpener {
        &mut self.expendable
    }

    /// Drops the key for all other records.
    pub(crate) fn into_expendable(self) -> ExpendableOpener {
        self.expendable
    }

    /// Checks and decrypts a record in place; returns the plaintext inside it.
    ///
    /// # Errors
    /// Every error is final. The contents of `record` are then unspecified and must not be used.
    pub fn open_in_place<'a>(&mut self, record: &'a mut [u8]) -> Result<&'a mut [u8], RecordError> {
        let plaintext = self.open_in_place_range(record)?;
        Ok(&mut record[plaintext])
    }

    /// The same, for buffers that slice themselves: returns the range of the plaintext in `record`.
    ///
    /// # Errors
    /// As [`Opener::open_in_place`].
    pub fn open_in_place_range(&mut self, record: &mut [u8]) -> Result<Range<usize>, RecordError> {
        self.ordered.key()?;
        self.try_open(record).map_err(|error| self.ordered.close(error))
    }

    fn try_open(&mut self, record: &mut [u8]) -> Result<Range<usize>, RecordError> {
        let length = record.len();
        let (counter, sealed) = match record.split_first_chunk_mut::<COUNTER_LENGTH>() {
            Some((counter, sealed))
                if (TAG_LENGTH..=MAX_PLAINTEXT + TAG_LENGTH).contains(&sealed.len()) =>
            {
                (counter, sealed)
            }
            _ => return Err(RecordError::BadLength(length)),
        };
        let (expected, found) = (self.ordered.counter, u64::from_be_bytes(*counter));
        match found {
            _ if found < expected => return Err(RecordError::Repeated { expected, found }),
            _ if found > expected => return Err(RecordError::Gap { expected, found }),
            _ => {}
        }
        let opened = self.ordered.key()?.open_in_place(nonce(found), Aad::empty(), sealed);
        let plaintext = opened.map_err(|_| RecordError::BadTag(found))?.len();
        self.ordered.advance(plaintext)?;
        Ok(COUNTER_LENGTH..length - TAG_LENGTH)
    }

    /// The counter of the next record.
    #[must_use]
    pub fn next_counter(&self) -> u64 {
        self.ordered.counter
    }

    /// What the present keys and those derived from them have opened.
    #[must_use]
    pub fn volume(&self) -> Volume {
        self.ordered.volume(self.expendable.opened())
    }
}

/// What both ends of a direction keep in step: key, counter, volume.
struct Direction {
    /// `Err` says why the direction is over.
    key: Result<LessSafeKey, RecordError>,
    counter: u64,
    bytes: u64,
}

impl Direction {
    fn new(key: &SecretKey) -> Self {
        Self { key: Ok(expand(key)), counter: 0, bytes: 0 }
    }

    fn key(&self) -> Result<&LessSafeKey, RecordError> {
        self.key.as_ref().map_err(|reason| *reason)
    }

    /// Drops the key and returns the error.
    fn close(&mut self, error: RecordError) -> RecordError {
        self.key = Err(RecordError::Closed);
        error
    }

    /// Counts one record, and replaces the key as soon as that is due, so that the old one is gone
    /// early.
    fn advance(&mut self, bytes: usize) -> Result<(), RecordError> {
        self.counter += 1; // At most LAST_RECORD, below.
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.counter >= LAST_RECORD {
            self.key = Err(RecordError::Exhausted);
        } else if self.counter.is_multiple_of(REKEY_INTERVAL) {
            self.key = Ok(next_key(self.key()?)?);
        }
        Ok(())
    }

    /// With the expendable records and their bytes.
    fn volume(&self, (expendable, bytes): (u64, u64)) -> Volume {
        let (records, bytes) = (self.counter + expendable, self.bytes.saturating_add(bytes));
        Volume { records, bytes, expendable }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer(next record {}, key redacted)", self.ordered.counter)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener(next record {}, key redacted)", self.ordered.counter)
    }
}

/// Noise's `REKEY` (section 11.3): 32 zero bytes encrypted under the reserved nonce, the tag left
/// out.
fn next_key(key: &LessSafeKey) -> Result<LessSafeKey, RecordError> {
    let mut next = [0; SecretKey::LENGTH];
    let derived = key.seal_in_place_separate_tag(nonce(REKEY_COUNTER), Aad::empty(), &mut next);
    derived.map(drop).map_err(|_| RecordError::Closed)?;
    Ok(expand(&SecretKey::take(&mut next)))
}

fn expand(key: &SecretKey) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, key.expose())
        .expect("ring rejects only lengths other than 32, and the type has 32");
    LessSafeKey::new(key)
}

fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}
