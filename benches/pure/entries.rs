//! A routing table with very many entries, and addresses to look up: does a look-up take the same
//! time however many entries there are?
//!
//! Addresses look like those that a node makes at run time. They are looked up in another order
//! than they were registered in, so that neighbours in memory are not looked up one after the
//! other.

use std::sync::Arc;

use ockam::Address;
use ockam_actix_runtime::node::table::SharedTable;

/// Table sizes to compare, in entries.
pub(crate) const NUMBERS: [usize; 6] = [1, 10, 100, 1_000, 10_000, 100_000];
/// How many workers are looked up where not all of them are.
pub(crate) const BUSY: usize = 64;

/// Which workers are looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    /// A few busy workers among many: their entries stay in the processor's caches.
    Busy,
    /// Each entry in turn: beyond some number, they no longer fit into the caches.
    All,
}

/// A table, and the addresses to look up in it.
pub(crate) struct Filled {
    table: SharedTable<usize>,
    asked: Vec<Address>,
}

impl Filled {
    /// A table with `entries` entries.
    pub(crate) fn new(entries: usize, asked: Asked) -> Self {
        let table = SharedTable::default();
        for number in 0..entries {
            table.insert(address(number), Arc::new(number)).expect("every address is different");
        }
        let asked = match asked {
            Asked::Busy => BUSY.min(entries),
            Asked::All => entries,
        };
        let asked = (0..asked).map(|number| address(number * STRIDE % entries)).collect();
        Self { table, asked }
    }

    /// Looks up `count` addresses.
    pub(crate) fn find(&self, count: u64) {
        let mut left = count;
        for address in self.asked.iter().cycle() {
            if left == 0 {
                return;
            }
            left -= 1;
            assert!(std::hint::black_box(self.table.find(address)).is_some(), "it was registered");
        }
    }
}

/// A prime, so that its multiples visit every entry of a table whose size it does not divide.
const STRIDE: usize = 7919;

fn address(number: usize) -> Address {
    // An odd factor gives each number another product; the golden ratio spreads them.
    let mixed = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Address::from(format!("{mixed:032x}"))
}
