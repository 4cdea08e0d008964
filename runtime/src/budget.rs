//! Byte budgets: how the edges between actors stay bounded.
//!
//! An actix mailbox bounds nothing (`do_send` ignores its capacity, and every cloned `Addr` has a
//! free slot). So whoever puts data on an edge first takes a [`Permit`] for its bytes from the
//! edge's [`Budget`]; the permit travels with the message and is given back when the
//! consumer drops it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that may be under way on one edge. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    bytes: Arc<Semaphore>,
    total: usize,
}

/// Bytes taken from a [`Budget`] until it is dropped.
#[derive(Debug)]
pub struct Permit {
    bytes: OwnedSemaphorePermit,
}

impl Permit {
    /// Gives back all but `bytes`, when less was needed than was taken.
    pub fn shrink_to(&mut self, bytes: usize) {
        let excess = self.bytes.num_permits().saturating_sub(bytes.max(1));
        drop(self.bytes.split(excess));
    }
}

impl Budget {
    /// A budget of `total` bytes.
    pub fn new(total: usize) -> Self {
        let total = total.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        Self { bytes: Arc::new(Semaphore::new(total)), total }
    }

    /// Waits its turn until `bytes` are free, first come first served. More than the whole budget
    /// takes all of it, so that a large message passes alone instead of never.
    ///
    /// `None` once the budget was closed, because its edge is gone.
    pub async fn acquire(&self, bytes: usize) -> Option<Permit> {
        let permit = self.bytes.clone().acquire_many_owned(self.size(bytes)).await;
        permit.ok().map(|bytes| Permit { bytes })
    }

    /// Takes `bytes` if they are free now and nobody waits for them.
    pub fn try_acquire(&self, bytes: usize) -> Option<Permit> {
        let permit = self.bytes.clone().try_acquire_many_owned(self.size(bytes));
        permit.ok().map(|bytes| Permit { bytes })
    }

    /// Ends every wait, now and later.
    pub fn close(&self) {
        self.bytes.close();
    }

    /// Bytes that are free.
    pub fn available(&self) -> usize {
        self.bytes.available_permits()
    }

    /// Bytes that are in use.
    pub fn used(&self) -> usize {
        self.total.saturating_sub(self.available())
    }

    fn size(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.clamp(1, self.total)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_when_the_permit_is_dropped() {
        let budget = Budget::new(100);
        let permit = budget.try_acquire(60).unwrap();
        assert!(budget.try_acquire(60).is_none());
        assert_eq!(budget.used(), 60);
        drop(permit);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_permit_shrinks_to_what_was_needed() {
        let budget = Budget::new(100);
        let mut permit = budget.try_acquire(60).unwrap();
        permit.shrink_to(10);
        assert_eq!(budget.used(), 10);
        permit.shrink_to(50);
        assert_eq!(budget.used(), 10);
    }

    #[test]
    fn more_than_the_budget_passes_alone() {
        let budget = Budget::new(100);
        let permit = budget.try_acquire(1_000).unwrap();
        assert_eq!(budget.available(), 0);
        drop(permit);
        assert_eq!(budget.available(), 100);
    }

    #[test]
    fn closing_ends_a_wait() {
        let budget = Budget::new(1);
        let _held = budget.try_acquire(1).unwrap();
        budget.close();
        assert!(futures::executor::block_on(budget.acquire(1)).is_none());
    }
}
