//! The carrier of a handshake: strict, so what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ockam_workers::secure_channel::{packet::Packet, plaintext::Tag};

fuzz_target!(|input: &[u8]| {
    if let Ok(packet) = Packet::decode(input) {
        assert_eq!(packet.encode(), input);
    }
    if let Some(tag) = input.first().and_then(|byte| Tag::from_byte(*byte)) {
        assert_eq!(tag.byte(), input[0]);
    }
});
