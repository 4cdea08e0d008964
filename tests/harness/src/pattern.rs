//! Bytes that show where they belong: a byte that was lost, doubled, moved or sent to another stream
//! is seen by whoever checks.
//!
//! A pattern is a sequence of 8-byte words, each of which follows from the seed and its offset, so it
//! never repeats. Words that follow each other without a gap let every byte be checked. Words that
//! are [`STAMP_EVERY`] bytes apart cost next to nothing, so a benchmark measures the tunnel and not
//! the making of bytes; what is between them is not looked at.

use crate::random::{mix, GOLDEN};

/// Bytes of a word.
const WORD: u64 = 8;

/// From one stamp to the next: close enough that no piece of a record goes unseen.
const STAMP_EVERY: u64 = 4096;

/// An endless sequence of bytes, the same for the same seed.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    key: u64,
    /// From one word to the next.
    every: u64,
}

impl Pattern {
    /// The sequence of a seed, every byte of which is checked.
    pub fn new(seed: u64) -> Self {
        Self { key: mix(seed.wrapping_add(GOLDEN)), every: WORD }
    }

    /// The sequence of a seed of which only a word here and there is checked.
    pub fn stamps(seed: u64) -> Self {
        Self { every: STAMP_EVERY, ..Self::new(seed) }
    }

    /// Writes what stands at `offset`; leaves alone what is not checked.
    pub fn fill(&self, offset: u64, bytes: &mut [u8]) {
        for Part { place, expected, .. } in self.parts(offset, bytes.len()) {
            let (word, from) = expected;
            let length = place.len();
            bytes[place].copy_from_slice(&word[from..from + length]);
        }
    }

    /// What stands at `offset`.
    pub fn bytes(&self, offset: u64, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.fill(offset, &mut bytes);
        bytes
    }

    /// Compares what arrived at `offset`.
    ///
    /// # Errors
    /// The offset of the first byte that is wrong.
    pub fn check(&self, offset: u64, arrived: &[u8]) -> Result<(), u64> {
        for Part { place, expected } in self.parts(offset, arrived.len()) {
            let (word, from) = expected;
            let (begin, found) = (place.start, &arrived[place]);
            let expected = &word[from..from + found.len()];
            if found != expected {
                let right = found.iter().zip(expected).take_while(|(is, should)| is == should);
                return Err(offset + begin as u64 + right.count() as u64);
            }
        }
        Ok(())
    }

    /// The words, or what there is of them, within `length` bytes at `offset`.
    fn parts(&self, offset: u64, length: usize) -> impl Iterator<Item = Part> {
        let Self { key, every } = *self;
        let end = offset + length as u64;
        let first = offset / every * every;
        let words = (0..).map(move |number| first + number * every);
        words.take_while(move |word| *word < end).filter_map(move |word| {
            let (begin, behind) = (word.max(offset), (word + WORD).min(end));
            let bytes = mix(key ^ (word / WORD).wrapping_mul(GOLDEN)).to_le_bytes();
            // Both are less than `length`, and the last one is less than a word.
            let place = (begin - offset) as usize..behind.checked_sub(offset)? as usize;
            let part = Part { place, expected: (bytes, (begin - word) as usize) };
            (begin < behind).then_some(part)
        })
    }
}

/// What is known of a few bytes.
struct Part {
    /// Where they are in what is filled or checked.
    place: std::ops::Range<usize>,
    /// The word that they belong to, and where in it they begin.
    expected: ([u8; WORD as usize], usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_the_same_in_whatever_pieces_it_is_made_and_checked() {
        for pattern in [Pattern::new(1), Pattern::stamps(1)] {
            let whole = pattern.bytes(0, 20_000);
            for piece in [1, 7, 8, 4095, 4097, 20_000] {
                let mut offset = 0;
                for bytes in whole.chunks(piece) {
                    assert_eq!(pattern.bytes(offset, bytes.len()), bytes, "{piece} at {offset}");
                    assert_eq!(pattern.check(offset, bytes), Ok(()), "{piece} at {offset}");
                    offset += bytes.len() as u64;
                }
            }
        }
    }

    #[test]
    fn the_first_wrong_byte_is_found() {
        let pattern = Pattern::new(2);
        let mut bytes = pattern.bytes(100, 1000);
        bytes[321] ^= 1;
        bytes[322] ^= 1;
        assert_eq!(pattern.check(100, &bytes), Err(421));
    }

    #[test]
    fn lost_doubled_and_foreign_bytes_are_found() {
        for (pattern, other) in
            [(Pattern::new(3), Pattern::new(4)), (Pattern::stamps(3), Pattern::stamps(4))]
        {
            let bytes = pattern.bytes(0, 10_000);
            assert!(pattern.check(0, &bytes[1..]).is_err(), "a byte is missing");
            assert!(pattern.check(4096, &bytes).is_err(), "a piece came twice");
            assert!(other.check(0, &bytes).is_err(), "another stream's");
        }
    }
}
