//! The reuse of large buffers.
//!
//! Bulk data passes through a node in buffers that live for microseconds. An allocator gives each
//! of them back to the system, and the next one then costs a page fault for every 4 KiB: with a
//! hundred busy streams that was a quarter of a node's time. So every thread remembers the last
//! buffers that it lent and lends them again when nobody holds a part of them, the latest first, as
//! the processor's cache still has it. That is at most 3 MB for each thread.

use std::cell::RefCell;

use bytes::BytesMut;

/// Buffers of one size, and how many of them a thread remembers: about what its edges have room
/// for.
struct Size {
    capacity: usize,
    remembered: usize,
}

/// For one chunk of a portal, and for a read of several frames after the beginning of another.
const SIZES: [Size; 2] =
    [Size { capacity: 64 * 1024, remembered: 16 }, Size { capacity: 320 * 1024, remembered: 6 }];

/// Smaller ones are left to the allocator, which has them at hand.
const SMALLEST: usize = 32 * 1024;

thread_local! {
    /// An empty part of each buffer that was lent: it becomes the whole once the others are gone.
    static LENT: [RefCell<Vec<BytesMut>>; SIZES.len()] =
        const { [const { RefCell::new(Vec::new()) }; SIZES.len()] };
}

/// An empty buffer with room for at least `capacity` bytes.
///
/// It may be split, frozen, sent to other threads and dropped like any other.
///
/// ```
/// let mut buffer = ockam_actix_runtime::socket::buffers::take(60_000);
/// buffer.extend_from_slice(b"head and body");
/// let address = buffer.as_ptr();
/// drop(buffer);
/// assert_eq!(ockam_actix_runtime::socket::buffers::take(50_000).as_ptr(), address);
/// ```
pub fn take(capacity: usize) -> BytesMut {
    match SIZES.iter().position(|size| capacity <= size.capacity) {
        Some(index) if capacity >= SMALLEST => {
            LENT.with(|lent| lend(&mut lent[index].borrow_mut(), &SIZES[index]))
        }
        _ => BytesMut::with_capacity(capacity),
    }
}

fn lend(lent: &mut Vec<BytesMut>, size: &Size) -> BytesMut {
    let free = lent.iter_mut().rposition(|part| part.try_reclaim(size.capacity));
    let mut buffer = match free {
        Some(index) => lent.remove(index),
        None => BytesMut::with_capacity(size.capacity),
    };
    if lent.len() < size.remembered {
        lent.push(buffer.split_off(size.capacity));
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A full buffer for a chunk, and its address.
    fn chunk() -> (BytesMut, *const u8) {
        let mut buffer = take(60 * 1024);
        buffer.resize(60 * 1024, 1);
        let address = buffer.as_ptr();
        (buffer, address)
    }

    #[test]
    fn a_buffer_without_parts_is_lent_again() {
        let (mut buffer, address) = chunk();
        let frozen = buffer.split_to(100).freeze();
        drop(buffer);
        let (other, elsewhere) = chunk();
        assert_ne!(elsewhere, address);
        drop(frozen);
        let again = take(64 * 1024);
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (address, 0, 64 * 1024));
        drop(other);
    }

    #[test]
    fn the_latest_comes_first() {
        let (first, _) = chunk();
        let (second, address) = chunk();
        drop((first, second));
        assert_eq!(chunk().1, address);
    }

    #[test]
    fn what_another_thread_has_dropped_is_lent_again() {
        let (buffer, address) = chunk();
        std::thread::spawn(move || drop(buffer)).join().expect("the thread ends");
        assert_eq!(chunk().1, address);
    }

    #[test]
    fn no_more_are_remembered_than_the_edges_hold() {
        let many: Vec<_> = (0..40).map(|_| chunk()).collect();
        drop(many);
        LENT.with(|lent| assert_eq!(lent[0].borrow().len(), SIZES[0].remembered));
    }

    #[test]
    fn every_capacity_is_served() {
        for capacity in [0, 1, SMALLEST - 1, SMALLEST, 64 * 1024 + 1, 320 * 1024 + 1, 1 << 20] {
            assert!(take(capacity).capacity() >= capacity, "{capacity}");
        }
    }
}
