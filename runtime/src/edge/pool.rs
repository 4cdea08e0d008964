//! Pools: bytes that many hold together, with one limit for all of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::limits::MESSAGE_OVERHEAD_BYTES;

/// What a message of `bytes` counts as, wherever messages are counted.
pub fn cost(bytes: usize) -> usize {
    bytes.saturating_add(MESSAGE_OVERHEAD_BYTES)
}

/// Counts what is held against a limit. It refuses nothing: whoever adds to it asks first whether
/// there is room, so that it exceeds its limit by no more than what each holder adds at a time.
#[derive(Debug)]
pub struct Pool {
    most: usize,
    used: AtomicUsize,
    freed: Notify,
}

impl Pool {
    /// An empty pool for `most` bytes.
    pub fn new(most: usize) -> Self {
        Self { most, used: AtomicUsize::new(0), freed: Notify::new() }
    }

    /// Whether less is held than may be.
    pub fn has_room(&self) -> bool {
        self.used() < self.most
    }

    /// Whether less than half of it is held.
    pub fn is_half_empty(&self) -> bool {
        self.used() < self.most / 2
    }

    /// Waits until there is room.
    pub async fn room(&self) {
        loop {
            // Made first: it notices what is given back from here on.
            let freed = self.freed.notified();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }

    /// Counts `bytes` more.
    pub fn add(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::SeqCst);
    }

    /// Counts `bytes` less, of those that were added.
    pub fn remove(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::SeqCst);
        if before >= self.most && before - bytes < self.most {
            self.freed.notify_waiters();
        }
    }

    /// Its limit in bytes.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Bytes that are held.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use futures::{executor::block_on, poll};

    use super::*;

    #[test]
    fn whoever_waits_goes_on_when_bytes_return() {
        let pool = Pool::new(100);
        block_on(async {
            pool.room().await;
            pool.add(150);
            let (mut one, mut other) = (Box::pin(pool.room()), Box::pin(pool.room()));
            assert!(poll!(&mut one).is_pending() && poll!(&mut other).is_pending());
            pool.remove(50);
            assert!(poll!(&mut one).is_pending(), "it is full still");
            pool.remove(1);
            one.await;
            other.await;
        });
        assert_eq!(pool.used(), 99);
    }
}
