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

    /// Whether `key` may have one more, where `free` are left for all: it never has more than
    /// `times` as many as remain, so there is room for another key. Alone, it can have `times` in
    /// `times + 1` of all.
    pub fn has_share(&self, key: &K, free: usize, times: usize) -> bool {
        self.of(key) < free.saturating_mul(times)
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

    /// The keys that are remembered, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
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

    /// Gives each of `keys` in turn as many of `most` as it may have.
    fn shares(keys: usize, most: usize, times: usize) -> Vec<usize> {
        let (mut tally, mut free) = (Tally::default(), most);
        for key in 0..keys {
            while tally.has_share(&key, free, times) {
                tally.add(key);
                free -= 1;
            }
        }
        (0..keys).map(|key| tally.of(&key)).collect()
    }

    #[test]
    fn whoever_comes_late_finds_room() {
        assert_eq!(shares(5, 1_000, 1), [500, 250, 125, 63, 31]);
        assert_eq!(shares(4, 1_000, 3), [750, 188, 47, 12]);
        assert_eq!(shares(3, 1, 3), [1, 0, 0]);
    }

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
