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

    /// Fails where the next bytes, which may begin and end anywhere, are not the ones that were sent.
    pub(crate) fn check(&mut self, bytes: &[u8]) -> io::Result<()> {
        let begin = self.offset;
        self.offset += bytes.len() as u64;
        let every = STAMP_EVERY as u64;
        let mut stamps = (begin / every * every..self.offset).step_by(STAMP_EVERY);
        match stamps.find(|stamp| !is_stamped(*stamp, begin, bytes)) {
            None => Ok(()),
            Some(stamp) => Err(io::Error::other(format!("wrong data at offset {stamp}"))),
        }
    }
}

/// Whether as much of the stamp at this offset as is within `bytes`, which begin at `begin`, is there.
fn is_stamped(stamp: u64, begin: u64, bytes: &[u8]) -> bool {
    let written = stamp.to_be_bytes();
    (stamp..).zip(written).all(|(offset, byte)| {
        let place = offset.checked_sub(begin).map(|place| place as usize);
        place.and_then(|place| bytes.get(place)).is_none_or(|found| *found == byte)
    })
}
