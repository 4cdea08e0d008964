//! Bytes that show where they belong.
//!
//! A block of random bytes, again and again. Its length is a prime, so that no two places that a
//! tunnel's chunks could be swapped between hold the same bytes.

/// Bytes of the block.
const PERIOD: usize = 1_048_573;

/// An endless sequence of bytes, the same for the same seed.
pub(crate) struct Pattern {
    block: Vec<u8>,
}

impl Pattern {
    /// The sequence of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1;
        let words = std::iter::repeat_with(|| {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        Self { block: words.flatten().take(PERIOD).collect() }
    }

    /// What stands at `offset`, up to `length` bytes and at least one.
    pub(crate) fn at(&self, offset: u64, length: u64) -> &[u8] {
        let begin = usize::try_from(offset % PERIOD as u64).unwrap();
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(PERIOD - begin);
        &self.block[begin..begin + length]
    }

    /// Compares what arrived at `offset`; gives the offset of the first byte that is wrong.
    pub(crate) fn check(&self, mut offset: u64, mut arrived: &[u8]) -> Result<(), u64> {
        while !arrived.is_empty() {
            let expected = self.at(offset, arrived.len() as u64);
            let (now, later) = arrived.split_at(expected.len());
            if now != expected {
                let wrong = now.iter().zip(expected).take_while(|(is, should)| is == should);
                return Err(offset + wrong.count() as u64);
            }
            offset += now.len() as u64;
            arrived = later;
        }
        Ok(())
    }
}
