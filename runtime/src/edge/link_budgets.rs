//! The budgets of the sources of this node that send over one connection: one for each address that
//! they send to at its far end, so that only the sources for a slow one wait.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use crate::{
    address::Address,
    edge::{
        budget::{Budget, Edge},
        pool::Pool,
    },
    limits::{EDGE_BUDGET_BYTES, LANE_BUDGET_BYTES},
    lock::Lock,
};

/// The budgets of one connection. Clones share them.
#[derive(Clone, Debug)]
pub struct LinkBudgets(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// What the sources of all connections of the node have waiting.
    queued: Arc<Pool>,
    /// Those that somebody keeps.
    by_next: Lock<HashMap<Address, Weak<Edge>>>,
}

impl LinkBudgets {
    /// Budgets that draw from `queued`.
    pub fn new(queued: Arc<Pool>) -> Self {
        Self(Arc::new(Shared { queued, by_next: Lock::default() }))
    }

    /// A budget that is not shared.
    pub fn one(&self) -> Budget {
        Budget::within(LANE_BUDGET_BYTES, EDGE_BUDGET_BYTES, self.0.queued.clone())
    }

    /// The budget for what goes to `next`, the first address at the far end.
    pub fn to(&self, next: &Address) -> Budget {
        let mut by_next = self.0.by_next.lock();
        if let Some(budget) = by_next.get(next).and_then(Budget::upgrade) {
            return budget;
        }
        if by_next.len() == by_next.capacity() {
            by_next.retain(|_, edge| edge.strong_count() > 0);
        }
        let budget = self.one();
        by_next.insert(next.clone(), budget.downgrade());
        budget
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_shared_by_destination_and_forgotten() {
        let budgets = LinkBudgets::new(Arc::new(Pool::new(usize::MAX)));
        let (a, b) = (budgets.to(&"a".into()), budgets.to(&"b".into()));
        let _full = budgets.to(&"a".into()).try_acquire(usize::MAX).unwrap();
        assert_eq!([a.available(), b.available()], [0, LANE_BUDGET_BYTES]);
        for number in 0..10_000 {
            budgets.to(&number.to_string().into());
        }
        assert!(budgets.0.by_next.lock().len() < 100);
        drop(a);
        assert_eq!(budgets.to(&"a".into()).available(), 0, "its permit keeps it");
    }
}
