//! The node's budget for bytes that wait for the sockets of portals.
//!
//! All that a stream lets its peer send may arrive and wait, so that much is promised until the
//! socket has taken it: no grant can be taken back. The pool counts what all streams of a node have
//! promised:
//!
//! * Each has [`MIN_WINDOW`], whatever the others hold, and begins with up to [`INITIAL_WINDOW`]
//!   while half of [`stream_bytes`](NodeLimits::stream_bytes) is free: streams that stay idle leave
//!   the other half to those that need it.
//! * A window that grows takes at most half of what is free of seven eighths, so that something is
//!   left for the next. The more streams have grown, the less far each may grow, and those that
//!   hold more shrink as their readers go on.
//! * The last eighth is for windows that have not grown yet, up to [`INITIAL_WINDOW`] or a little
//!   more: so they come to count among those that have, and these make room for them.
//!
//! So stalled readers cost at most [`stream_bytes`](NodeLimits::stream_bytes) and [`MIN_WINDOW`]
//! each, however far their windows had grown before: 500 of them stay within 64 MiB. The cost:
//! streams that have grown and are idle hold what they were granted until they end.

use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use ockam_actix_runtime::{Host, Node, NodeLimits};

use crate::portal::limits::{
    FIRST_WINDOWS, GROWTH_EIGHTHS, INITIAL_WINDOW, MAX_WINDOW, MIN_WINDOW, SILENCE,
};

/// The open streams of a node; one for each node, as its extension.
#[derive(Debug)]
pub struct StreamPool {
    /// How many streams may be open, and what they may hold.
    most: u64,
    bytes: u64,
    open: AtomicU64,
    /// Bytes that all of them have promised to hold.
    promised: AtomicU64,
    /// How many have promised more than they began with.
    grown: AtomicU64,
    silence_ms: AtomicU64,
}

/// The slot of one stream in the pool.
#[derive(Debug)]
pub struct StreamSlot {
    pool: Arc<StreamPool>,
    first: u64,
    promised: u64,
}

impl StreamPool {
    /// A pool without streams, for as many of them and as many bytes as `limits` say.
    pub fn new(limits: &NodeLimits) -> Self {
        let silence_ms = u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX).into();
        let [open, promised, grown] = [0; 3].map(AtomicU64::new);
        let (most, bytes) = (limits.streams, limits.stream_bytes);
        Self { most, bytes, open, promised, grown, silence_ms }
    }

    /// The pool of `node`.
    pub fn of(node: &Node) -> Arc<Self> {
        node.extension(|| Self::new(node.limits()))
    }

    /// Takes a slot; `None` if as many streams are open as may be.
    pub fn enter(self: Arc<Self>) -> Option<StreamSlot> {
        let most = self.most;
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let spare = self.free(self.bytes / 2);
        let first = (spare / FIRST_WINDOWS).clamp(MIN_WINDOW, INITIAL_WINDOW);
        self.promised.fetch_add(first, Ordering::Relaxed);
        let slot = StreamSlot { pool: self, first, promised: first };
        (before < most).then_some(slot)
    }

    /// Sets another time than [`SILENCE`], for tests.
    pub fn set_silence(&self, silence: Duration) {
        let ms = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX);
        self.silence_ms.store(ms, Ordering::Relaxed);
    }

    /// The free part of the first `bytes` of the budget.
    fn free(&self, bytes: u64) -> u64 {
        bytes.saturating_sub(self.promised.load(Ordering::Relaxed))
    }

    /// How many streams are open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
}

impl StreamSlot {
    /// How long the stream's peer may be silent.
    pub fn silence(&self) -> Duration {
        Duration::from_millis(self.pool.silence_ms.load(Ordering::Relaxed))
    }

    /// The window in bytes that the stream begins with.
    pub const fn first_window(&self) -> u64 {
        self.first
    }

    /// How far, in bytes, the window of the stream may grow at this moment.
    pub fn receive_cap(&self) -> u64 {
        let growth = self.pool.bytes / 8 * GROWTH_EIGHTHS;
        let others = self.pool.grown.load(Ordering::Relaxed) - u64::from(self.has_grown());
        let share = growth / (others + 1);
        let least = INITIAL_WINDOW.max(self.first + MIN_WINDOW);
        let least = least.min(self.promised + self.pool.free(self.pool.bytes));
        let most = least.max(self.promised + self.pool.free(growth) / 2);
        most.min(share).clamp(MIN_WINDOW, MAX_WINDOW)
    }

    /// Notes how many bytes the stream's peer may send, or has sent, that the socket has not taken.
    pub fn promise(&mut self, bytes: u64) {
        let (had_grown, before) = (self.has_grown(), self.promised);
        self.promised = bytes;
        // Both additions wrap around where a count gets smaller.
        self.pool.promised.fetch_add(self.promised.wrapping_sub(before), Ordering::Relaxed);
        let grown = u64::from(self.has_grown()).wrapping_sub(had_grown.into());
        self.pool.grown.fetch_add(grown, Ordering::Relaxed);
    }

    const fn has_grown(&self) -> bool {
        self.promised > self.first
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.promise(self.first);
        self.pool.promised.fetch_sub(self.first, Ordering::Relaxed);
        self.pool.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// Grows the window of a stream whose reader takes everything, until it grows no more.
    fn grow(slot: &mut StreamSlot) -> u64 {
        let mut window = slot.first_window();
        loop {
            let next = (2 * window).min(slot.receive_cap());
            if next <= window {
                return window;
            }
            window = next;
            slot.promise(window);
        }
    }

    fn slots(pool: &Arc<StreamPool>, count: usize) -> Vec<StreamSlot> {
        (0..count).map(|_| pool.clone().enter().unwrap()).collect()
    }

    #[test]
    fn a_stream_among_idle_ones_can_grow() {
        let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
        let idle = slots(&pool, 100);
        assert_eq!(idle[0].first_window(), INITIAL_WINDOW);
        assert_eq!(idle[99].first_window(), MIN_WINDOW);
        assert!(grow(&mut pool.clone().enter().unwrap()) > 8 * MIB);
        assert_eq!(
            grow(&mut Arc::new(StreamPool::new(&NodeLimits::default())).enter().unwrap()),
            MAX_WINDOW
        );
    }

    #[test]
    fn stalled_streams_hold_little_more_than_the_budget() {
        for count in [2, 30, 200] {
            let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
            let mut all = slots(&pool, count);
            let held: u64 = all.iter_mut().map(grow).sum();
            assert_eq!(held, pool.promised.load(Ordering::Relaxed));
            assert!(
                held <= NodeLimits::default().stream_bytes + count as u64 * MIN_WINDOW,
                "{count}: {held}"
            );
        }
    }

    #[test]
    fn late_streams_find_room_after_others_have_stalled() {
        let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
        let mut all = Vec::new();
        for count in 1..=500 {
            let mut slot = pool.clone().enter().unwrap();
            let window = grow(&mut slot);
            assert!(count > 10 || window >= INITIAL_WINDOW, "{count}: {window}");
            all.push(slot);
            let held = pool.promised.load(Ordering::Relaxed);
            assert!(
                held <= NodeLimits::default().stream_bytes + count * MIN_WINDOW,
                "{count}: {held}"
            );
        }
    }

    #[test]
    fn large_windows_make_room_for_growing_ones() {
        let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
        let mut all = slots(&pool, 4);
        let mut windows = [0; 4];
        // Readers that go on: a window follows its cap down as well.
        for _ in 0..30 {
            for (slot, window) in all.iter_mut().zip(&mut windows) {
                *window = (*window * 2).clamp(MIN_WINDOW, slot.receive_cap());
                slot.promise(*window);
            }
        }
        let least = windows.into_iter().min().unwrap();
        assert!(
            least >= (NodeLimits::default().stream_bytes / 8 * GROWTH_EIGHTHS) / 4 - MIB,
            "{windows:?}"
        );
        drop(all);
        let counts = [&pool.open, &pool.promised, &pool.grown];
        assert_eq!(counts.map(|count| count.load(Ordering::Relaxed)), [0; 3]);
    }
}
