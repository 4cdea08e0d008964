//! How much a peer may send before it is read: little at first, and more for a connection that is
//! read as fast as it comes, as long as the node has bytes to give.
//!
//! Bytes that have arrived out of order are kept in this process, not in the system. So a peer that
//! sends a lot and leaves out the first byte must not be able to fill it.

use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use ockam_actix_runtime::clock::Instant;

use crate::quic::limits::{MAX_RECEIVE_BYTES, MIN_RECEIVE_BYTES, SHARED_RECEIVE_BYTES};

/// Bytes that the connections of a node may give their peers beyond what each has.
#[derive(Clone, Debug)]
pub(crate) struct SharedBytes(Arc<AtomicU64>);

impl Default for SharedBytes {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(SHARED_RECEIVE_BYTES)))
    }
}

impl SharedBytes {
    fn take(&self, bytes: u64) -> bool {
        let less = |left: u64| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// The window of one connection.
#[derive(Debug)]
pub(super) struct ReceiveWindow {
    shared: SharedBytes,
    bytes: u64,
    /// What was read since a window's worth had been read last.
    read: u64,
    since: Instant,
}

impl ReceiveWindow {
    pub(super) fn new(shared: SharedBytes) -> Self {
        Self { shared, bytes: MIN_RECEIVE_BYTES, read: 0, since: Instant::now() }
    }

    /// Counts what was read; returns the new size of the window if it is to grow. It does when a
    /// whole one was read within two round trips: then the peer, or the path, waits for it.
    pub(super) fn count(
        &mut self,
        read: usize,
        now: Instant,
        round_trip: impl FnOnce() -> Duration,
    ) -> Option<u64> {
        self.read += read as u64;
        if self.read < self.bytes || self.bytes >= MAX_RECEIVE_BYTES {
            return None;
        }
        let took = now - self.since;
        (self.read, self.since) = (0, now);
        if took > 2 * round_trip() || !self.shared.take(self.bytes) {
            return None;
        }
        self.bytes *= 2;
        Some(self.bytes)
    }
}

impl Drop for ReceiveWindow {
    fn drop(&mut self) {
        self.shared.0.fetch_add(self.bytes - MIN_RECEIVE_BYTES, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(100);

    /// Reads windows of one connection, each within `time`, and returns how large they became.
    fn after_windows(shared: &SharedBytes, count: usize, time: Duration) -> (ReceiveWindow, u64) {
        let mut window = ReceiveWindow::new(shared.clone());
        let mut now = window.since;
        for _ in 0..count {
            now += time;
            let most = usize::try_from(window.bytes).unwrap();
            assert_eq!(window.count(most - 1, now, || ROUND_TRIP), None);
            window.count(1, now, || ROUND_TRIP);
        }
        let bytes = window.bytes;
        (window, bytes)
    }

    #[test]
    fn a_fast_reader_gets_up_to_the_most() {
        let shared = SharedBytes::default();
        assert_eq!(after_windows(&shared, 1, ROUND_TRIP).1, 2 * MIN_RECEIVE_BYTES);
        assert_eq!(after_windows(&shared, 20, ROUND_TRIP).1, MAX_RECEIVE_BYTES);
    }

    #[test]
    fn a_slow_reader_gets_no_more() {
        let shared = SharedBytes::default();
        assert_eq!(after_windows(&shared, 20, 3 * ROUND_TRIP).1, MIN_RECEIVE_BYTES);
    }

    #[test]
    fn many_share_what_the_node_has() {
        let shared = SharedBytes::default();
        let all: Vec<_> = (0..40).map(|_| after_windows(&shared, 20, ROUND_TRIP)).collect();
        let given: u64 = all.iter().map(|(_, bytes)| bytes - MIN_RECEIVE_BYTES).sum();
        assert!(given <= SHARED_RECEIVE_BYTES, "{given}");
        assert_eq!(all.last().unwrap().1, MIN_RECEIVE_BYTES);
        drop(all);
        assert_eq!(shared.0.load(Ordering::Relaxed), SHARED_RECEIVE_BYTES);
    }
}
