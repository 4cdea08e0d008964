//! The bytes that a stream carries: each follows from the stream's number, the direction and its offset, so that a byte that
//! was lost, doubled, moved or sent to another stream is seen by whoever reads it.

use crate::random::{mix, GOLDEN};
use std::io;

/// Bytes of a word, which are made together.
const WORD: u64 = 8;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the client to the target.
    Up,
    /// From the target to the client.
    Down,
}

/// What one direction of one stream carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    stream: u64,
    direction: Direction,
    key: u64,
}

impl Pattern {
    /// Of a stream, by its number.
    pub(crate) fn new(stream: u64, direction: Direction) -> Self {
        let key = mix(stream.wrapping_mul(2).wrapping_add(direction as u64).wrapping_add(GOLDEN));
        Self { stream, direction, key }
    }

    /// Writes what stands at `offset`.
    pub(crate) fn fill(&self, offset: u64, mut bytes: &mut [u8]) {
        let mut offset = offset;
        while !bytes.is_empty() {
            let (word, skip, length) = self.at(offset, bytes.len());
            let (now, later) = bytes.split_at_mut(length);
            now.copy_from_slice(&word[skip..skip + length]);
            offset += length as u64;
            bytes = later;
        }
    }

    /// Fails where these are not the bytes that stand at `offset`.
    pub(crate) fn check(&self, offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        let mut offset = offset;
        while !bytes.is_empty() {
            let (word, skip, length) = self.at(offset, bytes.len());
            let (now, later) = bytes.split_at(length);
            if *now != word[skip..skip + length] {
                let text = format!(
                    "a wrong byte at or just behind {offset}, {:?}, of stream {}",
                    self.direction, self.stream
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            offset += length as u64;
            bytes = later;
        }
        Ok(())
    }

    /// The word that `offset` is in, where in it that is, and how many of `most` bytes are in it.
    fn at(&self, offset: u64, most: usize) -> ([u8; WORD as usize], usize, usize) {
        let word = mix(self.key ^ (offset / WORD).wrapping_mul(GOLDEN));
        let skip = (offset % WORD) as usize;
        (word.to_le_bytes(), skip, most.min(WORD as usize - skip))
    }
}
