//! A routing table with very many entries, and addresses to look for: is finding one flat in their number?
//!
//! Addresses look like those that a node makes at run time. They are asked for in an order that is not the one in which they
//! were registered, so that neighbours in memory are no neighbours in time.

use std::sync::Arc;

use ockam::Address;
use ockam_actix_runtime::node::table::SharedTable;

/// Entries of a table, to compare.
pub(crate) const NUMBERS: [usize; 6] = [1, 10, 100, 1_000, 10_000, 100_000];
/// How many workers are asked for where not all are.
pub(crate) const BUSY: usize = 64;

/// Whose messages are routed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    /// A few workers among many: what they cost stays in the processor's caches.
    Busy,
    /// Each entry in turn: beyond some number they do not fit into the caches.
    All,
}

/// A table, and what it is asked for.
pub(crate) struct Filled {
    table: SharedTable<usize>,
    asked: Vec<Address>,
}

impl Filled {
    /// A table with so many entries.
    pub(crate) fn new(entries: usize, asked: Asked) -> Self {
        let table = SharedTable::default();
        for number in 0..entries {
            table.insert(address(number), Arc::new(number)).expect("each address is another");
        }
        let asked = match asked {
            Asked::Busy => BUSY.min(entries),
            Asked::All => entries,
        };
        let asked = (0..asked).map(|number| address(number * STRIDE % entries)).collect();
        Self { table, asked }
    }

    /// Finds `count` entries.
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

/// A prime number, so that its multiples visit every entry of a number that it does not divide.
const STRIDE: usize = 7919;

fn address(number: usize) -> Address {
    // An odd factor gives each number another product; the golden ratio spreads them.
    let mixed = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Address::from(format!("{mixed:032x}"))
}
