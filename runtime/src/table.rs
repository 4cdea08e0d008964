//! The routing table: which worker has which address.
//!
//! [`RoutingTable`] is a plain map with the rules of registering. [`SharedTable`] spreads it over
//! locks by the address's hash, so that arbiters that route to different workers do not meet.
//!
//! A table that all arbiters share, instead of a replica for each: a registration is complete when
//! the call returns, on every arbiter, so no message can overtake it; finding an entry costs about
//! a tenth of what a hop costs, as a profile of `benches/routing.rs` shows.

use std::{
    collections::hash_map::Entry as Slot,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crate::address::Address;

type Map<E> = std::collections::HashMap<Address, Arc<E>, ahash::RandomState>;

/// A map from addresses to entries in which an address is taken until its owner gives it back.
#[derive(Debug)]
pub struct RoutingTable<E> {
    entries: Map<E>,
}

impl<E> Default for RoutingTable<E> {
    fn default() -> Self {
        Self { entries: Map::default() }
    }
}

impl<E> RoutingTable<E> {
    /// Registers `entry`; gives it back if the address is taken.
    ///
    /// # Errors
    /// The entry that could not be registered.
    pub fn insert(&mut self, address: Address, entry: Arc<E>) -> Result<(), Arc<E>> {
        match self.entries.entry(address) {
            Slot::Occupied(_) => Err(entry),
            Slot::Vacant(slot) => {
                slot.insert(entry);
                Ok(())
            }
        }
    }

    /// The entry at `address`.
    pub fn find(&self, address: &Address) -> Option<Arc<E>> {
        self.entries.get(address).cloned()
    }

    /// Removes the entry at `address` if it is the one that `owned` recognises, so that the end of
    /// an old owner does not unregister the next one.
    pub fn remove(&mut self, address: &Address, owned: impl Fn(&E) -> bool) -> Option<Arc<E>> {
        let found = self.entries.get(address)?;
        owned(found).then(|| self.entries.remove(address)).flatten()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Locks that the table is spread over; more than any machine's arbiters.
const SHARDS: usize = 64;

/// A routing table that all arbiters of a node read and change.
#[derive(Debug)]
pub struct SharedTable<E> {
    shards: Vec<Shard<E>>,
}

/// Alone in its cache lines, so that arbiters that lock different shards do not meet there either.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<E>(RwLock<RoutingTable<E>>);

impl<E> Default for SharedTable<E> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard(RwLock::default())).collect() }
    }
}

impl<E> SharedTable<E> {
    /// As [`RoutingTable::insert`].
    ///
    /// # Errors
    /// The entry that could not be registered.
    pub fn insert(&self, address: Address, entry: Arc<E>) -> Result<(), Arc<E>> {
        self.shard(&address).write().insert(address, entry)
    }

    /// As [`RoutingTable::find`].
    pub fn find(&self, address: &Address) -> Option<Arc<E>> {
        self.shard(address).read().find(address)
    }

    /// As [`RoutingTable::remove`].
    pub fn remove(&self, address: &Address, owned: impl Fn(&E) -> bool) -> Option<Arc<E>> {
        self.shard(address).write().remove(address, owned)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of entries of which `counted` holds.
    pub fn count(&self, counted: impl Fn(&E) -> bool) -> usize {
        let count =
            |shard: &Shard<E>| shard.read().entries.values().filter(|entry| counted(entry)).count();
        self.shards.iter().map(count).sum()
    }

    /// All entries, in no order.
    pub fn entries(&self) -> Vec<Arc<E>> {
        let entries = |shard: &Shard<E>| shard.read().entries.values().cloned().collect::<Vec<_>>();
        self.shards.iter().flat_map(entries).collect()
    }

    /// The map behind it hashes again, with a key; here nothing is lost if all fall on one shard
    /// but that arbiters wait for each other.
    fn shard(&self, address: &Address) -> &Shard<E> {
        let mix = |sum: usize, byte: &u8| sum.wrapping_mul(31).wrapping_add(usize::from(*byte));
        let tail = address.as_str().as_bytes().iter().rev().take(TAIL_BYTES);
        &self.shards[tail.fold(0, mix) % SHARDS]
    }
}

/// Bytes at the end of an address that choose its shard: enough for numbered names and random ones.
const TAIL_BYTES: usize = 4;

impl<E> Shard<E> {
    fn read(&self) -> RwLockReadGuard<'_, RoutingTable<E>> {
        unpoisoned(self.0.read())
    }

    fn write(&self) -> RwLockWriteGuard<'_, RoutingTable<E>> {
        unpoisoned(self.0.write())
    }
}

/// A panic cannot leave a map of ours half changed, so its poison is no news.
fn unpoisoned<G>(locked: Result<G, PoisonError<G>>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_until_its_owner_gives_it_back() {
        let table = SharedTable::default();
        table.insert("a".into(), Arc::new(1)).unwrap();
        assert_eq!(table.insert("a".into(), Arc::new(2)), Err(Arc::new(2)));
        assert_eq!(table.remove(&"a".into(), |entry| *entry == 2), None);
        assert_eq!(table.find(&"a".into()), Some(Arc::new(1)));
        assert_eq!(table.remove(&"a".into(), |entry| *entry == 1), Some(Arc::new(1)));
        assert!(table.is_empty());
    }

    #[test]
    fn entries_are_found_whichever_shard_holds_them() {
        let table = SharedTable::default();
        for number in 0..1_000 {
            table.insert(format!("worker-{number}").into(), Arc::new(number)).unwrap();
        }
        assert_eq!(table.len(), 1_000);
        assert_eq!(table.entries().len(), 1_000);
        assert!((0..1_000).all(|n| table.find(&format!("worker-{n}").into()) == Some(Arc::new(n))));
    }
}
