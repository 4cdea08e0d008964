//! Byte budgets: how the edges between actors stay bounded.
//!
//! An actix mailbox bounds nothing (`do_send` ignores its capacity, and every cloned `Addr` has a
//! free slot). So a source that puts data on an edge first takes a [`Permit`] for its bytes from
//! the edge's [`Budget`]; the permit travels with the message and is given back when the consumer
//! drops it.
//!
//! A message counts as its bytes and [`MESSAGE_OVERHEAD_BYTES`], so that many small messages do not
//! take much more memory than they are counted for. Sources take turns, first come first served,
//! in two queues: sources of small messages do not wait for those that move bulk data, but after
//! [`SMALL_IN_A_ROW`] of them one of the others has its turn. A quarter more is reserved for short
//! messages that must not wait for data, such as announcements of credit: a source that waits for
//! credit would otherwise wait for room that it could release itself.
//!
//! Invariants, which the tests check: at most the capacity is in use by data, a waiting source is
//! passed over only as said above, and every byte that was taken comes back.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::oneshot;

use crate::{
    address::Address,
    clock::Instant,
    edge::{
        lane::LanePermit,
        pool::{cost, Pool},
    },
    limits::{MESSAGE_OVERHEAD_BYTES, SHORT_QUEUE, SMALL_IN_A_ROW, SMALL_MESSAGE_BYTES},
    lock::Lock,
};

/// Bytes that may be under way on one edge. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Edge>);

#[derive(Debug)]
pub(crate) struct Edge {
    /// The least and the most that its capacity may be.
    least: usize,
    most: usize,
    /// What the edges of the same kind hold together, where that is bounded too.
    together: Option<Arc<Pool>>,
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    capacity: usize,
    /// Bytes that have come back since a moment.
    passed: (usize, Instant),
    /// Bytes in use by data, and by urgent messages.
    used: usize,
    urgent: usize,
    closed: bool,
    small: VecDeque<Waiter>,
    bulk: VecDeque<Waiter>,
    waiting_urgent: VecDeque<Waiter>,
    /// Small messages that have passed since the last other one.
    small_in_a_row: usize,
}

/// A source that waits, and what its message counts as.
#[derive(Debug)]
struct Waiter {
    cost: usize,
    place: oneshot::Sender<Permit>,
}

/// Bytes taken from a [`Budget`], or held for an ingress, given back when this is dropped.
#[derive(Debug)]
pub struct Permit {
    holding: Holding,
    flow: Option<Address>,
    /// What is given back together with it.
    _also: Option<Box<Permit>>,
}

#[derive(Debug)]
enum Holding {
    Edge(EdgePermit),
    /// And the edge that the message has moved on to, if it has.
    Lane(LanePermit, Option<EdgePermit>),
}

#[derive(Debug)]
struct EdgePermit {
    edge: Arc<Edge>,
    cost: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Urgent,
}

impl Permit {
    /// Gives back all but what a message of `bytes` needs, if more was taken.
    pub fn shrink_to(&mut self, bytes: usize) {
        let Holding::Edge(held) = &mut self.holding else { return };
        let excess = held.cost.saturating_sub(cost(bytes));
        held.cost -= excess;
        held.edge.give_back(excess, held.kind);
    }

    /// The connection and the lane that the message came through, if it came from outside.
    pub fn lane(&self) -> Option<(u64, u16)> {
        match &self.holding {
            Holding::Edge(_) => None,
            Holding::Lane(permit, _) => Some(permit.lane()),
        }
    }

    /// Whether half of what the connection of a message from outside may hold is in use.
    pub(crate) fn is_in_a_crowd(&self) -> bool {
        match &self.holding {
            Holding::Edge(_) => false,
            Holding::Lane(permit, _) => permit.is_in_a_crowd(),
        }
    }

    /// Gives a message from outside its lane back, for a notice of `bytes` about it. Otherwise two
    /// peers whose notices wait for each other's lanes would wait for ever.
    pub(crate) fn end_as(&mut self, bytes: usize) {
        if let Holding::Lane(permit, _) = &mut self.holding {
            permit.move_on_as(bytes);
        }
    }

    /// The same for a message of a flow: messages with the same `address` here keep their order,
    /// although they may go to different addresses of a node. A stream has one, its own.
    #[must_use]
    pub fn of_flow(self, address: Address) -> Self {
        Self { flow: Some(address), ..self }
    }

    /// The same for a message that carries that of a flow, and has its own order.
    #[must_use]
    pub fn of_no_flow(self) -> Self {
        Self { flow: None, ..self }
    }

    /// The same, which also holds `other` until it is dropped: for a source that bounds what each
    /// of those for whom it sends has under way.
    #[must_use]
    pub fn also_holding(self, other: Self) -> Self {
        Self { _also: Some(Box::new(other)), ..self }
    }

    /// The flow that the message belongs to, if any.
    pub fn flow(&self) -> Option<&Address> {
        self.flow.as_ref()
    }

    /// Moves a message of `bytes` from outside on to `budget`, if there is room, so that what waits
    /// there is not in the way of others on its lane. It goes on to count for the node.
    pub(crate) fn move_on_to(&mut self, budget: &Budget, bytes: usize) {
        let Holding::Lane(lane, edge @ None) = &mut self.holding else { return };
        let Some(permit) = budget.try_acquire(bytes) else { return };
        let Holding::Edge(permit) = permit.holding else { return };
        *edge = Some(permit);
        lane.move_on();
    }
}

impl From<LanePermit> for Permit {
    fn from(permit: LanePermit) -> Self {
        Self { holding: Holding::Lane(permit, None), flow: None, _also: None }
    }
}

impl Drop for EdgePermit {
    fn drop(&mut self) {
        self.edge.give_back(self.cost, self.kind);
    }
}

impl Budget {
    /// A budget of `total` bytes for data, and a quarter of that for short, urgent messages.
    pub fn new(total: usize) -> Self {
        Self::make(total, total, None)
    }

    /// A budget of `least` to `most` bytes, so that what waits passes within [`SHORT_QUEUE`]: it
    /// grows while twice as much would, and shrinks when it takes longer. It has room only while
    /// `together` has room for all that draw from it; but one of which nothing is in use has room
    /// for one message even then, so that no source waits for others.
    pub(crate) fn within(least: usize, most: usize, together: Arc<Pool>) -> Self {
        Self::make(least, most, Some(together))
    }

    fn make(least: usize, most: usize, together: Option<Arc<Pool>>) -> Self {
        let state = State {
            capacity: least,
            passed: (0, Instant::now()),
            used: 0,
            urgent: 0,
            closed: false,
            small: VecDeque::new(),
            bulk: VecDeque::new(),
            waiting_urgent: VecDeque::new(),
            small_in_a_row: 0,
        };
        Self(Arc::new(Edge { least, most, together, state: Lock::new(state) }))
    }

    /// Waits until there is room for a message of `bytes`, in turn. A message that needs more than
    /// the whole budget takes all of it, so that it passes alone instead of never.
    ///
    /// `None` once the budget is closed, because its edge is gone.
    pub async fn acquire(&self, bytes: usize) -> Option<Permit> {
        let waiting = {
            let mut state = self.0.state.lock();
            if let Some(permit) = self.0.take(&mut state, bytes) {
                return Some(permit);
            }
            let (place, waiting) = oneshot::channel();
            let waiter = Waiter { cost: cost(bytes), place };
            match is_small(bytes) {
                _ if state.closed => return None,
                true => state.small.push_back(waiter),
                false => state.bulk.push_back(waiter),
            }
            waiting
        };
        waiting.await.ok()
    }

    /// Takes the room for a message of `bytes` if it is free now and nobody waits for it.
    pub fn try_acquire(&self, bytes: usize) -> Option<Permit> {
        self.0.take(&mut self.0.state.lock(), bytes)
    }

    /// As [`acquire`](Self::acquire), for a short, urgent message.
    pub async fn acquire_urgent(&self) -> Option<Permit> {
        let waiting = {
            let mut state = self.0.state.lock();
            if let Some(permit) = self.0.take_urgent(&mut state) {
                return Some(permit);
            }
            if state.closed {
                return None;
            }
            let (place, waiting) = oneshot::channel();
            state.waiting_urgent.push_back(Waiter { cost: cost(0), place });
            waiting
        };
        waiting.await.ok()
    }

    /// As [`try_acquire`](Self::try_acquire), for a short, urgent message.
    pub fn try_acquire_urgent(&self) -> Option<Permit> {
        self.0.take_urgent(&mut self.0.state.lock())
    }

    /// Ends every wait, present and future.
    pub fn close(&self) {
        let mut state = self.0.state.lock();
        state.closed = true;
        state.small.clear();
        state.bulk.clear();
        state.waiting_urgent.clear();
    }

    /// Bytes that are free for data.
    pub fn available(&self) -> usize {
        let state = self.0.state.lock();
        state.capacity.saturating_sub(state.used)
    }

    /// Bytes in use by data.
    pub fn used(&self) -> usize {
        self.0.state.lock().used
    }

    /// The same budget, for as long as somebody else keeps it.
    pub(crate) fn downgrade(&self) -> std::sync::Weak<Edge> {
        Arc::downgrade(&self.0)
    }

    /// The budget that was [downgraded](Self::downgrade), if it is still kept.
    pub(crate) fn upgrade(edge: &std::sync::Weak<Edge>) -> Option<Self> {
        edge.upgrade().map(Self)
    }
}

impl Edge {
    /// Takes room for data if it is free and it is nobody else's turn.
    fn take(self: &Arc<Self>, state: &mut State, bytes: usize) -> Option<Permit> {
        let (cost, small) = (cost(bytes).min(state.capacity), is_small(bytes));
        let first = state.small.is_empty()
            && (state.bulk.is_empty() || small && state.small_in_a_row < SMALL_IN_A_ROW);
        if !first || state.closed || !self.has_room(state, cost) {
            return None;
        }
        Some(self.enter(state, cost, small))
    }

    fn take_urgent(self: &Arc<Self>, state: &mut State) -> Option<Permit> {
        let cost = cost(0);
        let first = state.waiting_urgent.is_empty() && !state.closed;
        if !first || !self.has_urgent_room(state) {
            return None;
        }
        state.urgent += cost;
        Some(self.permit(cost, Kind::Urgent))
    }

    fn has_room(&self, state: &State, cost: usize) -> bool {
        let together = self.together.as_ref().is_none_or(|together| together.has_room());
        state.used + cost <= state.capacity && (state.used == 0 || together)
    }

    fn has_urgent_room(&self, state: &State) -> bool {
        state.urgent + cost(0) <= (self.least / 4).max(MESSAGE_OVERHEAD_BYTES)
    }

    fn enter(self: &Arc<Self>, state: &mut State, cost: usize, small: bool) -> Permit {
        state.used += cost;
        state.small_in_a_row = if small { state.small_in_a_row + 1 } else { 0 };
        if let Some(together) = &self.together {
            together.add(cost);
        }
        self.permit(cost, Kind::Data)
    }

    fn permit(self: &Arc<Self>, cost: usize, kind: Kind) -> Permit {
        let holding = Holding::Edge(EdgePermit { edge: self.clone(), cost, kind });
        Permit { holding, flow: None, _also: None }
    }

    fn give_back(self: &Arc<Self>, cost: usize, kind: Kind) {
        let mut state = self.state.lock();
        match kind {
            Kind::Data => {
                state.used -= cost;
                if self.least < self.most {
                    self.adapt(&mut state, cost);
                }
                if let Some(together) = &self.together {
                    together.remove(cost);
                }
            }
            Kind::Urgent => state.urgent -= cost,
        }
        // A permit whose source no longer waits comes back, so it is dropped outside of the lock.
        while let Some((place, permit)) = self.next_in_turn(&mut state) {
            drop(state);
            drop(place.send(permit));
            state = self.state.lock();
        }
    }

    /// Makes the capacity what passes within [`SHORT_QUEUE`], measured over as much as it is now.
    fn adapt(&self, state: &mut State, passed: usize) {
        state.passed.0 += passed;
        if state.passed.0 < state.capacity {
            return;
        }
        let took = state.passed.1.elapsed();
        if took * 2 <= SHORT_QUEUE {
            state.capacity = (2 * state.capacity).min(self.most);
        } else if took > SHORT_QUEUE {
            state.capacity = (state.capacity / 2).max(self.least);
        }
        state.passed = (0, Instant::now());
    }

    /// The next source that waits and whose message has room, with its permit.
    fn next_in_turn(
        self: &Arc<Self>,
        state: &mut State,
    ) -> Option<(oneshot::Sender<Permit>, Permit)> {
        drop_gone(&mut state.waiting_urgent);
        drop_gone(&mut state.small);
        drop_gone(&mut state.bulk);
        if self.has_urgent_room(state) {
            if let Some(waiter) = state.waiting_urgent.pop_front() {
                state.urgent += waiter.cost;
                return Some((waiter.place, self.permit(waiter.cost, Kind::Urgent)));
            }
        }
        let small = !state.small.is_empty()
            && (state.bulk.is_empty() || state.small_in_a_row < SMALL_IN_A_ROW);
        let next = if small { state.small.front() } else { state.bulk.front() };
        let cost = next?.cost.min(state.capacity);
        if !self.has_room(state, cost) {
            return None;
        }
        let next = if small { state.small.pop_front() } else { state.bulk.pop_front() };
        let permit = self.enter(state, cost, small);
        next.map(|waiter| (waiter.place, permit))
    }
}

/// Forgets the sources at the front that do not wait any more.
fn drop_gone(waiters: &mut VecDeque<Waiter>) {
    while waiters.front().is_some_and(|waiter| waiter.place.is_closed()) {
        waiters.pop_front();
    }
}

/// Whether a message of `bytes` does not wait behind bulk data.
fn is_small(bytes: usize) -> bool {
    bytes <= SMALL_MESSAGE_BYTES
}

#[cfg(test)]
mod tests;
