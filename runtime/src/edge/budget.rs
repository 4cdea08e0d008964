//! Byte budgets: how the edges between actors stay bounded.
//!
//! An actix mailbox bounds nothing (`do_send` ignores its capacity, and every cloned `Addr` has a
//! free slot). So whoever puts data on an edge first takes a [`Permit`] for its bytes from the
//! edge's [`Budget`]; the permit travels with the message and is given back when the
//! consumer drops it.
//!
//! A message counts as its bytes and [`MESSAGE_OVERHEAD_BYTES`], so that many small messages do not
//! take much more memory than they are counted for. A quarter more is reserved for short messages
//! that must not wait for data, such as announcements of credit: whoever waits for those would
//! otherwise wait for room that it could release itself.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::MESSAGE_OVERHEAD_BYTES;

/// Bytes that may be under way on one edge. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    data: Arc<Semaphore>,
    urgent: Arc<Semaphore>,
    total: usize,
}

/// Bytes taken from a [`Budget`], given back when this is dropped.
#[derive(Debug)]
pub struct Permit {
    bytes: OwnedSemaphorePermit,
}

impl Permit {
    /// Gives back all but what a message of `bytes` needs, if more was taken.
    pub fn shrink_to(&mut self, bytes: usize) {
        let excess = self.bytes.num_permits().saturating_sub(cost(bytes));
        drop(self.bytes.split(excess));
    }
}

impl Budget {
    /// A budget of `total` bytes for data, and a quarter of that for short, urgent messages.
    pub fn new(total: usize) -> Self {
        let total = total.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        let urgent = (total / 4).max(MESSAGE_OVERHEAD_BYTES);
        Self {
            data: Arc::new(Semaphore::new(total)),
            urgent: Arc::new(Semaphore::new(urgent)),
            total,
        }
    }

    /// Waits until there is room for a message of `bytes`, first come first served. A message that
    /// needs more than the whole budget takes all of it, so that it passes alone instead of never.
    ///
    /// `None` once the budget is closed, because its edge is gone.
    pub async fn acquire(&self, bytes: usize) -> Option<Permit> {
        let permit = self.data.clone().acquire_many_owned(self.size(bytes)).await;
        permit.ok().map(|bytes| Permit { bytes })
    }

    /// Takes the room for a message of `bytes` if it is free now and nobody waits for it.
    pub fn try_acquire(&self, bytes: usize) -> Option<Permit> {
        let permit = self.data.clone().try_acquire_many_owned(self.size(bytes));
        permit.ok().map(|bytes| Permit { bytes })
    }

    /// As [`acquire`](Self::acquire), for a short, urgent message.
    pub async fn acquire_urgent(&self) -> Option<Permit> {
        let permit = self.urgent.clone().acquire_many_owned(urgent()).await;
        permit.ok().map(|bytes| Permit { bytes })
    }

    /// As [`try_acquire`](Self::try_acquire), for a short, urgent message.
    pub fn try_acquire_urgent(&self) -> Option<Permit> {
        let permit = self.urgent.clone().try_acquire_many_owned(urgent());
        permit.ok().map(|bytes| Permit { bytes })
    }

    /// Ends every wait, present and future.
    pub fn close(&self) {
        self.data.close();
        self.urgent.close();
    }

    /// Bytes that are free for data.
    pub fn available(&self) -> usize {
        self.data.available_permits()
    }

    /// Bytes in use by data.
    pub fn used(&self) -> usize {
        self.total.saturating_sub(self.available())
    }

    fn size(&self, bytes: usize) -> u32 {
        u32::try_from(cost(bytes).min(self.total)).unwrap_or(u32::MAX)
    }
}

/// What an urgent message counts as.
fn urgent() -> u32 {
    u32::try_from(cost(0)).unwrap_or(u32::MAX)
}

/// What a message of `bytes` counts as.
fn cost(bytes: usize) -> usize {
    bytes.saturating_add(MESSAGE_OVERHEAD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Room for two messages of 100 bytes.
    const TOTAL: usize = 2 * (100 + MESSAGE_OVERHEAD_BYTES);

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
        budget.close();
        assert!(futures::executor::block_on(budget.acquire(1)).is_none());
        assert!(futures::executor::block_on(budget.acquire_urgent()).is_none());
    }
}
