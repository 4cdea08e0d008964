//! The messages of streams: what decodes is the same after encoding and decoding it again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_properties::portal_message::check(input));
