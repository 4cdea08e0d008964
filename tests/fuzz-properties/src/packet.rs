//! The carrier of a handshake: strict, so what decodes encodes to the same bytes.

use ockam_actix_workers::secure_channel::{packet::Packet, plaintext::Tag};

/// Checks one input.
pub fn check(input: &[u8]) {
    if let Ok(packet) = Packet::decode(input) {
        assert_eq!(packet.encode(), input);
    }
    if let Some(tag) = input.first().and_then(|byte| Tag::from_byte(*byte)) {
        assert_eq!(tag.byte(), input[0]);
    }
}
