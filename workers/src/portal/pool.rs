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
//! each stream may keep [`MIN_RETAINED`] of them, and beyond that half of what is free of seven
//! eighths, so that something is left for the next. Those of one peer keep no more than its share,
//! so that one that acknowledges nothing leaves room for the others.
//!
//! So stalled readers cost at most [`stream_bytes`](NodeLimits::stream_bytes) and [`MIN_WINDOW`]
//! each, however far their windows had grown before: 500 of them stay within 64 MiB. Suspended
//! streams cost at most [`stream_bytes`](NodeLimits::stream_bytes) and [`MIN_RETAINED`] each. The
//! cost: streams that have grown and are idle hold what they were granted until they end.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use actix::Recipient;
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
    actors: Arc<Actors>,
}

/// Tells a stream's actor that its node waits no longer for the stream to end.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub(crate) struct ResetNow;

/// The actors of the open streams, by their numbers.
#[derive(Default)]
struct Actors {
    last: AtomicU64,
    all: Lock<HashMap<u64, Recipient<ResetNow>, ahash::RandomState>>,
}

impl Actors {
    fn reset_all(&self) {
        for actor in self.all.lock().values() {
            // One message for each stream, once.
            #[allow(clippy::disallowed_methods)]
            actor.do_send(ResetNow);
        }
    }
}

impl fmt::Debug for Actors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actors({})", self.all.lock().len())
    }
}

/// The open streams, in total and by those who may have a share of them.
#[derive(Debug, Default)]
struct Counts {
    open: usize,
    by_holder: Tally<Holder>,
    /// Bytes that the streams of each holder have sent and keep.
    retained: HashMap<Holder, Arc<AtomicU64>, ahash::RandomState>,
}

impl Counts {
    /// Counts one stream more; returns those whom it is counted against.
    fn add(&mut self, holders: Vec<Holder>) -> Vec<Held> {
        self.open += 1;
        let held = |holder: Holder| {
            self.by_holder.add(holder.clone());
            let retained = self.retained.entry(holder.clone()).or_default().clone();
            Held { holder, retained }
        };
        holders.into_iter().map(held).collect()
    }

    fn remove(&mut self, held: &[Held]) {
        self.open -= 1;
        for Held { holder, .. } in held {
            self.by_holder.remove(holder);
            if self.by_holder.of(holder) == 0 {
                self.retained.remove(holder);
            }
        }
    }
}

/// One of those whom a stream is counted against.
#[derive(Debug)]
struct Held {
    holder: Holder,
    /// What all its streams keep, so that counting bytes takes no lock.
    retained: Arc<AtomicU64>,
}

/// Whom the streams of an outlet, or its flows of datagrams, are counted against.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    Identity(Identifier),
    Source(SourceAddress),
    Ingress(Address),
}

impl Holder {
    /// Those of what came from `origin`: the identity, however many channels it opens, or else the
    /// connection; and the source address, however many identities it makes up. A program of this
    /// node is counted against nobody.
    pub(crate) fn of(origin: &Origin) -> Vec<Self> {
        let Origin::Remote(ingress) = origin else { return Vec::new() };
        let own = origin.peer().map_or_else(|| Self::Ingress(ingress.via.clone()), Self::Identity);
        [Some(own), origin.source().map(Self::Source)].into_iter().flatten().collect()
    }

    /// How many times as many streams, or flows, as are free it may have.
    pub(crate) fn share(&self) -> usize {
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
    held: Vec<Held>,
    _descriptor: DescriptorSlot,
    first: u64,
    promised: u64,
    retained: u64,
    number: u64,
}

impl StreamPool {
    /// A pool without streams, for as many of them and as many bytes as `limits` say.
    pub fn new(limits: &NodeLimits) -> Self {
        let silence_ms = u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX).into();
        let [promised, grown, retained] = [0; 3].map(AtomicU64::new);
        let (most, most_descriptors) = (limits.streams, limits.descriptors);
        let (bytes, counts) = (limits.stream_bytes, Lock::default());
        Self {
            most,
            most_descriptors,
            bytes,
            counts,
            promised,
            grown,
            retained,
            silence_ms,
            actors: Arc::default(),
        }
    }

    /// The pool of `node`.
    pub fn of(node: &Node) -> Arc<Self> {
        node.extension(|| {
            let pool = Self::new(node.limits());
            let (stopping, actors) = (node.unheld(), pool.actors.clone());
            node.spawn_on(0, async move {
                stopping.resetting().await;
                actors.reset_all();
            });
            pool
        })
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
        let (held, descriptor) = self.count(holders)?;
        let spare = self.free(self.bytes / 2);
        let first = (spare / FIRST_WINDOWS).clamp(MIN_WINDOW, INITIAL_WINDOW);
        self.promised.fetch_add(first, Ordering::Relaxed);
        let number = self.actors.last.fetch_add(1, Ordering::Relaxed);
        Ok(StreamSlot {
            pool: self,
            held,
            _descriptor: descriptor,
            first,
            promised: first,
            retained: 0,
            number,
        })
    }

    fn count(&self, holders: Vec<Holder>) -> Result<(Vec<Held>, DescriptorSlot), StreamsFull> {
        let mut counts = self.counts.lock();
        let free = self.most.saturating_sub(counts.open);
        if free == 0 {
            return Err(StreamsFull::Node(counts.open));
        }
        for holder in &holders {
            if !counts.by_holder.has_share(holder, free, holder.share()) {
                return Err(StreamsFull::Share(counts.by_holder.of(holder)));
            }
        }
        let descriptor = DescriptorSlot::take(self.most_descriptors);
        let descriptor = descriptor.ok_or(StreamsFull::NoDescriptor)?;
        Ok((counts.add(holders), descriptor))
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

    /// The free part of the bytes that streams may keep beyond the least.
    fn free_to_retain(&self) -> u64 {
        let growth = self.bytes / 8 * GROWTH_EIGHTHS;
        growth.saturating_sub(self.retained.load(Ordering::Relaxed))
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

    /// Notes which actor has the stream.
    pub(crate) fn held_by(&self, actor: Recipient<ResetNow>) {
        self.pool.actors.all.lock().insert(self.number, actor);
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
        let free = self.pool.free_to_retain();
        let left = |held: &Held| {
            let most = free.saturating_mul(held.holder.share() as u64);
            most.saturating_sub(held.retained.load(Ordering::Relaxed))
        };
        let more = self.held.iter().map(left).fold(free / 2, u64::min);
        (self.retained + more).clamp(MIN_RETAINED, MAX_WINDOW)
    }

    /// Notes how many bytes the stream keeps.
    pub fn retain(&mut self, bytes: u64) {
        let before = std::mem::replace(&mut self.retained, bytes);
        // The additions wrap around where the count gets smaller.
        let more = bytes.wrapping_sub(before);
        self.pool.retained.fetch_add(more, Ordering::Relaxed);
        for held in &self.held {
            held.retained.fetch_add(more, Ordering::Relaxed);
        }
    }

    const fn has_grown(&self) -> bool {
        self.promised > self.first
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.pool.actors.all.lock().remove(&self.number);
        self.promise(self.first);
        self.retain(0);
        self.pool.promised.fetch_sub(self.first, Ordering::Relaxed);
        self.pool.counts.lock().remove(&self.held);
    }
}

#[cfg(test)]
mod tests;
