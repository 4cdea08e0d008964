//! One end of a stream, with a peer and a socket that do anything in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_properties::stream::check(input));
