//! Lanes: the credit that a connection's peer has for what it sends, in parts that do not depend on
//! each other.
//!
//! A peer puts each message on a lane of its choice, one for each address that it sends to. The
//! connection holds the message's bytes on that lane until the message has moved on, by a
//! [`Permit`](crate::Permit), and then grants the peer new credit. So the connection is always
//! read, and only the lane to a destination that takes nothing fills.
//!
//! The bytes that lanes hold are also counted for the connection, for its source and for the node.
//! Credit is only a promise to go on reading; memory is bounded by these [`Pool`]s: while one of
//! them is full, the connection is not read. The lanes themselves make that a rare emergency.

use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicU64, AtomicUsize, Ordering},
        Arc,
    },
    task::Waker,
    time::Duration,
};

use crate::{
    clock::Instant,
    edge::{
        lane_window::LaneWindow,
        pool::{cost, Pool},
    },
    limits::{LANE_HEADROOM, MAX_UNGRANTED_LANES},
    lock::Lock,
};

pub use crate::edge::lane_window::NoCredit;

/// The lanes of one connection, at the end that receives. Clones share them.
#[derive(Clone, Debug)]
pub struct Lanes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Tells connections of this process apart.
    id: u64,
    /// How many times what moves on in a round trip the lanes grow to.
    headroom: f64,
    began: Instant,
    /// What the connection holds, and what it is counted against beside that.
    own: Pool,
    pools: Vec<Arc<Pool>>,
    /// How many of these, from the first on, limit the connection no longer.
    outgrown: AtomicUsize,
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    lanes: HashMap<u16, LaneWindow>,
    /// Lanes with something to grant.
    ungranted: Vec<u16>,
    /// Whether it is to be granted now.
    is_due: bool,
    /// Wakes the task that writes to the connection.
    writer: Option<Waker>,
    shortest: Option<Duration>,
    /// Bytes by which all lanes have grown.
    grown: i64,
}

/// New credit for a lane, to be announced to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The lane's number, as the peer chose it.
    pub lane: u16,
    /// Bytes of what it sent there that have moved on; it may send as many again.
    pub moved_on: u32,
    /// Bytes that it may send in addition from now on.
    pub more: u32,
}

/// The number that no lane has: what is beside them.
const BESIDE_LANES: u16 = 0;

/// The bytes that a message from outside holds on its lane, until this is dropped.
#[derive(Debug)]
pub struct LanePermit {
    lanes: Lanes,
    lane: u16,
    cost: usize,
    has_moved_on: bool,
}

impl LanePermit {
    /// The connection and the lane.
    pub fn lane(&self) -> (u64, u16) {
        (self.lanes.0.id, self.lane)
    }

    /// As [`move_on`](Self::move_on); the message counts as one of `bytes` from now on.
    pub(crate) fn move_on_as(&mut self, bytes: usize) {
        self.move_on();
        let excess = self.cost.saturating_sub(cost(bytes));
        self.cost -= excess;
        self.lanes.release(excess);
    }

    /// Whether half of what the connection may hold is in use.
    pub(crate) fn is_in_a_crowd(&self) -> bool {
        !self.lanes.0.own.is_half_empty()
    }

    /// Gives the lane its credit back. The message still counts for connection, source and node.
    pub(crate) fn move_on(&mut self) {
        if !std::mem::replace(&mut self.has_moved_on, true) {
            self.lanes.free(self.lane, self.cost);
        }
    }
}

impl Drop for LanePermit {
    fn drop(&mut self) {
        self.lanes.release(self.cost);
        self.move_on();
    }
}

impl Lanes {
    /// Lanes on which nothing was sent yet. At most `most` bytes are to be held for them, and what
    /// they hold counts against all of `pools`.
    pub fn new(most: usize, pools: Vec<Arc<Pool>>) -> Self {
        Self::with_headroom(most, pools, LANE_HEADROOM)
    }

    /// The same, which grow to `headroom` times what moves on in the shortest round trip.
    pub(crate) fn with_headroom(most: usize, pools: Vec<Arc<Pool>>, headroom: f64) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Shared {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            headroom,
            began: Instant::now(),
            own: Pool::new(most),
            pools,
            outgrown: AtomicUsize::new(0),
            state: Lock::default(),
        }))
    }

    /// From now on, the connection is limited by itself and by the last of its pools, that of the
    /// node, and not by that of its source. What it holds counts there all the same.
    pub fn leave_source(&self) {
        let outgrown = self.0.pools.len().saturating_sub(1);
        self.0.outgrown.store(outgrown, Ordering::Release);
    }

    /// The pools that limit the connection.
    fn limiting(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.0.pools.iter().skip(self.0.outgrown.load(Ordering::Acquire))
    }

    /// Counts a message of `bytes` that has arrived on `lane`.
    ///
    /// # Errors
    /// If the peer had no credit for it.
    pub fn arrive(&self, lane: u16, bytes: usize) -> Result<LanePermit, NoCredit> {
        let cost = cost(bytes);
        let mut state = self.0.state.lock();
        let window =
            state.lanes.entry(lane).or_insert_with(|| LaneWindow::new(self.0.began.elapsed()));
        let measured = window.arrive(signed(cost), || self.0.began.elapsed())?;
        if let Some(measured) = measured {
            state.shortest = Some(state.shortest.map_or(measured, |least| least.min(measured)));
        }
        drop(state);
        self.hold(cost);
        Ok(LanePermit { lanes: self.clone(), lane, cost, has_moved_on: false })
    }

    /// Counts a message of `bytes` that has arrived beside the lanes, which takes no credit; `None`
    /// if it is to be dropped. Nobody waits for it, so it may have no more than half of what may be
    /// held.
    pub fn arrive_expendable(&self, bytes: usize) -> Option<LanePermit> {
        if !self.is_half_empty() {
            return None;
        }
        let cost = cost(bytes);
        self.hold(cost);
        Some(LanePermit { lanes: self.clone(), lane: BESIDE_LANES, cost, has_moved_on: true })
    }

    /// Waits until more may be held for the connection, its source and the node.
    pub async fn room(&self) {
        self.0.own.room().await;
        for pool in self.limiting() {
            pool.room().await;
        }
    }

    /// Whether more may be held now.
    pub fn has_room(&self) -> bool {
        self.0.own.has_room() && self.limiting().all(|pool| pool.has_room())
    }

    /// Whether half of what may be held is free, so that buffers may be larger than they must be.
    pub fn is_half_empty(&self) -> bool {
        self.0.own.is_half_empty() && self.limiting().all(|pool| pool.is_half_empty())
    }

    /// Counts bytes that are held beside the messages, such as a part of one.
    pub fn hold(&self, bytes: usize) {
        self.0.own.add(bytes);
        self.0.pools.iter().for_each(|pool| pool.add(bytes));
    }

    /// Counts fewer bytes, of those that are held.
    pub fn release(&self, bytes: usize) {
        self.0.own.remove(bytes);
        self.0.pools.iter().for_each(|pool| pool.remove(bytes));
    }

    /// What is to be announced to the peer now; `writer` is woken when more is.
    pub fn take_grants(&self, writer: &Waker) -> Vec<Grant> {
        let mut state = self.0.state.lock();
        let state = &mut *state;
        // Also when something is granted now: more may be due before the task is polled again.
        if !state.writer.as_ref().is_some_and(|known| known.will_wake(writer)) {
            state.writer = Some(writer.clone());
        }
        if !std::mem::take(&mut state.is_due) {
            return Vec::new();
        }
        let now = self.0.began.elapsed();
        let mut grants = Vec::with_capacity(state.ungranted.len());
        let many = state.lanes.len() > MAX_UNGRANTED_LANES;
        for lane in state.ungranted.drain(..) {
            let Some(window) = state.lanes.get_mut(&lane) else { continue };
            let (line, grown) = ((state.shortest, self.0.headroom), &mut state.grown);
            let (moved_on, more) = window.grant(now, line, |bytes| self.may_grow(grown, bytes));
            if moved_on > 0 || more > 0 {
                grants.push(Grant { lane, moved_on, more });
            }
            // What a grant measures is worth remembering where there are few.
            if window.is_full() && (many || !window.is_measuring()) {
                state.lanes.remove(&lane);
            }
        }
        grants
    }

    /// Whether a lane may grow by `bytes`: by up to half of what the connection may hold, while
    /// half of what others share with it is free.
    fn may_grow(&self, grown: &mut i64, bytes: i64) -> bool {
        let is_free = self.limiting().all(|pool| pool.is_half_empty());
        let may = is_free && *grown + bytes <= signed(self.0.own.most() / 2);
        *grown += if may { bytes } else { 0 };
        may
    }

    fn free(&self, lane: u16, cost: usize) {
        let mut state = self.0.state.lock();
        let state = &mut *state;
        let Some(window) = state.lanes.get_mut(&lane) else { return };
        if !window.has_freed() {
            state.ungranted.push(lane);
        }
        let is_due = window.free(signed(cost)) || state.ungranted.len() >= MAX_UNGRANTED_LANES;
        if is_due && !std::mem::replace(&mut state.is_due, true) {
            if let Some(writer) = state.writer.take() {
                writer.wake();
            }
        }
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use futures::task::noop_waker;

    use super::*;
    use crate::limits::{LANE_BYTES, MESSAGE_OVERHEAD_BYTES};

    const MOST: usize = 1024 * 1024;

    fn lanes(pools: &[&Arc<Pool>]) -> Lanes {
        Lanes::new(MOST, pools.iter().map(|pool| Arc::clone(pool)).collect())
    }

    /// Sends on `lane` until its credit is spent.
    fn fill(lanes: &Lanes, lane: u16) -> Vec<LanePermit> {
        std::iter::from_fn(|| lanes.arrive(lane, 1024).ok()).collect()
    }

    #[test]
    fn a_full_lane_leaves_the_others_their_credit() {
        let lanes = lanes(&[]);
        let full = fill(&lanes, 1);
        assert_eq!(full.len(), LANE_BYTES as usize / (1024 + MESSAGE_OVERHEAD_BYTES) + 1);
        assert!(lanes.arrive(2, 1024).is_ok());
        assert!(lanes.arrive(1, 1024).is_err());
    }

    #[test]
    fn what_has_moved_on_is_granted_again() {
        let lanes = lanes(&[]);
        let mut full = fill(&lanes, 7);
        assert_eq!(lanes.take_grants(&noop_waker()), []);
        full.truncate(full.len() / 2);
        let freed = LANE_BYTES as usize / 2 - full.len() % 2;
        let [Grant { lane: 7, moved_on, more: 0 }] = lanes.take_grants(&noop_waker())[..] else {
            panic!()
        };
        assert!(moved_on as usize >= freed, "{moved_on}");
        assert_eq!(lanes.take_grants(&noop_waker()), []);
        drop(full);
        assert_eq!(lanes.take_grants(&noop_waker()).len(), 1);
        assert_eq!(lanes.0.own.used(), 0);
    }

    #[test]
    fn expendable_messages_take_half_the_room_at_most() {
        let node = Arc::new(Pool::new(4 * MOST));
        let lanes = lanes(&[&node]);
        let held: Vec<_> = std::iter::from_fn(|| lanes.arrive_expendable(1_000)).collect();
        let used: usize = held.len() * cost(1_000);
        assert!((MOST / 2..=MOST / 2 + cost(1_000)).contains(&used), "{used}");
        assert!(lanes.has_room() && lanes.arrive(1, 1024).is_ok(), "lanes have the other half");
        let mut held: Vec<crate::Permit> = held.into_iter().map(Into::into).collect();
        held.iter_mut().for_each(|permit| permit.end_as(10));
        assert_eq!(lanes.take_grants(&noop_waker()), []);
        drop(held);
        assert_eq!((lanes.0.own.used(), node.used()), (0, 0));
    }

    #[test]
    fn many_lanes_with_little_are_granted_together() {
        let lanes = lanes(&[]);
        for lane in 1..MAX_UNGRANTED_LANES as u16 {
            drop(lanes.arrive(lane, 1));
            assert_eq!(lanes.take_grants(&noop_waker()), []);
        }
        drop(lanes.arrive(MAX_UNGRANTED_LANES as u16, 1));
        assert_eq!(lanes.take_grants(&noop_waker()).len(), MAX_UNGRANTED_LANES);
        for lane in 1..=1_000 {
            drop(lanes.arrive(lane, 1));
            lanes.take_grants(&noop_waker());
        }
        let remembered = lanes.0.state.lock().lanes.len();
        assert!(remembered <= 2 * MAX_UNGRANTED_LANES, "{remembered} of 1,000 that were used once");
    }

    #[test]
    fn connection_source_and_node_count_what_is_held() {
        let (source, node) = (Arc::new(Pool::new(MOST)), Arc::new(Pool::new(2 * MOST)));
        let (one, other) = (lanes(&[&source, &node]), lanes(&[&source, &node]));
        let stranger = lanes(&[&node]);
        let held: Vec<_> = (1..10).flat_map(|lane| fill(&one, lane)).collect();
        let more: Vec<_> = (1..10).flat_map(|lane| fill(&other, lane)).collect();
        assert!(!one.has_room() && !other.has_room(), "their source is full");
        assert!(stranger.has_room());
        stranger.hold(MOST);
        assert!(!stranger.has_room(), "the node is full, and so is the connection");
        drop((held, more));
        stranger.release(MOST);
        assert!(one.has_room() && other.has_room() && stranger.has_room());
        assert_eq!([source.used(), node.used()], [0, 0]);
    }

    #[test]
    fn what_waits_for_a_worker_leaves_its_lane() {
        let lanes = lanes(&[]);
        let budget = crate::Budget::new(3 * 1024);
        let mut held: Vec<crate::Permit> = fill(&lanes, 1).into_iter().map(Into::into).collect();
        held.iter_mut().for_each(|permit| permit.move_on_to(&budget, 1024));
        let again = lanes.0.state.lock().lanes[&1].has_freed();
        assert!(again, "two messages are in the worker's budget");
        assert_eq!(budget.available(), 0);
        assert_eq!(lanes.0.own.used(), held.len() * (1024 + MESSAGE_OVERHEAD_BYTES));
        assert!(held.iter().all(|permit| permit.lane() == Some((lanes.0.id, 1))));
        drop(held);
        assert_eq!((lanes.0.own.used(), budget.used()), (0, 0));
    }

    #[test]
    fn the_writer_is_woken_after_each_grant() {
        use futures::task::{waker, ArcWake};
        struct Woken(std::sync::atomic::AtomicUsize);
        impl ArcWake for Woken {
            fn wake_by_ref(woken: &Arc<Self>) {
                woken.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let woken = Arc::new(Woken(0.into()));
        let lanes = lanes(&[]);
        for round in 0..3 {
            drop(fill(&lanes, 1));
            assert_eq!(lanes.take_grants(&waker(woken.clone())).len(), 1);
            assert_eq!(woken.0.load(Ordering::Relaxed), round, "it was not asleep the first time");
        }
    }

    #[test]
    fn a_notice_that_waits_holds_no_lane() {
        let lanes = lanes(&[]);
        // One message takes all the credit, and the notice about it is small.
        let mut permit = crate::Permit::from(lanes.arrive(1, LANE_BYTES as usize).unwrap());
        assert!(lanes.arrive(1, 1).is_err());
        permit.end_as(10);
        assert_eq!(lanes.take_grants(&noop_waker()).len(), 1);
        drop(lanes.arrive(1, 1).expect("there is credit although the notice waits"));
        assert_eq!(lanes.0.own.used(), cost(10));
        drop(permit);
        assert_eq!(lanes.0.own.used(), 0);
    }
}
