//! What the connections of a node may hold together, and the parts of it that each has.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use crate::{
    edge::{lane::Lanes, link_budgets::LinkBudgets, pool::Pool},
    limits::{NodeLimits, BUNDLE_LANE_HEADROOM, LANE_HEADROOM},
    lock::Lock,
    trust::source::SourceAddress,
};

/// The pools of a node's connections; one for each node, as its extension.
#[derive(Debug)]
pub struct ConnectionPools {
    held: Arc<Pool>,
    queued: Arc<Pool>,
    held_per_connection: usize,
    held_per_source: usize,
    /// The pools of the sources that have connections.
    sources: Lock<HashMap<SourceAddress, Weak<Pool>>>,
}

impl ConnectionPools {
    /// Empty pools of the sizes that `limits` say.
    pub fn new(limits: &NodeLimits) -> Self {
        Self {
            held: Arc::new(Pool::new(limits.held_bytes)),
            queued: Arc::new(Pool::new(limits.queued_bytes)),
            held_per_connection: limits.held_bytes_per_connection,
            held_per_source: limits.held_bytes_per_source,
            sources: Lock::default(),
        }
    }

    /// The lanes of a new connection, from `source` if a listener accepted it. One that consists of
    /// several `parts` may hold what so many may hold, within what its source may.
    pub fn lanes(&self, source: Option<SourceAddress>, parts: usize) -> Lanes {
        let of_source = source.map(|source| self.source(source));
        let pools = of_source.into_iter().chain([self.held.clone()]).collect();
        let headroom = if parts > 1 { BUNDLE_LANE_HEADROOM } else { LANE_HEADROOM };
        Lanes::with_headroom(self.held_per_connection.saturating_mul(parts), pools, headroom)
    }

    /// The budgets of the sources that send over a new connection.
    pub fn link_budgets(&self) -> LinkBudgets {
        LinkBudgets::new(self.queued.clone())
    }

    fn source(&self, source: SourceAddress) -> Arc<Pool> {
        let mut sources = self.sources.lock();
        if let Some(pool) = sources.get(&source).and_then(Weak::upgrade) {
            return pool;
        }
        sources.retain(|_, pool| pool.strong_count() > 0);
        let pool = Arc::new(Pool::new(self.held_per_source));
        sources.insert(source, Arc::downgrade(&pool));
        pool
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn source(number: u32) -> Option<SourceAddress> {
        Some(SourceAddress::of(Ipv4Addr::from(number).into()))
    }

    #[test]
    fn one_source_leaves_the_others_their_part() {
        let limits = NodeLimits::default();
        let pools = ConnectionPools::new(&limits);
        let [one, other] = [pools.lanes(source(1), 1), pools.lanes(source(1), 1)];
        let stranger = pools.lanes(source(2), 1);
        one.hold(limits.held_bytes_per_source);
        assert!(!one.has_room() && !other.has_room() && stranger.has_room());
        other.leave_source();
        assert!(!one.has_room() && other.has_room());
        drop((one, other, stranger));
        assert!(pools.lanes(source(1), 1).has_room(), "a source without connections is forgotten");
        assert_eq!(pools.sources.lock().len(), 1);
    }
}
