//! The flows of one portal: found by their keys, and ended when they were idle for too long, or
//! when another one needs the room. Time comes in as an argument, counted from any moment.
//!
//! Each use makes a flow the most recent one. So one order says both which flow is idle first and
//! which one has to give way.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    time::Duration,
};

/// Flows with keys `K` and values `V`, each counted against holders `H`.
#[derive(Debug)]
pub struct FlowTable<K, H, V> {
    idle_timeout: Duration,
    flows: HashMap<K, Flow<H, V>, ahash::RandomState>,
    /// The keys by their flows' last use, the one used least recently first.
    by_use: BTreeMap<u64, K>,
    uses: u64,
}

#[derive(Debug)]
struct Flow<H, V> {
    holders: Vec<H>,
    value: V,
    used_at: Duration,
    use_number: u64,
}

impl<K: Clone + Eq + Hash, H: PartialEq, V> FlowTable<K, H, V> {
    /// No flows; each will end once it has been idle for so long.
    pub fn new(idle_timeout: Duration) -> Self {
        let (flows, by_use) = (HashMap::default(), BTreeMap::new());
        Self { idle_timeout, flows, by_use, uses: 0 }
    }

    /// How many flows there are.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// The flow of `key`, which is used now.
    pub fn find(&mut self, key: &K, now: Duration) -> Option<&V> {
        let flow = self.flows.get_mut(key)?;
        self.uses += 1;
        self.by_use.remove(&flow.use_number);
        self.by_use.insert(self.uses, key.clone());
        (flow.used_at, flow.use_number) = (now, self.uses);
        Some(&flow.value)
    }

    /// Adds a flow, which is used now; returns the one that had its key.
    pub fn insert(&mut self, key: K, holders: Vec<H>, value: V, now: Duration) -> Option<V> {
        let before = self.remove(&key);
        self.uses += 1;
        self.by_use.insert(self.uses, key.clone());
        self.flows.insert(key, Flow { holders, value, used_at: now, use_number: self.uses });
        before
    }

    /// Ends the flow of `key`.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let flow = self.flows.remove(key)?;
        self.by_use.remove(&flow.use_number);
        Some(flow.value)
    }

    /// Ends the flow that was used least recently, of those that count against `holder`, or of all.
    pub fn remove_least_recent(&mut self, holder: Option<&H>) -> Option<V> {
        let is_held = |key: &&K| {
            let Some(holder) = holder else { return true };
            self.flows.get(*key).is_some_and(|flow| flow.holders.contains(holder))
        };
        let key = self.by_use.values().find(is_held)?.clone();
        self.remove(&key)
    }

    /// Ends the flows that have been idle for too long by `now`.
    pub fn remove_idle(&mut self, now: Duration) -> Vec<V> {
        let mut ended = Vec::new();
        while self.next_end().is_some_and(|end| end <= now) {
            ended.extend(self.remove_least_recent(None));
        }
        ended
    }

    /// When the next flow will have been idle for too long, if it is not used before.
    pub fn next_end(&self) -> Option<Duration> {
        let (_, key) = self.by_use.first_key_value()?;
        Some(self.flows.get(key)?.used_at.saturating_add(self.idle_timeout))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Flows 1 to 4 of `a`, `b`, `a` and `b`, used in this order, a second apart.
    fn table() -> FlowTable<u8, char, u8> {
        let mut table = FlowTable::new(IDLE);
        for (key, holder) in [(1, 'a'), (2, 'b'), (3, 'a'), (4, 'b')] {
            assert_eq!(table.insert(key, vec![holder], 10 * key, at(key.into())), None);
        }
        table
    }

    #[test]
    fn a_flow_ends_when_it_was_idle() {
        let mut table = table();
        assert_eq!(table.next_end(), Some(at(61)));
        assert!(table.remove_idle(at(60)).is_empty());
        assert_eq!(table.find(&1, at(60)), Some(&10));
        assert_eq!(table.remove_idle(at(63)), [20, 30]);
        assert_eq!(table.find(&2, at(63)), None);
        assert_eq!(table.next_end(), Some(at(64)));
        assert_eq!(table.remove_idle(at(200)), [40, 10]);
        assert_eq!((table.len(), table.next_end()), (0, None));
    }

    #[test]
    fn the_least_recent_flow_gives_way() {
        let mut table = table();
        table.find(&1, at(5));
        assert_eq!(table.remove_least_recent(Some(&'a')), Some(30));
        assert_eq!(table.remove_least_recent(None), Some(20));
        assert_eq!(table.remove_least_recent(Some(&'b')), Some(40));
        assert_eq!(table.remove_least_recent(Some(&'b')), None);
        assert_eq!((table.len(), table.find(&1, at(6))), (1, Some(&10)));
    }

    #[test]
    fn a_key_has_one_flow() {
        let mut table = table();
        assert_eq!(table.insert(1, vec!['b'], 11, at(9)), Some(10));
        assert_eq!((table.len(), table.remove(&1), table.remove(&1)), (4, Some(11), None));
        assert_eq!(table.remove_least_recent(None), Some(20));
    }

    proptest! {
        /// Against a list in the order of use.
        #[test]
        fn any_sequence_matches_a_list(steps in prop::collection::vec((0..4_u8, 0..6_u8), 0..200)) {
            let (mut table, mut list) = (FlowTable::new(IDLE), Vec::<(u8, Duration)>::new());
            for (second, (action, key)) in (0..).zip(steps) {
                let (now, found) = (at(20 * second), list.iter().position(|flow| flow.0 == key));
                match action {
                    0 => {
                        let before = table.insert(key, vec![key % 2], key, now);
                        prop_assert_eq!(before.is_some(), found.is_some());
                        found.map(|index| list.remove(index));
                        list.push((key, now));
                    }
                    1 => {
                        prop_assert_eq!(table.find(&key, now).is_some(), found.is_some());
                        if let Some(index) = found {
                            list.remove(index);
                            list.push((key, now));
                        }
                    }
                    2 => {
                        let least = list.iter().position(|flow| flow.0 % 2 == key % 2);
                        let expected = least.map(|index| list.remove(index).0);
                        prop_assert_eq!(table.remove_least_recent(Some(&(key % 2))), expected);
                    }
                    _ => {
                        let idle = list.iter().take_while(|flow| flow.1 + IDLE <= now).count();
                        let expected: Vec<_> = list.drain(..idle).map(|flow| flow.0).collect();
                        prop_assert_eq!(table.remove_idle(now), expected);
                    }
                }
                prop_assert_eq!(table.len(), list.len());
                prop_assert_eq!(table.by_use.len(), list.len());
            }
        }
    }
}
