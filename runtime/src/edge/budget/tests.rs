//! Who has room on an edge, in which order, and that all of it comes back.

use std::{task::Poll, time::Duration};

use futures::{executor::block_on, future::BoxFuture, poll};
use tokio::time::advance;

use super::*;

/// Room for two messages of 100 bytes.
const TOTAL: usize = 2 * (100 + MESSAGE_OVERHEAD_BYTES);
const BULK: usize = 2 * SMALL_MESSAGE_BYTES;

#[test]
fn bytes_come_back_when_the_permit_is_dropped() {
    let budget = Budget::new(TOTAL);
    let permit = budget.try_acquire(101).unwrap();
    assert!(budget.try_acquire(100).is_none());
    assert_eq!(budget.used(), 101 + MESSAGE_OVERHEAD_BYTES);
    drop(permit);
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_permit_shrinks_to_what_was_needed() {
    let budget = Budget::new(TOTAL);
    let mut permit = budget.try_acquire(60).unwrap();
    permit.shrink_to(10);
    assert_eq!(budget.used(), 10 + MESSAGE_OVERHEAD_BYTES);
    permit.shrink_to(50);
    assert_eq!(budget.used(), 10 + MESSAGE_OVERHEAD_BYTES);
}

#[test]
fn small_messages_count_for_more_than_their_bytes() {
    let budget = Budget::new(TOTAL);
    let permits: Vec<_> = std::iter::from_fn(|| budget.try_acquire(1)).collect();
    assert_eq!(permits.len(), 2);
}

#[test]
fn urgent_messages_pass_a_full_budget_within_bounds() {
    let budget = Budget::new(16 * MESSAGE_OVERHEAD_BYTES);
    let _all = budget.try_acquire(usize::MAX).unwrap();
    assert!(budget.try_acquire(0).is_none());
    let urgent: Vec<_> = std::iter::from_fn(|| budget.try_acquire_urgent()).collect();
    assert_eq!(urgent.len(), 4);
    drop(urgent);
    assert!(budget.try_acquire_urgent().is_some());
}

#[test]
fn more_than_the_budget_passes_alone() {
    let budget = Budget::new(TOTAL);
    let permit = budget.try_acquire(usize::MAX).unwrap();
    assert_eq!(budget.available(), 0);
    drop(permit);
    assert_eq!(budget.available(), TOTAL);
}

#[test]
fn closing_ends_a_wait() {
    let budget = Budget::new(1);
    let _held = (budget.try_acquire(1).unwrap(), budget.try_acquire_urgent().unwrap());
    block_on(async {
        let mut waiting = Box::pin(budget.acquire(1));
        assert!(poll!(&mut waiting).is_pending());
        budget.close();
        assert!(waiting.await.is_none());
        assert!(budget.acquire(1).await.is_none());
        assert!(budget.acquire_urgent().await.is_none());
    });
}

/// Who waits, in the order in which they came.
struct Waiting<'a>(Vec<(usize, BoxFuture<'a, Option<Permit>>)>);

impl<'a> Waiting<'a> {
    async fn add(&mut self, budget: &'a Budget, bytes: usize) {
        let mut waiting: BoxFuture<_> = Box::pin(budget.acquire(bytes));
        assert!(poll!(&mut waiting).is_pending());
        self.0.push((self.0.len(), waiting));
    }

    /// The numbers of those that have room now, with their permits.
    async fn served(&mut self) -> Vec<(usize, Permit)> {
        let mut served = Vec::new();
        for (number, mut waiting) in std::mem::take(&mut self.0) {
            match poll!(&mut waiting) {
                Poll::Ready(permit) => served.push((number, permit.unwrap())),
                Poll::Pending => self.0.push((number, waiting)),
            }
        }
        served
    }
}

#[test]
fn sources_are_served_in_their_order() {
    block_on(async {
        let budget = Budget::new(cost(BULK));
        let mut held = budget.try_acquire(BULK).map(|permit| (usize::MAX, permit));
        let mut waiting = Waiting(Vec::new());
        for _ in 0..3 {
            waiting.add(&budget, BULK).await;
        }
        for expected in 0..3 {
            drop(held.take());
            let mut served = waiting.served().await;
            assert_eq!(served.len(), 1);
            held = served.pop();
            assert_eq!(held.as_ref().map(|(number, _)| *number), Some(expected));
        }
    });
}

#[test]
fn small_messages_pass_bulk_but_not_for_ever() {
    block_on(async {
        let budget = Budget::new(cost(BULK));
        let held = budget.try_acquire(BULK).unwrap();
        let mut waiting = Waiting(Vec::new());
        waiting.add(&budget, BULK).await;
        for _ in 0..2 * SMALL_IN_A_ROW {
            waiting.add(&budget, 1).await;
        }
        drop(held);
        let mut order = Vec::new();
        while !waiting.0.is_empty() {
            let served = waiting.served().await;
            assert!(!served.is_empty(), "somebody has room");
            order.extend(served.into_iter().map(|(number, _)| number));
        }
        assert_eq!(order.iter().position(|number| *number == 0), Some(SMALL_IN_A_ROW));
    });
}

#[test]
fn a_source_that_went_away_keeps_no_room() {
    block_on(async {
        let budget = Budget::new(cost(BULK));
        let held = budget.try_acquire(BULK).unwrap();
        let mut gone = Waiting(Vec::new());
        for _ in 0..10_000 {
            gone.add(&budget, BULK).await;
        }
        let mut waiting = Waiting(Vec::new());
        waiting.add(&budget, BULK).await;
        drop(gone);
        drop(held);
        assert_eq!(waiting.served().await.len(), 1);
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn together_they_hold_little_beyond_the_pool() {
    let pool = Arc::new(Pool::new(cost(BULK)));
    let budgets: Vec<_> =
        (0..10).map(|_| Budget::within(10 * cost(BULK), 10 * cost(BULK), pool.clone())).collect();
    let held: Vec<_> = budgets.iter().map(|budget| budget.try_acquire(BULK)).collect();
    assert!(held.iter().all(Option::is_some), "each has one message");
    assert!(budgets.iter().all(|budget| budget.try_acquire(BULK).is_none()), "and no more");
    drop(held);
    assert_eq!(pool.used(), 0);
}

/// Takes all of a budget and gives it back after `while_it_waits`, several times.
async fn pass(budget: &Budget, while_it_waits: Duration) {
    for _ in 0..10 {
        let all = budget.try_acquire(usize::MAX).unwrap();
        advance(while_it_waits).await;
        drop(all);
    }
}

#[tokio::test(start_paused = true)]
async fn the_capacity_follows_what_passes_in_time() {
    const LEAST: usize = 128 * 1024;
    let budget = Budget::within(LEAST, 8 * LEAST, Arc::new(Pool::new(usize::MAX)));
    assert_eq!(budget.available(), LEAST);
    pass(&budget, Duration::ZERO).await;
    assert_eq!(budget.available(), 8 * LEAST);
    pass(&budget, 2 * SHORT_QUEUE).await;
    assert_eq!(budget.available(), LEAST);
    // One that is fixed stays so.
    let budget = Budget::new(LEAST);
    pass(&budget, Duration::ZERO).await;
    assert_eq!(budget.available(), LEAST);
}
