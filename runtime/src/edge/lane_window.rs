//! The receiving end of one lane: how much the peer may send, and how that grows.
//!
//! A peer may send on a lane while it has credit there. Bytes count as held from the moment that
//! they arrive until they have moved on: into a worker, or into the socket of another connection.
//! They then become credit again. So a destination that takes nothing fills only its own lane.
//!
//! Invariants: `credit + held + freed = size` at any time, a message is let in while `credit > 0`,
//! and credit is granted for bytes that have moved on, or by growing.

use std::time::Duration;

use crate::limits::{LANE_BYTES, MAX_LANE_BYTES, MIN_LANE_ROUND_TRIP};

/// One lane as its receiver counts it.
#[derive(Debug)]
pub(super) struct LaneWindow {
    /// What the peer may still send; below zero by what the last message had more than that.
    credit: i64,
    /// Bytes that have arrived and have not moved on.
    held: i64,
    /// Bytes that have moved on and are not granted again.
    freed: i64,
    /// What the three are together at most.
    size: i64,
    /// Bytes that have moved on since the time of the last measurement.
    measured: i64,
    measured_since: Duration,
    /// The time of a grant, and the bytes that the peer could send without it: what it sends after
    /// those, it sends after the grant has arrived.
    timed: Option<(i64, Duration)>,
}

/// The peer sent more than it had credit for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it sent on a lane for which it has no credit")]
pub struct NoCredit;

impl LaneWindow {
    /// A lane on which nothing was sent yet.
    pub(super) const fn new(now: Duration) -> Self {
        Self {
            credit: LANE_BYTES as i64,
            held: 0,
            freed: 0,
            size: LANE_BYTES as i64,
            measured: 0,
            measured_since: now,
            timed: None,
        }
    }

    /// Counts a message of `cost` bytes that has arrived. Returns the round trip to the peer if the
    /// message measures it; `now` is asked for only then.
    pub(super) fn arrive(
        &mut self,
        cost: i64,
        now: impl FnOnce() -> Duration,
    ) -> Result<Option<Duration>, NoCredit> {
        if self.credit <= 0 {
            return Err(NoCredit);
        }
        self.credit -= cost;
        self.held += cost;
        match &mut self.timed {
            Some((without, granted)) if *without <= 0 => {
                let measured = now().saturating_sub(*granted);
                self.timed = None;
                Ok(Some(measured))
            }
            Some((without, _)) => {
                *without -= cost;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Counts `cost` bytes that have moved on. Returns whether a grant is due.
    pub(super) fn free(&mut self, cost: i64) -> bool {
        self.held -= cost;
        self.freed += cost;
        self.measured += cost;
        self.freed >= self.size / 4
    }

    /// Grants credit for all that has moved on. The window grows, if `grow` permits it, to
    /// `headroom` times what moves on in the shortest round trip, which does not depend on the
    /// queue that the window itself makes. A peer that uses less of it needs no more. Returns both
    /// parts.
    pub(super) fn grant(
        &mut self,
        now: Duration,
        (shortest, headroom): (Option<Duration>, f64),
        grow: impl FnOnce(i64) -> bool,
    ) -> (u32, u32) {
        let before = self.size;
        if let Some(shortest) = shortest {
            self.measure(now, (shortest.max(MIN_LANE_ROUND_TRIP), headroom), grow);
        }
        let (freed, grown) = (std::mem::take(&mut self.freed), self.size - before);
        if freed + grown > 0 && self.timed.is_none() {
            self.timed = Some((self.credit, now));
        }
        self.credit += freed + grown;
        [freed, grown].map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX)).into()
    }

    fn measure(
        &mut self,
        now: Duration,
        (shortest, headroom): (Duration, f64),
        grow: impl FnOnce(i64) -> bool,
    ) {
        let elapsed = now.saturating_sub(self.measured_since);
        if elapsed < shortest {
            return;
        }
        let rate = self.measured as f64 / elapsed.as_secs_f64();
        let wanted = (headroom * rate * shortest.as_secs_f64()) as i64;
        let size = wanted.min(2 * self.size).min(i64::from(MAX_LANE_BYTES));
        if size > self.size && grow(size - self.size) {
            self.size = size;
        }
        self.measured = 0;
        self.measured_since = now;
    }

    /// Whether the peer has the credit of a new lane, so that it can be forgotten.
    pub(super) fn is_full(&self) -> bool {
        self.credit == i64::from(LANE_BYTES) && self.held == 0 && self.freed == 0
    }

    /// Whether what the peer sends next may measure the round trip.
    pub(super) fn is_measuring(&self) -> bool {
        self.timed.is_some()
    }

    /// Bytes by which it has grown.
    #[cfg(test)]
    fn grown(&self) -> i64 {
        self.size - i64::from(LANE_BYTES)
    }

    /// Bytes that are granted again with the next grant.
    pub(super) fn has_freed(&self) -> bool {
        self.freed > 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::limits::{BUNDLE_LANE_HEADROOM, LANE_HEADROOM};

    const COST: i64 = 60 * 1024;
    const RTT: Duration = Duration::from_millis(40);

    /// A sender that always has something, a line of `rate` bytes a second on which everything but
    /// the first messages is `late` by so many seconds, and a receiver that takes all at once.
    /// Returns the bytes a second that pass and the longest queue in front of the line, in seconds,
    /// both in the second half of 10 s.
    fn over_a_line(rate: f64, late: f64, headroom: f64) -> (f64, f64) {
        let mut lane = LaneWindow::new(Duration::ZERO);
        let (mut shortest, mut credit) = (None::<Duration>, i64::from(LANE_BYTES));
        let (mut line_free, mut passed, mut longest) = (0.0, 0, 0.0);
        let (mut arriving, mut granted) = (VecDeque::new(), VecDeque::new());
        for tick in 0..100_000_u32 {
            let (now, second_half) = (f64::from(tick) / 10_000.0, tick >= 50_000);
            let time = Duration::from_secs_f64(now);
            while credit > 0 {
                credit -= COST;
                line_free = f64::max(line_free, now) + COST as f64 / rate;
                let late = if tick < 1_000 { 0.0 } else { late };
                arriving.push_back(line_free + RTT.as_secs_f64() / 2.0 + late);
            }
            while arriving.front().is_some_and(|at| *at <= now) {
                arriving.pop_front();
                let measured = lane.arrive(COST, || time).unwrap();
                shortest = shortest.into_iter().chain(measured).min();
                if lane.free(COST) {
                    let (freed, grown) = lane.grant(time, (shortest, headroom), |_| true);
                    let grant = i64::from(freed) + i64::from(grown);
                    granted.push_back((now + RTT.as_secs_f64() / 2.0, grant));
                }
                passed += if second_half { COST } else { 0 };
            }
            while granted.front().is_some_and(|(at, _)| *at <= now) {
                credit += granted.pop_front().map_or(0, |(_, grant)| grant);
            }
            longest = if second_half { f64::max(longest, line_free - now) } else { 0.0 };
        }
        (passed as f64 / 5.0, longest)
    }

    #[test]
    fn the_window_fills_a_line_without_a_queue() {
        for rate in [500e3, 5e6, 50e6] {
            let (passed, longest) = over_a_line(rate, 0.0, LANE_HEADROOM);
            assert!(passed > 0.9 * rate, "{passed} of {rate} bytes a second");
            // The time that messages take themselves is a part of every round trip.
            let limit = 0.6 * RTT.as_secs_f64() + 4.0 * COST as f64 / rate;
            assert!(longest < limit, "{longest} s in front of a line of {rate} bytes a second");
        }
    }

    /// Chunks that wait for those before them, as in a bundle, take longer than the shortest round
    /// trip, by more than the queue in front of a line should.
    #[test]
    fn chunks_that_wait_do_not_starve_bundles() {
        let (rate, late) = (50e6, 1.5 * RTT.as_secs_f64());
        let (alone, _) = over_a_line(rate, late, LANE_HEADROOM);
        let (bundle, _) = over_a_line(rate, late, BUNDLE_LANE_HEADROOM);
        assert!(bundle > 0.9 * rate, "{bundle} of {rate} bytes a second");
        assert!(alone < 0.5 * rate, "{alone} of {rate} bytes a second, so that it shows nothing");
    }

    #[test]
    fn without_credit_nothing_is_let_in() {
        let mut lane = LaneWindow::new(Duration::ZERO);
        let mut let_in = 0;
        while lane.arrive(COST, || Duration::ZERO).is_ok() {
            let_in += 1;
        }
        assert_eq!(let_in, 2, "credit of 64 KiB, exceeded by the last message");
        assert!(lane.free(COST));
        let cost = u32::try_from(COST).unwrap();
        assert_eq!(lane.grant(Duration::ZERO, (None, LANE_HEADROOM), |_| true), (cost, 0));
        assert_eq!(lane.arrive(COST, || RTT), Ok(Some(RTT)), "an answer to the grant");
    }

    #[test]
    fn a_hardly_used_lane_stays_small() {
        let mut lane = LaneWindow::new(Duration::ZERO);
        for round in 1..1_000 {
            lane.arrive(i64::from(LANE_BYTES) / 2, || Duration::ZERO).unwrap();
            lane.free(i64::from(LANE_BYTES) / 2);
            lane.grant(RTT * round, (Some(Duration::from_millis(1)), LANE_HEADROOM), |_| true);
        }
        assert_eq!(lane.grown(), 0);
        assert!(lane.is_full());
    }

    proptest! {
        /// Whatever arrives and moves on in whatever order: what may come to be held is bounded by
        /// the window and one message, and a peer whose messages all moved on has all its credit.
        #[test]
        fn what_is_held_is_bounded_and_all_credit_comes_back(
            steps in prop::collection::vec((1..COST, any::<bool>(), 0..100u64), 1..200),
            may_grow in any::<bool>(),
        ) {
            let mut lane = LaneWindow::new(Duration::ZERO);
            let (mut held, mut credit, mut now) = (Vec::new(), i64::from(LANE_BYTES), Duration::ZERO);
            for (cost, arrives, millis) in steps {
                now += Duration::from_millis(millis);
                if arrives {
                    prop_assert_eq!(lane.arrive(cost, || now).is_ok(), credit > 0);
                    if credit > 0 {
                        credit -= cost;
                        held.push(cost);
                    }
                } else if let Some(cost) = held.pop() {
                    if lane.free(cost) {
                        let (freed, grown) = lane.grant(now, (Some(RTT), LANE_HEADROOM), |_| may_grow);
                        credit += i64::from(freed) + i64::from(grown);
                    }
                }
                prop_assert!(held.iter().sum::<i64>() <= lane.size + COST);
                prop_assert!(may_grow || lane.grown() == 0);
            }
            held.drain(..).for_each(|cost| { lane.free(cost); });
            credit += i64::from(lane.grant(now, (None, LANE_HEADROOM), |_| false).0);
            prop_assert_eq!(credit, lane.size);
        }
    }
}
