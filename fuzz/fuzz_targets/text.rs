//! Addresses, routes and forwarding addresses as people copy them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_properties::text::check(input));
