//! The sending end of a connection's lanes: which frame is written next.
//!
//! Every frame belongs to a lane. A lane has the credit that the peer grants, and its frames wait
//! in order as long as it has none; the other lanes go on. Lanes that may send take turns:
//!
//! * This node's own messages have a lane for each address that they go to at the peer, and for
//!   each stream, so that one slow receiver there holds up only its own messages.
//! * Messages that this node passes on for another connection have a lane for each lane there, and
//!   all lanes of that connection take one turn together: opening many gives nobody a larger share.
//!
//! Invariants, which the tests check: frames of one lane keep their order, none is sent without
//! credit, every lane with frames and credit is served in each round, and numbers are used again.

use std::collections::{hash_map::Entry, HashMap, VecDeque};

use ockam_actix_runtime::{
    edge::{lane::Grant, pool::cost},
    limits::LANE_BYTES,
    Address,
};

use crate::limits::TURN_BYTES;

/// What frames of one lane have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LaneKey {
    /// They come from this node and go to this address at the peer, or belong to the stream at this
    /// address here.
    To(Address),
    /// The same for messages that may be lost, which wait for no others.
    Expendable(Address),
    /// They came in on a lane of another connection.
    From {
        /// The connection.
        connection: u64,
        /// The lane there; 0 for what came beside the lanes.
        lane: u16,
    },
}

/// The lanes of one connection, with frames of any type `F`.
#[derive(Debug)]
pub(crate) struct SendLanes<F> {
    /// The lane of number `n` is at `n - 1`.
    lanes: Vec<Lane<F>>,
    numbers: HashMap<LaneKey, u16>,
    free: Vec<u16>,
    /// Whose turn it is, and then that of the others that may send.
    turns: VecDeque<Turn>,
    /// The lanes of each other connection that may send.
    connections: HashMap<u64, VecDeque<u16>>,
    /// Bytes that were sent in the present turn.
    sent_in_turn: usize,
}

#[derive(Debug)]
struct Lane<F> {
    /// `None` while the number is free.
    key: Option<LaneKey>,
    /// It stays with the number: the peer knows no more of a lane than that.
    credit: i64,
    /// What was sent and has not moved on.
    sent: i64,
    frames: VecDeque<(usize, F)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Lane(u16),
    Connection(u64),
}

/// The peer granted credit for what was never sent, or more than can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it granted credit for which there is no reason")]
pub(crate) struct BadGrant;

impl<F> Default for SendLanes<F> {
    fn default() -> Self {
        Self {
            lanes: Vec::new(),
            numbers: HashMap::new(),
            free: Vec::new(),
            turns: VecDeque::new(),
            connections: HashMap::new(),
            sent_in_turn: 0,
        }
    }
}

impl<F> SendLanes<F> {
    /// The number of the lane for `key`; `None` if all are in use.
    pub(crate) fn number(&mut self, key: LaneKey) -> Option<u16> {
        let entry = match self.numbers.entry(key) {
            Entry::Occupied(known) => return Some(*known.get()),
            Entry::Vacant(entry) => entry,
        };
        let key = Some(entry.key().clone());
        let number = match self.free.pop() {
            Some(number) => {
                self.lanes[usize::from(number) - 1].key = key;
                number
            }
            None => {
                let number = u16::try_from(self.lanes.len() + 1).ok()?;
                let credit = i64::from(LANE_BYTES);
                self.lanes.push(Lane { key, credit, sent: 0, frames: VecDeque::new() });
                number
            }
        };
        Some(*entry.insert(number))
    }

    /// Whether something of the lane for `key` waits, or has not moved on.
    pub(crate) fn is_in_use(&self, key: &LaneKey) -> bool {
        self.numbers.contains_key(key)
    }

    /// Adds a frame with a body of `bytes` to the lane `number`.
    pub(crate) fn push(&mut self, number: u16, bytes: usize, frame: F) {
        let lane = &mut self.lanes[usize::from(number) - 1];
        let could_send = lane.may_send();
        lane.frames.push_back((bytes, frame));
        if !could_send && lane.may_send() {
            self.list(number);
        }
    }

    /// What the frames that wait in the lane `number` count as.
    pub(crate) fn waiting(&self, number: u16) -> usize {
        let frames = &self.lanes[usize::from(number) - 1].frames;
        frames.iter().map(|(bytes, _)| cost(*bytes)).sum()
    }

    /// Takes the next frame, if one may be sent now.
    pub(crate) fn pop(&mut self) -> Option<F> {
        let turn = *self.turns.front()?;
        let number = match turn {
            Turn::Lane(number) => number,
            Turn::Connection(connection) => *self.connections.get(&connection)?.front()?,
        };
        let lane = &mut self.lanes[usize::from(number) - 1];
        let (bytes, frame) = lane.frames.pop_front()?;
        let cost = i64::try_from(cost(bytes)).unwrap_or(i64::MAX);
        lane.credit -= cost;
        lane.sent += cost;
        let goes_on = lane.may_send();
        self.sent_in_turn += bytes;
        self.end_of_frame(turn, number, goes_on);
        Some(frame)
    }

    /// Notes that a frame with a body of `bytes`, just taken from the lane `number`, has left
    /// beside the lanes: it takes no credit.
    pub(crate) fn left_beside(&mut self, number: u16, bytes: usize) {
        let moved_on = u32::try_from(cost(bytes)).unwrap_or(u32::MAX);
        let taken_back = self.grant(Grant { lane: number, moved_on, more: 0 });
        debug_assert!(taken_back.is_ok(), "it was taken from the lane");
    }

    /// Adds the credit that the peer granted.
    ///
    /// # Errors
    /// If there is no such lane, more has moved on than was sent, or the lane would have more
    /// credit than any peer may grant.
    pub(crate) fn grant(&mut self, grant: Grant) -> Result<(), BadGrant> {
        let Grant { lane: number, moved_on, more } = grant;
        let index = usize::from(number).checked_sub(1).ok_or(BadGrant)?;
        let lane = self.lanes.get_mut(index).ok_or(BadGrant)?;
        let could_send = lane.may_send();
        lane.credit += i64::from(moved_on) + i64::from(more);
        lane.sent -= i64::from(moved_on);
        if lane.sent < 0 || lane.credit > i64::from(u32::MAX) {
            return Err(BadGrant);
        }
        if !could_send && lane.may_send() {
            self.list(number);
        } else if lane.frames.is_empty() && lane.sent == 0 {
            // All that was sent has moved on: nobody waits for anything in its order. A number that
            // nobody uses keeps no memory beside its credit.
            lane.frames = VecDeque::new();
            if let Some(key) = lane.key.take() {
                self.numbers.remove(&key);
                self.free.push(number);
            }
        }
        Ok(())
    }

    /// Whether no frame may be sent now.
    pub(crate) fn is_idle(&self) -> bool {
        self.turns.is_empty()
    }

    /// Gives a lane that may send from now on its place.
    fn list(&mut self, number: u16) {
        match self.lanes[usize::from(number) - 1].key {
            Some(LaneKey::From { connection, .. }) => {
                let lanes = self.connections.entry(connection).or_default();
                lanes.push_back(number);
                if lanes.len() == 1 {
                    self.turns.push_back(Turn::Connection(connection));
                }
            }
            _ => self.turns.push_back(Turn::Lane(number)),
        }
    }

    /// After a frame of lane `number`, which goes on or not: it is the next one's turn.
    fn end_of_frame(&mut self, turn: Turn, number: u16, goes_on: bool) {
        let turn_goes_on = match turn {
            Turn::Lane(_) => goes_on,
            Turn::Connection(connection) => {
                let Some(lanes) = self.connections.get_mut(&connection) else { return };
                lanes.pop_front();
                if goes_on {
                    lanes.push_back(number);
                }
                let any = !lanes.is_empty();
                if !any {
                    self.connections.remove(&connection);
                }
                any
            }
        };
        if turn_goes_on && self.sent_in_turn < TURN_BYTES {
            return;
        }
        self.sent_in_turn = 0;
        self.turns.pop_front();
        if turn_goes_on {
            self.turns.push_back(turn);
        }
    }
}

impl<F> Lane<F> {
    fn may_send(&self) -> bool {
        self.credit > 0 && !self.frames.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = 60 * 1024;

    fn to(name: &str) -> LaneKey {
        LaneKey::To(name.into())
    }

    fn push(lanes: &mut SendLanes<usize>, key: LaneKey, bytes: usize, frame: usize) -> u16 {
        let number = lanes.number(key).unwrap();
        lanes.push(number, bytes, frame);
        number
    }

    fn all(lanes: &mut SendLanes<usize>) -> Vec<usize> {
        std::iter::from_fn(|| lanes.pop()).collect()
    }

    #[test]
    fn a_lane_without_credit_holds_up_only_itself() {
        let mut lanes = SendLanes::default();
        let slow = (0..10).map(|n| push(&mut lanes, to("slow"), CHUNK, n)).last().unwrap();
        assert_eq!(all(&mut lanes), [0, 1], "the last one exceeds the credit");
        push(&mut lanes, to("fast"), 10, 100);
        push(&mut lanes, to("slow"), 10, 10);
        assert_eq!(all(&mut lanes), [100]);
        assert!(lanes.is_idle());
        let moved_on = u32::try_from(2 * cost(CHUNK)).unwrap();
        lanes.grant(Grant { lane: slow, moved_on, more: 0 }).unwrap();
        assert_eq!(all(&mut lanes), [2, 3]);
    }

    #[test]
    fn lanes_take_turns_by_bytes() {
        let mut lanes = SendLanes::default();
        for n in 0..2 {
            push(&mut lanes, to("bulk"), CHUNK, n);
        }
        for n in 0..2 {
            push(&mut lanes, to("other"), CHUNK, 10 + n);
        }
        push(&mut lanes, to("small"), 10, 20);
        assert_eq!(all(&mut lanes), [0, 1, 10, 11, 20]);
        let again = |lanes: &mut SendLanes<usize>| {
            for lane in 1..=3 {
                lanes.grant(Grant { lane, moved_on: 0, more: 1 << 20 }).unwrap();
            }
            (0..4).for_each(|n| {
                push(lanes, to("bulk"), CHUNK, n);
            });
            push(lanes, to("small"), 10, 20);
            all(lanes)
        };
        assert_eq!(again(&mut lanes), [0, 1, 20, 2, 3]);
    }

    #[test]
    fn many_lanes_of_one_connection_are_one_turn() {
        let mut lanes = SendLanes::default();
        for lane in 1..=100 {
            push(&mut lanes, LaneKey::From { connection: 7, lane }, CHUNK, 0);
        }
        push(&mut lanes, to("honest"), CHUNK, 1);
        assert_eq!(all(&mut lanes)[..3], [0, 0, 1]);
    }

    #[test]
    fn numbers_are_free_when_all_has_moved() {
        let mut lanes = SendLanes::default();
        let number = push(&mut lanes, to("a"), 10, 0);
        assert_eq!(push(&mut lanes, to("b"), 10, 0), 2);
        all(&mut lanes);
        lanes.grant(Grant { lane: number, moved_on: 5, more: 1 << 20 }).unwrap();
        assert_eq!(lanes.number(to("a")), Some(number), "only a part has moved on");
        let moved_on = u32::try_from(cost(10)).unwrap() - 5;
        lanes.grant(Grant { lane: number, moved_on, more: 0 }).unwrap();
        assert_eq!(lanes.number(to("c")), Some(number));
        assert_eq!(lanes.number(to("a")), Some(3));
    }

    #[test]
    fn all_numbers_may_be_in_use() {
        let mut lanes = SendLanes::<usize>::default();
        for number in 1..=u16::MAX {
            assert_eq!(lanes.number(to(&number.to_string())), Some(number));
        }
        assert_eq!(lanes.number(to("one more")), None);
        assert_eq!(lanes.number(to("7")), Some(7));
    }

    #[test]
    fn grants_without_a_reason_are_refused() {
        let mut lanes = SendLanes::default();
        let number = push(&mut lanes, to("a"), CHUNK, 0);
        let mut refuses =
            |lane, moved_on, more| lanes.grant(Grant { lane, moved_on, more }) == Err(BadGrant);
        assert!(refuses(number + 1, 1, 0), "a lane that was never used");
        assert!(refuses(number, 0, u32::MAX), "more than can be counted");
        assert!(refuses(number, u32::try_from(cost(CHUNK)).unwrap() + 1, 0), "more than was sent");
    }
}
