//! The received bytes that a socket has not taken yet.
//!
//! A chunk comes as a part of a buffer that the connection read at once, with chunks for others
//! before and after it. Most are written in the same turn, and copying them would be in vain. One
//! that has to wait is copied: otherwise a reader that stopped would keep five times its window in
//! memory.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};

use crate::portal::limits::{JOINED_BYTES, MAX_WRITE_SLICES};

/// Chunks in the order of the stream.
#[derive(Debug, Default)]
pub(crate) struct WriteBuffer {
    chunks: VecDeque<Bytes>,
    /// How many of the last chunks are still parts of read buffers.
    shared: usize,
}

impl WriteBuffer {
    /// Adds a chunk that may be a part of a read buffer.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.chunks.push_back(chunk);
        self.shared += 1;
    }

    /// Gives what is left memory of its own, when the socket takes no more for now.
    ///
    /// Small chunks are joined, so that single bytes from a peer cost little more than their size.
    pub(crate) fn settle(&mut self) {
        let settled = self.chunks.len().saturating_sub(std::mem::take(&mut self.shared));
        if settled == self.chunks.len() {
            return;
        }
        for chunk in self.chunks.split_off(settled) {
            match self.chunks.back_mut() {
                Some(last) if last.len() + chunk.len() <= JOINED_BYTES => {
                    *last = Bytes::from([&last[..], &chunk].concat());
                }
                _ => self.chunks.push_back(Bytes::copy_from_slice(&chunk)),
            }
        }
    }

    /// The bytes for one vectored write, and how many slices there are.
    pub(crate) fn slices(&self) -> ([IoSlice<'_>; MAX_WRITE_SLICES], usize) {
        let mut slices = [IoSlice::new(&[]); MAX_WRITE_SLICES];
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slice = IoSlice::new(chunk);
        }
        (slices, self.chunks.len().min(MAX_WRITE_SLICES))
    }

    /// Removes the bytes that the socket took.
    pub(crate) fn advance(&mut self, mut written: usize) {
        while let Some(chunk) = self.chunks.front_mut() {
            let own = written.min(chunk.len());
            chunk.advance(own);
            written -= own;
            if !chunk.is_empty() {
                break;
            }
            self.chunks.pop_front();
        }
    }

    /// The bytes of all chunks.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    /// The bytes that one write offers to the socket.
    fn text(write_buffer: &WriteBuffer) -> Vec<u8> {
        let (slices, count) = write_buffer.slices();
        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn bytes_leave_in_order_whatever_each_write_takes() {
        let mut write_buffer = WriteBuffer::default();
        for chunk in ["one", "two", "three"] {
            write_buffer.push(Bytes::from(chunk));
        }
        assert_eq!((text(&write_buffer), write_buffer.bytes()), (b"onetwothree".to_vec(), 11));
        write_buffer.advance(4);
        assert_eq!(text(&write_buffer), b"wothree");
        write_buffer.settle();
        write_buffer.push(Bytes::from("four"));
        write_buffer.advance(7);
        assert_eq!(text(&write_buffer), b"four");
        write_buffer.advance(4);
        assert!(write_buffer.is_empty() && write_buffer.bytes() == 0);
        write_buffer.settle();
    }

    #[test]
    fn chunks_beyond_one_write_leave_with_the_next() {
        let mut write_buffer = WriteBuffer::default();
        (0..20_u8).for_each(|byte| write_buffer.push(Bytes::from(vec![byte])));
        assert_eq!(text(&write_buffer), (0..16).collect::<Vec<_>>());
        write_buffer.advance(16);
        assert_eq!(text(&write_buffer), (16..20).collect::<Vec<_>>());
    }

    #[test]
    fn single_bytes_that_have_to_wait_are_joined() {
        let mut write_buffer = WriteBuffer::default();
        let sent: Vec<u8> = (0..5_000_u32).map(|byte| byte as u8).collect();
        for bytes in sent.chunks(8) {
            bytes.iter().for_each(|byte| write_buffer.push(Bytes::copy_from_slice(&[*byte])));
            write_buffer.settle();
        }
        assert_eq!(write_buffer.chunks.len(), 5);
        assert_eq!(text(&write_buffer), sent);
    }

    #[test]
    fn what_has_to_wait_keeps_no_read_buffer() {
        let mut read = BytesMut::with_capacity(1_000);
        read.extend_from_slice(&[7; 600]);
        let mut write_buffer = WriteBuffer::default();
        write_buffer.push(read.split_to(100).freeze());
        write_buffer.push(read.split_to(100).freeze());
        write_buffer.advance(150);
        read.clear();
        assert!(!read.try_reclaim(1_000), "a chunk is a part of it");
        write_buffer.settle();
        assert!(read.try_reclaim(1_000), "nothing but the copy is left");
        assert_eq!(text(&write_buffer), [7; 50]);
    }
}
