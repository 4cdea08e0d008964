//! The routing table: which worker has which address.
//!
//! [`RoutingTable`] is a plain map with the rules of registering. [`SharedTable`] spreads it over
//! locks by the address's hash, so that arbiters that route to different workers do not contend.
//!
//! All arbiters share one table, instead of a replica for each: a registration is complete when the
//! call returns, on every arbiter, so no message can overtake it; finding an entry costs about a
//! tenth of what a hop costs, as a profile of `benches/routing.rs` shows.

use std::{collections::hash_map::Entry as Slot, sync::Arc};

use crate::{address::Address, lock::SharedLock};

type Map<E> = std::collections::HashMap<Address, Arc<E>, ahash::RandomState>;

/// A map from addresses to entries in which an address is in use until its owner gives it back.
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
    /// Registers `entry`; gives it back if the address is in use.
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

    /// Removes the entry at `address` if `owned` recognises it, so that the end of an old owner
    /// does not unregister the next one.
    pub fn remove(&mut self, address: &Address, owned: impl Fn(&E) -> bool) -> Option<Arc<E>> {
        match self.entries.entry(address.clone()) {
            Slot::Occupied(found) if owned(found.get()) => Some(found.remove()),
            _ => None,
        }
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
const SHARDS: usize = 256;

/// A routing table that all arbiters of a node read and change.
#[derive(Debug)]
pub struct SharedTable<E> {
    shards: Vec<Shard<E>>,
}

/// Alone in its cache lines, so that arbiters that lock different shards do not contend for those
/// either.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<E>(SharedLock<RoutingTable<E>>);

impl<E> Default for SharedTable<E> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard(SharedLock::default())).collect() }
    }
}

impl<E> SharedTable<E> {
    /// As [`RoutingTable::insert`].
    ///
    /// # Errors
    /// The entry that could not be registered.
    pub fn insert(&self, address: Address, entry: Arc<E>) -> Result<(), Arc<E>> {
        self.shard(&address).0.write().insert(address, entry)
    }

    /// As [`RoutingTable::find`].
    pub fn find(&self, address: &Address) -> Option<Arc<E>> {
        self.shard(address).0.read().find(address)
    }

    /// As [`RoutingTable::remove`].
    pub fn remove(&self, address: &Address, owned: impl Fn(&E) -> bool) -> Option<Arc<E>> {
        self.shard(address).0.write().remove(address, owned)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().len()).sum()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of entries for which `counted` holds.
    pub fn count(&self, counted: impl Fn(&E) -> bool) -> usize {
        let count = |shard: &Shard<E>| {
            shard.0.read().entries.values().filter(|entry| counted(entry)).count()
        };
        self.shards.iter().map(count).sum()
    }

    /// All entries, in no particular order.
    pub fn entries(&self) -> Vec<Arc<E>> {
        let entries =
            |shard: &Shard<E>| shard.0.read().entries.values().cloned().collect::<Vec<_>>();
        self.shards.iter().flat_map(entries).collect()
    }

    fn shard(&self, address: &Address) -> &Shard<E> {
        &self.shards[shard_of(address)]
    }
}

/// The shard of an address, chosen by its last bytes, in which numbered and random names differ.
///
/// The shard's map hashes again, with a key. If all addresses fall on one shard, the only harm is
/// that arbiters wait for each other.
fn shard_of(address: &Address) -> usize {
    let bytes = address.as_str().as_bytes();
    let tail = match bytes.last_chunk() {
        Some(tail) => u64::from_be_bytes(*tail),
        None => bytes.iter().fold(0, |tail, byte| tail << 8 | u64::from(*byte)),
    };
    // The upper bits of the product depend on all bits of `tail`.
    (tail.wrapping_mul(GOLDEN_RATIO) >> (u64::BITS - SHARDS.ilog2())) as usize
}

/// 2^64 divided by the golden ratio, whose multiples are spread evenly: Knuth, The Art of Computer
/// Programming, volume 3, section 6.4.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_use_until_released() {
        let table = SharedTable::default();
        table.insert("a".into(), Arc::new(1)).unwrap();
        assert_eq!(table.insert("a".into(), Arc::new(2)), Err(Arc::new(2)));
        assert_eq!(table.remove(&"a".into(), |entry| *entry == 2), None);
        assert_eq!(table.find(&"a".into()), Some(Arc::new(1)));
        assert_eq!(table.remove(&"a".into(), |entry| *entry == 1), Some(Arc::new(1)));
        assert!(table.is_empty());
    }

    #[test]
    fn numbered_and_random_names_spread_over_the_shards() {
        let numbered = (0..64).map(|n| Address::from(format!("worker-{}-{}", n / 16, n % 16)));
        let random = (0..64).map(|_| Address::random());
        let short = (0..64_u8).map(|n| Address::from(char::from(b'0' + n).to_string()));
        for addresses in [numbered.collect::<Vec<_>>(), random.collect(), short.collect()] {
            let used: std::collections::HashSet<_> = addresses.iter().map(shard_of).collect();
            // 57 are expected by chance; fewer than 40 of random ones are, in one of 10^9 runs.
            assert!(used.len() >= 40, "{} of {}", used.len(), addresses.len());
        }
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
