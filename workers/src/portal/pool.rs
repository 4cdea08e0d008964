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
//! Bytes that were sent and not acknowledged are counted apart, against as many bytes once more:
//! each stream may keep [`MIN_RETAINED`] of them, and beyond that at most as many as are free of
//! seven eighths, so that something is left for the next.
//!
//! So stalled readers cost at most [`stream_bytes`](NodeLimits::stream_bytes) and [`MIN_WINDOW`]
//! each, however far their windows had grown before: 500 of them stay within 64 MiB. Suspended
//! streams cost at most [`stream_bytes`](NodeLimits::stream_bytes) and [`MIN_RETAINED`] each. The cost:
//! streams that have grown and are idle hold what they were granted until they end.

use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use ockam_actix_runtime::{
    limits::{STREAMS_SHARE, STREAMS_SOURCE_SHARE},
    lock::Lock,
    process::DescriptorSlot,
    trust::{source::SourceAddress, tally::Tally},
    Address, Host, Identifier, Node, NodeLimits, Origin,
};

use crate::portal::limits::{
    FIRST_WINDOWS, GROWTH_EIGHTHS, INITIAL_WINDOW, MAX_WINDOW, MIN_RETAINED, MIN_WINDOW, SILENCE,
};

/// The open streams of a node; one for each node, as its extension.
#[derive(Debug)]
pub struct StreamPool {
    /// How many streams may be open, and what they may hold.
    most: usize,
    most_descriptors: usize,
    bytes: u64,
    counts: Lock<Counts>,
    /// Bytes that all of them have promised to hold.
    promised: AtomicU64,
    /// How many have promised more than they began with.
    grown: AtomicU64,
    /// Bytes that all of them have sent and keep.
    retained: AtomicU64,
    silence_ms: AtomicU64,
}

/// The open streams, in total and by those who may have a share of them.
#[derive(Debug, Default)]
struct Counts {
    open: usize,
    by_holder: Tally<Holder>,
}

/// Whom the streams of an outlet are counted against.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Identity(Identifier),
    Source(SourceAddress),
    Ingress(Address),
}

impl Holder {
    /// Those of what came from `origin`: the identity, however many channels it opens, or else the
    /// connection; and the source address, however many identities it makes up. A program of this
    /// node is counted against nobody.
    fn of(origin: &Origin) -> Vec<Self> {
        let Origin::Remote(ingress) = origin else { return Vec::new() };
        let own = origin.peer().map_or_else(|| Self::Ingress(ingress.via.clone()), Self::Identity);
        [Some(own), origin.source().map(Self::Source)].into_iter().flatten().collect()
    }

    /// How many times as many streams as are free it may have.
    fn share(&self) -> usize {
        match self {
            Self::Identity(_) | Self::Ingress(_) => STREAMS_SHARE,
            Self::Source(_) => STREAMS_SOURCE_SHARE,
        }
    }
}

/// Why a stream gets no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamsFull {
    /// As many streams are open as the node serves.
    #[error("{0} streams are open on this node")]
    Node(usize),
    /// The streams of the peer would leave too few to others.
    #[error("{0} streams of its peer are open, and few are left for others")]
    Share(usize),
    /// The process has no descriptor to spare.
    #[error("no descriptor is left for it")]
    NoDescriptor,
}

impl StreamsFull {
    /// The name of the rule under which it is counted and logged.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Node(_) => "too-many-streams",
            Self::Share(_) => "too-many-streams-of-peer",
            Self::NoDescriptor => "streams-no-descriptor",
        }
    }
}

/// The slot of one stream in the pool.
#[derive(Debug)]
pub struct StreamSlot {
    pool: Arc<StreamPool>,
    holders: Vec<Holder>,
    _descriptor: DescriptorSlot,
    first: u64,
    promised: u64,
    retained: u64,
}

impl StreamPool {
    /// A pool without streams, for as many of them and as many bytes as `limits` say.
    pub fn new(limits: &NodeLimits) -> Self {
        let silence_ms = u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX).into();
        let [promised, grown, retained] = [0; 3].map(AtomicU64::new);
        let (most, most_descriptors) = (limits.streams, limits.descriptors);
        let (bytes, counts) = (limits.stream_bytes, Lock::default());
        Self { most, most_descriptors, bytes, counts, promised, grown, retained, silence_ms }
    }

    /// The pool of `node`.
    pub fn of(node: &Node) -> Arc<Self> {
        node.extension(|| Self::new(node.limits()))
    }

    /// Takes a slot for a stream that was asked for from `origin`.
    ///
    /// # Errors
    /// If as many streams are open as may be: on this node, of its peer, or in this process.
    pub fn enter(self: Arc<Self>, origin: &Origin) -> Result<StreamSlot, StreamsFull> {
        self.enter_as(Holder::of(origin))
    }

    /// Takes a slot for the stream of an inlet's client.
    ///
    /// # Errors
    /// As [`StreamPool::enter`].
    pub fn enter_client(self: Arc<Self>, source: SourceAddress) -> Result<StreamSlot, StreamsFull> {
        self.enter_as(vec![Holder::Source(source)])
    }

    fn enter_as(self: Arc<Self>, holders: Vec<Holder>) -> Result<StreamSlot, StreamsFull> {
        let descriptor = self.count(&holders)?;
        let spare = self.free(self.bytes / 2);
        let first = (spare / FIRST_WINDOWS).clamp(MIN_WINDOW, INITIAL_WINDOW);
        self.promised.fetch_add(first, Ordering::Relaxed);
        Ok(StreamSlot {
            pool: self,
            holders,
            _descriptor: descriptor,
            first,
            promised: first,
            retained: 0,
        })
    }

    fn count(&self, holders: &[Holder]) -> Result<DescriptorSlot, StreamsFull> {
        let mut counts = self.counts.lock();
        let free = self.most.saturating_sub(counts.open);
        if free == 0 {
            return Err(StreamsFull::Node(counts.open));
        }
        for holder in holders {
            if !counts.by_holder.has_share(holder, free, holder.share()) {
                return Err(StreamsFull::Share(counts.by_holder.of(holder)));
            }
        }
        let descriptor = DescriptorSlot::take(self.most_descriptors);
        let descriptor = descriptor.ok_or(StreamsFull::NoDescriptor)?;
        counts.open += 1;
        holders.iter().for_each(|holder| counts.by_holder.add(holder.clone()));
        Ok(descriptor)
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
    pub fn open(&self) -> usize {
        self.counts.lock().open
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

    /// How many bytes, in all, the stream may keep until they are acknowledged.
    pub fn retain_cap(&self) -> u64 {
        let growth = self.pool.bytes / 8 * GROWTH_EIGHTHS;
        let free = growth.saturating_sub(self.pool.retained.load(Ordering::Relaxed));
        (self.retained + free / 2).clamp(MIN_RETAINED, MAX_WINDOW)
    }

    /// Notes how many bytes the stream keeps.
    pub fn retain(&mut self, bytes: u64) {
        let before = std::mem::replace(&mut self.retained, bytes);
        if bytes != before {
            // The addition wraps around where the count gets smaller.
            self.pool.retained.fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
        }
    }

    const fn has_grown(&self) -> bool {
        self.promised > self.first
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.promise(self.first);
        self.retain(0);
        self.pool.promised.fetch_sub(self.first, Ordering::Relaxed);
        let mut counts = self.pool.counts.lock();
        counts.open -= 1;
        self.holders.iter().for_each(|holder| counts.by_holder.remove(holder));
    }
}

#[cfg(test)]
mod tests {
    use ockam_actix_runtime::trust::origin::{Door, Ingress};

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
        (0..count).map(|_| pool.clone().enter(&Origin::Local).unwrap()).collect()
    }

    #[test]
    fn a_stream_among_idle_ones_can_grow() {
        let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
        let idle = slots(&pool, 100);
        assert_eq!(idle[0].first_window(), INITIAL_WINDOW);
        assert_eq!(idle[99].first_window(), MIN_WINDOW);
        assert!(grow(&mut pool.clone().enter(&Origin::Local).unwrap()) > 8 * MIB);
        assert_eq!(
            grow(
                &mut Arc::new(StreamPool::new(&NodeLimits::default()))
                    .enter(&Origin::Local)
                    .unwrap()
            ),
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
            let mut slot = pool.clone().enter(&Origin::Local).unwrap();
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
        let counts = [&pool.promised, &pool.grown, &pool.retained];
        assert_eq!(counts.map(|count| count.load(Ordering::Relaxed)), [0; 3]);
        assert_eq!(pool.open(), 0);
    }

    #[test]
    fn suspended_streams_keep_little_more_than_the_budget() {
        let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
        let mut all = slots(&pool, 1_000);
        for slot in &mut all {
            slot.retain(slot.retain_cap());
        }
        let kept = pool.retained.load(Ordering::Relaxed);
        assert_eq!(kept, all.iter().map(|slot| slot.retained).sum::<u64>());
        assert!(kept <= NodeLimits::default().stream_bytes + 1_000 * MIN_RETAINED, "{kept}");
        assert_eq!(all[0].retained, 14 * MIB, "half of what was free");
        drop(all);
        assert_eq!(pool.retained.load(Ordering::Relaxed), 0);
    }

    fn channel(peer: u8, source: Option<&str>) -> Origin {
        let door = Door::Channel {
            peer: Identifier::from_bytes([peer; 32]),
            channel: Address::random(),
            grants: None,
        };
        let source = source.map(|address| SourceAddress::of(address.parse().unwrap()));
        Origin::Remote(Arc::new(Ingress { via: Address::random(), door, source }))
    }

    /// Opens all the streams that it may; `origin` is asked for each.
    fn fill(
        pool: &Arc<StreamPool>,
        mut origin: impl FnMut(usize) -> Origin,
    ) -> (Vec<StreamSlot>, StreamsFull) {
        let mut slots = Vec::new();
        loop {
            match pool.clone().enter(&origin(slots.len())) {
                Ok(slot) => slots.push(slot),
                Err(full) => return (slots, full),
            }
        }
    }

    #[test]
    fn one_identitys_streams_leave_room_for_others() {
        let limits = NodeLimits { streams: 1_000, ..NodeLimits::default() };
        let pool = Arc::new(StreamPool::new(&limits));
        let (first, full) = fill(&pool, |_| channel(1, None));
        assert_eq!((first.len(), full), (750, StreamsFull::Share(750)), "over many channels");
        let (second, _) = fill(&pool, |_| channel(2, None));
        assert!(second.len() > 180, "{}", second.len());
        assert!(pool.clone().enter(&channel(3, None)).is_ok());
        drop((first, second));
        assert_eq!(pool.open(), 0);
        assert!(pool.counts.lock().by_holder.is_empty());
    }

    #[test]
    fn made_up_identities_leave_room_for_other_sources() {
        let limits = NodeLimits { streams: 1_000, ..NodeLimits::default() };
        let pool = Arc::new(StreamPool::new(&limits));
        let (_first, full) = fill(&pool, |count| channel(count as u8, Some("192.0.2.1")));
        assert_eq!(full, StreamsFull::Share(938));
        let (other, _) = fill(&pool, |_| channel(255, Some("192.0.2.2")));
        assert!(other.len() > 40, "{}", other.len());
    }

    #[test]
    fn two_peers_behind_one_source_both_have_streams() {
        let limits = NodeLimits { streams: 1_000, ..NodeLimits::default() };
        let pool = Arc::new(StreamPool::new(&limits));
        let (_first, _) = fill(&pool, |_| channel(1, Some("192.0.2.1")));
        let (second, _) = fill(&pool, |_| channel(2, Some("192.0.2.1")));
        assert!(second.len() > 180, "{}", second.len());
    }

    #[test]
    fn the_cap_differs_from_the_last_descriptor() {
        let limits = NodeLimits { streams: 2, ..NodeLimits::default() };
        let (_two, full) = fill(&Arc::new(StreamPool::new(&limits)), |_| Origin::Local);
        assert_eq!(full, StreamsFull::Node(2));
        let limits = NodeLimits { descriptors: 0, ..NodeLimits::default() };
        let (_none, full) = fill(&Arc::new(StreamPool::new(&limits)), |_| Origin::Local);
        assert_eq!(full, StreamsFull::NoDescriptor);
    }
}
