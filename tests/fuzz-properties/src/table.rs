//! The routing table, compared with a map.

use std::{collections::HashMap, sync::Arc};

use arbitrary::Arbitrary;
use ockam_actix_runtime::{node::table::RoutingTable, Address};

use crate::structured;

#[derive(Arbitrary, Debug)]
enum Operation {
    Insert(u8, u16),
    Find(u8),
    Remove(u8, u16),
}

/// Checks one input.
pub fn check(input: &[u8]) {
    structured(input, check_one);
}

fn check_one(operations: Vec<Operation>) {
    let (mut table, mut model) = (RoutingTable::default(), HashMap::new());
    let name = |number: u8| Address::from(format!("w{number}"));
    for operation in operations {
        match operation {
            Operation::Insert(address, entry) => {
                let inserted = table.insert(name(address), Arc::new(entry)).is_ok();
                assert_eq!(inserted, !model.contains_key(&address));
                model.entry(address).or_insert(entry);
            }
            Operation::Find(address) => {
                let found = table.find(&name(address)).map(|entry| *entry);
                assert_eq!(found, model.get(&address).copied());
            }
            // Only its owner removes an entry.
            Operation::Remove(address, entry) => {
                let owned = model.get(&address) == Some(&entry);
                let removed = table.remove(&name(address), |found| *found == entry).is_some();
                assert_eq!(removed, owned);
                if owned {
                    model.remove(&address);
                }
            }
        }
        assert_eq!(table.len(), model.len());
    }
}
