//! The node's budget for bytes that wait for the sockets of portals.
//!
//! Each stream may hold one receive window. As more streams are open, each may let its window grow
//! less far, so that all of them together stay within [`NODE_WINDOW_BYTES`] for up to a few hundred
//! stalled streams; beyond that each still has the least window that TCP-like speed needs.

use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use crate::portal::credit::{MAX_WINDOW, MIN_WINDOW};

/// Bytes that all streams of a node may hold together: half of what a node with stalled readers
/// may take in all.
pub const NODE_WINDOW_BYTES: u64 = 32 * 1024 * 1024;

/// Streams that a node has open at a time.
pub const MAX_STREAMS: u64 = 32_768;

/// How long nothing may come on a stream, whose path tells of no loss, before it asks: as long as an idle
/// channel does. Of two quiet ends one asks: 10,000 such streams send 670 messages a second.
pub const SILENCE: Duration = Duration::from_secs(15);

/// The open streams of a node; one for each node, as its extension.
#[derive(Debug)]
pub struct StreamPool {
    open: AtomicU64,
    silence_ms: AtomicU64,
}

impl Default for StreamPool {
    fn default() -> Self {
        let silence_ms = u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX).into();
        Self { open: AtomicU64::new(0), silence_ms }
    }
}

/// The place of one stream in the pool.
#[derive(Debug)]
pub struct Place {
    pool: Arc<StreamPool>,
}

impl StreamPool {
    /// Takes a place; `None` at [`MAX_STREAMS`].
    pub fn enter(self: Arc<Self>) -> Option<Place> {
        let place = Place { pool: self };
        let before = place.pool.open.fetch_add(1, Ordering::Relaxed);
        (before < MAX_STREAMS).then_some(place)
    }

    /// Another time than [`SILENCE`], for tests.
    pub fn set_silence(&self, silence: Duration) {
        let ms = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX);
        self.silence_ms.store(ms, Ordering::Relaxed);
    }

    /// How many streams are open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
}

impl Place {
    /// How long the stream's peer may be silent.
    pub fn silence(&self) -> Duration {
        Duration::from_millis(self.pool.silence_ms.load(Ordering::Relaxed))
    }

    /// How far, in bytes, the window of one stream may grow at this moment.
    pub fn receive_cap(&self) -> u64 {
        (NODE_WINDOW_BYTES / self.pool.open().max(1)).clamp(MIN_WINDOW, MAX_WINDOW)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_shrink_as_streams_open_and_places_come_back() {
        let pool = Arc::new(StreamPool::default());
        let first = pool.clone().enter().unwrap();
        assert_eq!(first.receive_cap(), MAX_WINDOW);
        let others: Vec<_> = (0..127).map(|_| pool.clone().enter().unwrap()).collect();
        assert_eq!(first.receive_cap(), NODE_WINDOW_BYTES / 128);
        drop(others);
        assert_eq!(pool.open(), 1);
    }
}
