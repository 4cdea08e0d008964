//! Counts by key: connections by source, channels by holder.

use std::{collections::HashMap, hash::Hash};

/// A count for each key. A key at zero is forgotten, so the memory is bounded by what is counted.
#[derive(Debug)]
pub struct Tally<K>(HashMap<K, usize>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Tally<K> {
    /// How many there are of `key`.
    pub fn of(&self, key: &K) -> usize {
        self.0.get(key).copied().unwrap_or(0)
    }

    /// Counts one more.
    pub fn add(&mut self, key: K) {
        *self.0.entry(key).or_default() += 1;
    }

    /// Counts one less; does nothing at zero.
    pub fn remove(&mut self, key: &K) {
        let Some(count) = self.0.get_mut(key) else { return };
        *count -= 1;
        if *count == 0 {
            self.0.remove(key);
        }
    }

    /// The number of keys that are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_at_zero_are_forgotten() {
        let mut tally = Tally::default();
        tally.add("a");
        tally.add("a");
        tally.add("b");
        assert_eq!([tally.of(&"a"), tally.of(&"b"), tally.of(&"c")], [2, 1, 0]);
        tally.remove(&"a");
        tally.remove(&"b");
        tally.remove(&"b");
        assert_eq!((tally.of(&"a"), tally.of(&"b"), tally.len()), (1, 0, 1));
    }
}
