//! A handshake whose messages are altered on their way: it fails or was not altered, and never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_properties::handshake::check(input));
