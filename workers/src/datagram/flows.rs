//! The flows of one portal, within the limits that all of the node share.

use std::{hash::Hash, sync::Arc, time::Duration};

use ockam_actix_runtime::{
    clock::Instant, lock::Lock, process::DescriptorSlot, trust::tally::Tally, Host, Node,
};
use tokio::time::sleep;

use crate::{
    datagram::{
        flow_table::FlowTable,
        limits::{MAX_FLOWS, MIN_IDLE_TIMEOUT},
        loss::Loss,
    },
    portal::pool::Holder,
};

/// The flows of all UDP portals of a node; one for each node, as its extension.
#[derive(Debug)]
struct FlowCounts {
    most: usize,
    most_descriptors: usize,
    by_holder: Lock<(usize, Tally<Holder>)>,
}

/// Counts one flow until it is dropped.
#[derive(Debug)]
struct FlowSlot {
    counts: Arc<FlowCounts>,
    holders: Vec<Holder>,
    _descriptor: Option<DescriptorSlot>,
}

/// Why there is no slot for another flow.
#[derive(Debug, PartialEq, Eq)]
enum Full {
    /// This one has its share.
    Holder(Holder),
    Node,
}

impl FlowCounts {
    fn of(node: &Node) -> Arc<Self> {
        node.extension(|| Self {
            most: MAX_FLOWS,
            most_descriptors: node.limits().descriptors,
            by_holder: Lock::default(),
        })
    }

    fn enter(
        self: &Arc<Self>,
        holders: &[Holder],
        takes_descriptor: bool,
    ) -> Result<FlowSlot, Full> {
        let mut counts = self.by_holder.lock();
        let (open, by_holder) = &mut *counts;
        let free = self.most.saturating_sub(*open);
        let has_share = |holder: &&Holder| by_holder.has_share(holder, free, holder.share());
        if free == 0 {
            return Err(Full::Node);
        }
        if let Some(holder) = holders.iter().find(|holder| !has_share(holder)) {
            return Err(Full::Holder(holder.clone()));
        }
        let descriptor = || DescriptorSlot::take(self.most_descriptors).ok_or(Full::Node);
        let descriptor = takes_descriptor.then(descriptor).transpose()?;
        *open += 1;
        holders.iter().for_each(|holder| by_holder.add(holder.clone()));
        let (counts, holders) = (self.clone(), holders.to_vec());
        Ok(FlowSlot { counts, holders, _descriptor: descriptor })
    }
}

impl Drop for FlowSlot {
    fn drop(&mut self) {
        let mut counts = self.counts.by_holder.lock();
        counts.0 -= 1;
        self.holders.iter().for_each(|holder| counts.1.remove(holder));
    }
}

/// The flows of one portal.
pub(crate) struct Flows<K, V> {
    began: Instant,
    idle_timeout: Duration,
    takes_descriptors: bool,
    counts: Arc<FlowCounts>,
    table: Lock<FlowTable<K, Holder, (Arc<V>, FlowSlot)>>,
}

impl<K: Clone + Eq + Hash, V> Flows<K, V> {
    /// None yet; each ends when it was idle for so long. Those of an outlet take a descriptor each.
    pub(crate) fn new(node: &Node, idle_timeout: Duration, takes_descriptors: bool) -> Self {
        let idle_timeout = idle_timeout.max(MIN_IDLE_TIMEOUT);
        Self {
            began: Instant::now(),
            idle_timeout,
            takes_descriptors,
            counts: FlowCounts::of(node),
            table: Lock::new(FlowTable::new(idle_timeout)),
        }
    }

    /// The flow of `key`, which is used now.
    pub(crate) fn find(&self, key: &K) -> Option<Arc<V>> {
        let now = self.began.elapsed();
        self.table.lock().find(key, now).map(|(value, _)| value.clone())
    }

    /// Adds a flow that `make` makes. Where there are too many, that one ends which was used least
    /// recently: of the holder that has its share, or else of the new flow's own, or of all.
    ///
    /// # Errors
    /// If there is none to end, or that of `make`.
    pub(crate) fn add(
        &self,
        key: &K,
        holders: &[Holder],
        make: impl FnOnce() -> Result<V, Loss>,
    ) -> Result<Arc<V>, Loss> {
        let slot = self.slot(holders)?;
        let value = Arc::new(make()?);
        let flow = (value.clone(), slot);
        let now = self.began.elapsed();
        let before = self.table.lock().insert(key.clone(), holders.to_vec(), flow, now);
        drop(before);
        Ok(value)
    }

    fn slot(&self, holders: &[Holder]) -> Result<FlowSlot, Loss> {
        let enter = || self.counts.enter(holders, self.takes_descriptors);
        let full = match enter() {
            Ok(slot) => return Ok(slot),
            Err(full) => full,
        };
        let ended = match full {
            Full::Holder(holder) => self.end_least_recent(Some(&holder)),
            Full::Node => {
                let own = holders.first().and_then(|own| self.end_least_recent(Some(own)));
                own.or_else(|| self.end_least_recent(None))
            }
        };
        // The slot comes back here.
        drop(ended);
        enter().map_err(|_| Loss::TooManyFlows)
    }

    fn end_least_recent(&self, holder: Option<&Holder>) -> Option<(Arc<V>, FlowSlot)> {
        self.table.lock().remove_least_recent(holder)
    }

    /// Ends the flow of `key`.
    pub(crate) fn remove(&self, key: &K) {
        let removed = self.table.lock().remove(key);
        drop(removed);
    }

    /// Ends flows that were idle for too long; returns for how long there will be no other.
    pub(crate) fn end_idle(&self) -> Duration {
        let now = self.began.elapsed();
        let mut table = self.table.lock();
        let ended = table.remove_idle(now);
        let next = table.next_end().map_or(self.idle_timeout, |end| end.saturating_sub(now));
        drop(table);
        drop(ended);
        next
    }

    /// Ends flows as they have been idle for too long, until the future is dropped.
    pub(crate) async fn keep_ending_idle(&self) {
        loop {
            sleep(self.end_idle()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use ockam_actix_runtime::Address;

    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    /// Flows of a node that has room for so many.
    fn flows(most: usize) -> Flows<u32, u32> {
        let (most_descriptors, by_holder) = (usize::MAX, Lock::default());
        let counts = Arc::new(FlowCounts { most, most_descriptors, by_holder });
        let (began, table) = (Instant::now(), Lock::new(FlowTable::new(IDLE)));
        Flows { began, idle_timeout: IDLE, takes_descriptors: true, counts, table }
    }

    fn holder(name: &'static str) -> [Holder; 1] {
        [Holder::Ingress(Address::from(name))]
    }

    fn add(flows: &Flows<u32, u32>, keys: std::ops::Range<u32>, holder: &[Holder]) {
        for key in keys {
            flows.add(&key, holder, || Ok(key)).unwrap();
        }
    }

    fn found(flows: &Flows<u32, u32>, keys: std::ops::Range<u32>) -> usize {
        keys.filter(|key| flows.find(key).is_some()).count()
    }

    #[test]
    fn a_holder_ends_its_own_flows_alone() {
        let flows = flows(1_000);
        add(&flows, 0..10, &holder("quiet"));
        add(&flows, 100..5_100, &holder("greedy"));
        assert_eq!(found(&flows, 0..10), 10, "the quiet one's are there");
        let kept = found(&flows, 100..5_100);
        assert!((700..800).contains(&kept), "{kept} of 1,000");
        assert_eq!(found(&flows, 5_000..5_100), 100, "the latest are there");
        add(&flows, 10..50, &holder("quiet"));
        assert_eq!(found(&flows, 0..50), 50, "there is room for more");
    }

    #[test]
    fn a_full_node_ends_the_least_recent_flow() {
        let flows = flows(3);
        for (key, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
            flows.add(&key, &holder(name), || Ok(key)).unwrap();
        }
        assert_eq!([1, 2, 3, 4].map(|key| flows.find(&key).is_some()), [false, true, true, true]);
        let refused = flows.add(&5, &holder("e"), || Err(Loss::NoRoom));
        assert!(matches!(refused, Err(Loss::NoRoom)));
        flows.remove(&4);
        assert_eq!(flows.counts.by_holder.lock().0, 1, "slots come back");
    }
}
