//! Addresses, routes and forwarding addresses as people copy them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ockam_runtime::{Address, Identifier, Route};
use ockam_workers::ForwardingAddress;

fuzz_target!(|text: &str| {
    if let Ok(address) = Address::parse(text) {
        assert_eq!(Address::parse(&address.to_string()), Ok(address));
    }
    if let Ok(route) = Route::parse(text) {
        assert_eq!(Route::parse(&route.to_string()), Ok(route));
    }
    if let Ok(address) = text.parse::<ForwardingAddress>() {
        assert_eq!(address.to_string(), text);
    }
    let _ = text.parse::<Identifier>();
});
