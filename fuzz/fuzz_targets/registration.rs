//! The messages between nodes and hubs about forwarders.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_properties::registration::check(input));
