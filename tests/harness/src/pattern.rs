//! Bytes that show where they belong: a check finds a byte that was lost, doubled, moved or sent to
//! another stream.
//!
//! All patterns repeat one block of random bytes, and each seed begins elsewhere in it. The block's
//! length is a prime, so that no two offsets between which a tunnel could swap chunks hold the same
//! bytes. A benchmark checks a few bytes here and there, which costs next to nothing: it measures
//! the tunnel and not the making of bytes.

use std::sync::OnceLock;

use crate::random::{mix, Random};

/// Bytes of the block.
const PERIOD: usize = 1_048_573;

/// The distance and the length of the spans that a benchmark checks: close enough that no piece of
/// a record goes unseen.
const STAMPS: Look = Look { every: 4096, width: 8 };

/// Every byte, in one span that no stream comes to the end of.
const ALL: Look = Look { every: 1 << 62, width: 1 << 62 };

/// An endless sequence of bytes, the same for the same seed.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// Where in the block it begins.
    start: u64,
    look: Look,
}

/// Which spans of a sequence are made and checked.
#[derive(Clone, Copy, Debug)]
struct Look {
    every: u64,
    width: u64,
}

impl Pattern {
    /// The sequence of a seed, every byte of which is checked.
    pub fn new(seed: u64) -> Self {
        Self { start: mix(seed) % PERIOD as u64, look: ALL }
    }

    /// The sequence of a seed of which only a few bytes here and there are made and checked.
    pub fn stamps(seed: u64) -> Self {
        Self { look: STAMPS, ..Self::new(seed) }
    }

    /// Writes the sequence from `offset` on into `bytes`; leaves those alone that are not checked.
    pub fn fill(&self, offset: u64, bytes: &mut [u8]) {
        for (mut at, end) in self.look.spans(offset, bytes.len()) {
            while at < end {
                let piece = self.at(at, end - at);
                let index = (at - offset) as usize;
                bytes[index..index + piece.len()].copy_from_slice(piece);
                at += piece.len() as u64;
            }
        }
    }

    /// `count` bytes of the sequence from `offset` on.
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
        for (mut at, end) in self.look.spans(offset, arrived.len()) {
            while at < end {
                let expected = self.at(at, end - at);
                let index = (at - offset) as usize;
                let found = &arrived[index..index + expected.len()];
                if found != expected {
                    let right = found.iter().zip(expected).take_while(|(is, should)| is == should);
                    return Err(at + right.count() as u64);
                }
                at += expected.len() as u64;
            }
        }
        Ok(())
    }

    /// The sequence from `offset` on: up to `most` bytes, and at least one.
    fn at(&self, offset: u64, most: u64) -> &'static [u8] {
        static BLOCK: OnceLock<Vec<u8>> = OnceLock::new();
        let block = BLOCK.get_or_init(|| Random::new(0).bytes(PERIOD));
        // Less than the period, so it is an index into the block.
        let begin = ((self.start + offset) % PERIOD as u64) as usize;
        let length = usize::try_from(most).unwrap_or(PERIOD).min(PERIOD - begin);
        &block[begin..begin + length]
    }
}

impl Look {
    /// The spans within `length` bytes at `offset`, each from its begin to its end.
    fn spans(self, offset: u64, length: usize) -> impl Iterator<Item = (u64, u64)> {
        let end = offset + length as u64;
        let first = offset / self.every * self.every;
        let all = (0..).map(move |number| first + number * self.every);
        let within = all.take_while(move |begin| *begin < end);
        // A span before the offset is empty, and loops from begin to end skip it.
        within.map(move |begin| (begin.max(offset), (begin + self.width).min(end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_does_not_depend_on_its_pieces() {
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
