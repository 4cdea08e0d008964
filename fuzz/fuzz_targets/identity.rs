//! Identities: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_properties::identity::check(input));
