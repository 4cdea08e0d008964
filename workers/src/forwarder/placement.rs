//! Which hub of a list a forwarder's clients prefer: rendezvous hashing, so that the clients of
//! many forwarders spread over the hubs, and everybody who has the same list finds the same order
//! without being told.
//!
//! A forwarder is at every hub of its list, so the order is a preference and nothing else: clients
//! with another list, or another spelling of it, find it too. A hub that is added takes clients
//! from all others in equal parts, and one that is removed leaves its own to all others.

use std::cmp::Reverse;

use ockam_actix_runtime::Address;
use ring::digest::{digest, SHA256};

/// The hubs of the list `hubs` in the order in which the clients of `forwarder` prefer them. A list
/// of several transports has the order that its owner gave it.
pub(super) fn spread(forwarder: &Address, hubs: &Address) -> Address {
    let each: Vec<_> = hubs.alternatives().collect();
    let parts: Option<Vec<_>> = each.iter().map(Address::dial_parts).collect();
    match parts.as_deref() {
        Some([(transport, _), rest @ ..]) if rest.iter().all(|(other, _)| other == transport) => {
            let mut hubs: Vec<_> = parts.iter().flatten().map(|(_, hub)| *hub).collect();
            hubs.sort_by_cached_key(|hub| Reverse(weight(forwarder, transport, hub)));
            Address::from(format!("{transport}#{}", hubs.join(",")))
        }
        _ => hubs.clone(),
    }
}

/// How much the clients of a forwarder want a hub: a random number for each pair.
fn weight(forwarder: &Address, transport: &str, hub: &str) -> [u8; 8] {
    let pair = format!("ockam-actix/1 placement\0{forwarder}\0{transport}#{hub}");
    let hash = digest(&SHA256, pair.as_bytes());
    std::array::from_fn(|index| hash.as_ref()[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORWARDERS: usize = 2_000;

    fn list(hubs: &[usize]) -> Address {
        let hubs: Vec<_> = hubs.iter().map(|hub| format!("hub-{hub}:4000")).collect();
        Address::from(format!("tcp#{}", hubs.join(",")))
    }

    /// The orders of all forwarders.
    fn orders(hubs: &[usize]) -> Vec<Vec<Address>> {
        let order = |number| {
            let forwarder = Address::from(format!("F{number:032x}"));
            spread(&forwarder, &list(hubs)).alternatives().collect()
        };
        (0..FORWARDERS).map(order).collect()
    }

    #[test]
    fn forwarders_spread_evenly_over_hubs() {
        let orders = orders(&[1, 2, 3, 4, 5]);
        for place in 0..5 {
            let chosen = |hub: &Address| orders.iter().filter(|o| o[place] == *hub).count() as f64;
            let expected = FORWARDERS as f64 / 5.0;
            let off = |hub: Address| (chosen(&hub) - expected).powi(2) / expected;
            let chi_square: f64 = list(&[1, 2, 3, 4, 5]).alternatives().map(off).sum();
            // One in a thousand even spreads is further off, with four degrees of freedom.
            assert!(chi_square < 18.5, "place {place}: {chi_square}");
        }
    }

    #[test]
    fn one_more_hub_changes_no_other_order() {
        let new = Address::from("tcp#hub-9:4000");
        let (before, after) = (orders(&[1, 2, 3, 4]), orders(&[9, 4, 3, 2, 1]));
        let mut moved = 0;
        for (before, after) in before.iter().zip(&after) {
            let kept: Vec<_> = after.iter().filter(|hub| **hub != new).cloned().collect();
            assert_eq!(kept, *before);
            moved += usize::from(after[0] == new);
        }
        let expected = FORWARDERS / 5;
        assert!((expected * 4 / 5..expected * 6 / 5).contains(&moved), "{moved}");
    }

    #[test]
    fn other_addresses_stay_as_they_are() {
        let forwarder = Address::from("F0");
        for address in ["tcp#a:1", "channel", "quic#a:1,tcp#a:1", "tcp#"] {
            assert_eq!(spread(&forwarder, &address.into()), address.into(), "{address}");
        }
    }
}
