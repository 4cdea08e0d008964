//! The bytes that streams carry: every [`BLOCK`] is full of stamps that say where in the stream they belong, so that a
//! byte lost, doubled or moved is seen by whoever checks.

use std::io;

/// Bytes that sources write and sinks read at once.
pub(crate) const BLOCK: usize = 256 * 1024;

/// Between two stamps. Close enough that no piece of a record goes unseen, sparse enough to cost a source nothing.
const STAMP_EVERY: usize = 4096;

/// Makes, or checks, the blocks of one stream in turn.
#[derive(Debug, Default)]
pub(crate) struct Pattern {
    offset: u64,
}

impl Pattern {
    /// Stamps the next block.
    pub(crate) fn stamp(&mut self, block: &mut [u8]) {
        for place in block.chunks_mut(STAMP_EVERY) {
            let length = place.len().min(8);
            place[..length].copy_from_slice(&self.offset.to_be_bytes()[..length]);
            self.offset += place.len() as u64;
        }
    }

    /// Fails where the next block, as it was received, is not the one that was sent.
    pub(crate) fn check(&mut self, block: &[u8]) -> io::Result<()> {
        for place in block.chunks(STAMP_EVERY) {
            let length = place.len().min(8);
            if place[..length] != self.offset.to_be_bytes()[..length] {
                return Err(io::Error::other(format!("wrong data at offset {}", self.offset)));
            }
            self.offset += place.len() as u64;
        }
        Ok(())
    }
}
