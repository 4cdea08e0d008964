//! A handshake whose messages are altered in transit: it succeeds only if none was altered, and
//! never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_properties::handshake::check(input));
