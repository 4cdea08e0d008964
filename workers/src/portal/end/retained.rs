//! What was sent and not acknowledged, to be sent again along another path.
//!
//! A chunk is copied when it is sent, as sealing it for a channel replaces its bytes. Small chunks
//! share a block, so that single bytes cost little more than their size.

use std::collections::VecDeque;

use bytes::BytesMut;
use ockam_actix_runtime::socket::buffers;

use crate::portal::{limits::RETAINED_BLOCK_BYTES, protocol::offset::Offset};

/// Bytes in the order of the stream, in blocks.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    blocks: VecDeque<BytesMut>,
    /// The offset of the first byte of the first block.
    start: u64,
    /// How many bytes of the first block are forgotten.
    skipped: usize,
    bytes: usize,
}

impl Retained {
    /// Adds the next bytes.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len();
        match self.blocks.back_mut() {
            Some(last) if last.capacity() - last.len() >= chunk.len() => {
                last.extend_from_slice(chunk);
            }
            _ => {
                let mut block = buffers::take(chunk.len().max(RETAINED_BLOCK_BYTES));
                block.extend_from_slice(chunk);
                self.blocks.push_back(block);
            }
        }
    }

    /// Forgets what lies before `offset`.
    pub(crate) fn forget_to(&mut self, offset: Offset) {
        let first = self.start + self.skipped as u64;
        let forgotten = usize::try_from(offset.value().saturating_sub(first)).unwrap_or(usize::MAX);
        let mut forgotten = forgotten.min(self.bytes);
        self.bytes -= forgotten;
        while let Some(block) = self.blocks.front() {
            let left = block.len() - self.skipped;
            if forgotten < left {
                self.skipped += forgotten;
                return;
            }
            forgotten -= left;
            self.start += block.len() as u64;
            self.skipped = 0;
            self.blocks.pop_front();
        }
    }

    /// Up to `most` bytes from `offset` on; fewer where a block ends.
    pub(crate) fn from(&self, offset: Offset, most: usize) -> &[u8] {
        let Some(mut at) = offset.value().checked_sub(self.start) else { return &[] };
        for block in &self.blocks {
            let len = block.len() as u64;
            if at < len {
                let from = usize::try_from(at).unwrap_or(block.len());
                let rest = &block[from..];
                return &rest[..rest.len().min(most)];
            }
            at -= len;
        }
        &[]
    }

    /// How many bytes there are.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(retained: &Retained, from: u64) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let part = retained.from(Offset::new(from + all.len() as u64), 100);
            if part.is_empty() {
                return all;
            }
            all.extend_from_slice(part);
        }
    }

    #[test]
    fn bytes_come_again_from_any_offset() {
        let mut retained = Retained::default();
        let sent: Vec<u8> = (0..20_000_u32).map(|byte| (byte / 7) as u8).collect();
        for chunk in sent.chunks(777) {
            retained.push(chunk);
        }
        for from in [0, 1, 776, 777, 1_024, 19_999, 20_000] {
            assert_eq!(all(&retained, from as u64), sent[from..]);
        }
        for to in [0, 5, 777, 5_000, 4_000, 19_999] {
            retained.forget_to(Offset::new(to));
            let kept = sent.len() - to.max(if to == 4_000 { 5_000 } else { 0 }) as usize;
            assert_eq!(retained.bytes(), kept);
            assert_eq!(all(&retained, (sent.len() - kept) as u64), sent[sent.len() - kept..]);
        }
        retained.forget_to(Offset::new(20_000));
        assert_eq!((retained.bytes(), retained.blocks.len()), (0, 0));
        retained.push(b"more");
        assert_eq!(all(&retained, 20_000), b"more");
    }

    #[test]
    fn single_bytes_share_blocks() {
        let mut retained = Retained::default();
        for byte in 0..5_000_u32 {
            retained.push(&[byte as u8]);
        }
        assert!(retained.blocks.len() <= 5_000 / RETAINED_BLOCK_BYTES + 1);
    }
}
