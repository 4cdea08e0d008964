//! How the datagrams of one flow enter the first edge of their route, or are dropped there.
//!
//! The room on an edge is shared by *dynamic thresholds* (Choudhury and Hahne, 1998): a flow may
//! have no more under way than is left free. Alone it gets half of the room, with n others that
//! want more than they can have it gets one part in n + 2, and one that comes later always finds
//! some.
//!
//! A datagram travels as an expendable message, which no later one waits for where the path has
//! datagrams too. But the first of a flow, and one now and then, is an ordinary message: if it
//! reaches no outlet, a notice says so.

use ockam_actix_runtime::{
    clock::Instant,
    edge::first_hop::FirstHop,
    limits::{HEADROOM_BYTES, TAILROOM_BYTES},
    lock::Lock,
    node::routing::NextHop,
    Address, Budget, Host, Message, MessageKind, Node, Payload, Permit, Route,
};

use crate::datagram::{
    limits::{FLOW_BYTES, MAX_CHANNEL_DATAGRAM, MAX_DATAGRAM, NOTICE_INTERVAL},
    loss::Loss,
    message::Header,
};

/// The sending side of one flow.
pub(crate) struct Sending {
    /// The inlet's address of the flow: its datagrams keep their order.
    flow: Address,
    kind: MessageKind,
    /// Where notices about the datagrams go.
    back: Route,
    under_way: Budget,
    /// When the last one left about which there may be a notice.
    asked_at: Lock<Option<Instant>>,
}

impl Sending {
    /// Of a flow at the inlet, which has this address.
    pub(crate) fn onward(flow: Address) -> Self {
        let back = Route::from(flow.clone());
        Self::new(flow, MessageKind::Data, back)
    }

    /// Of a flow at the outlet; `flow` is its address at the inlet.
    pub(crate) fn back(flow: Address) -> Self {
        Self::new(flow, MessageKind::Reply, Route::new())
    }

    fn new(flow: Address, kind: MessageKind, back: Route) -> Self {
        let (under_way, asked_at) = (Budget::new(FLOW_BYTES), Lock::default());
        Self { flow, kind, back, under_way, asked_at }
    }

    /// Sends a datagram along `route`, which begins with `first_hop`.
    pub(crate) fn send(
        &self,
        node: &Node,
        first_hop: &FirstHop,
        route: &Route,
        datagram: &[u8],
    ) -> Result<(), Loss> {
        if datagram.len() > largest(first_hop, route) {
            return Err(Loss::TooLarge(datagram.len()));
        }
        let state = first_hop.state();
        if !state.up && (state.failure.is_some() || state.epoch > 0) {
            return Err(Loss::PathLost);
        }
        let header = Header::of(datagram.len());
        let bytes = header.as_slice().len() + datagram.len();
        let permit = self.room(&first_hop.budget, bytes).ok_or(Loss::NoRoom)?;
        let capacity = header.as_slice().len() + datagram.len() + TAILROOM_BYTES;
        let mut payload = Payload::with_headroom(HEADROOM_BYTES, capacity);
        payload.extend_from_slice(header.as_slice());
        payload.extend_from_slice(datagram);
        let mut message = Message::new(route.clone(), self.back.clone(), payload);
        message.kind = self.kind;
        message.expendable = !self.is_to_ask();
        let asks = !message.expendable;
        node.try_route(message.with_permit(permit), NextHop::Chosen)?;
        if asks {
            *self.asked_at.lock() = Some(Instant::now());
        }
        Ok(())
    }

    /// Whether the next datagram is to yield a notice if nobody is there. What goes back yields
    /// none.
    fn is_to_ask(&self) -> bool {
        let is_long_ago = |asked: Instant| asked.elapsed() >= NOTICE_INTERVAL;
        !self.back.is_empty() && self.asked_at.lock().is_none_or(is_long_ago)
    }

    /// Room for a message of `bytes`, if the flow may have it.
    fn room(&self, edge: &Budget, bytes: usize) -> Option<Permit> {
        if self.under_way.used() > edge.available() {
            return None;
        }
        let permit = edge.try_acquire(bytes)?.of_flow(self.flow.clone());
        Some(permit.also_holding(self.under_way.try_acquire(bytes)?))
    }
}

/// Bytes of the largest datagram that is sent along `route`: only where no channel is on the way,
/// as far as is known here, it may be one of any size.
fn largest(first_hop: &FirstHop, route: &Route) -> usize {
    match first_hop.is_connection() || route.len() == 1 {
        true => MAX_DATAGRAM,
        false => MAX_CHANNEL_DATAGRAM,
    }
}

#[cfg(test)]
mod tests {
    use ockam_actix_runtime::limits::MESSAGE_OVERHEAD_BYTES;

    use super::*;

    const COST: usize = 100 + MESSAGE_OVERHEAD_BYTES;

    /// The permits that a flow takes until it may have no more.
    fn flood(flow: &Sending, edge: &Budget) -> Vec<Permit> {
        std::iter::from_fn(|| flow.room(edge, 100)).collect()
    }

    #[test]
    fn a_flood_leaves_room_for_each_that_follows() {
        let edge = Budget::new(120 * COST);
        let mut permits = Vec::new();
        let mut left = 120;
        for number in 0..5 {
            let flow = Sending::onward(Address::random());
            let taken = flood(&flow, &edge);
            assert!((left / 2..=left / 2 + 1).contains(&taken.len()), "flow {number} of {left}");
            left -= taken.len();
            permits.extend(taken);
        }
        drop(permits);
        assert_eq!(edge.used(), 0);
    }

    #[test]
    fn room_of_a_flow_comes_back() {
        let edge = Budget::new(10 * COST);
        let flow = Sending::back(Address::random());
        let mut permits = flood(&flow, &edge);
        assert!(flow.room(&edge, 100).is_none());
        permits.pop();
        assert!(flow.room(&edge, 100).is_some());
        drop(permits);
        assert_eq!((edge.used(), flow.under_way.used()), (0, 0));
    }

    #[test]
    fn idle_edges_have_room_for_the_largest_datagram() {
        let edge = Budget::new(ockam_actix_runtime::limits::LANE_BUDGET_BYTES);
        let flow = Sending::onward(Address::random());
        assert!(flow.room(&edge, MAX_DATAGRAM).is_some());
    }
}
