//! Addresses, routes and forwarding addresses as people copy them.

use ockam_actix_runtime::{Address, Identifier, Route};
use ockam_actix_workers::ForwardingAddress;

use crate::structured;

/// Checks one input.
pub fn check(input: &[u8]) {
    structured(input, check_one);
}

fn check_one(text: &str) {
    if let Ok(address) = Address::parse(text) {
        let shown = address.to_string();
        assert_eq!(Address::parse(&shown), Ok(address));
    }
    if let Ok(route) = Route::parse(text) {
        assert_eq!(Route::parse(&route.to_string()), Ok(route));
    }
    if let Ok(address) = text.parse::<ForwardingAddress>() {
        assert_eq!(address.to_string(), text);
    }
    let _ = text.parse::<Identifier>();
}
