//! Frames of WebSockets, as they arrive in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_properties::websocket::check(input));
