//! Messages: what decodes is the same after encoding and decoding it again, and a decoder that
//! remembers the last header gives the same as one without memory.

use ockam_actix_runtime::{message::codec, Origin};

/// Checks one input.
pub fn check(input: &[u8]) {
    check_memory(input);
    let Ok(message) = codec::decode(input.into(), Origin::Local) else { return };
    let (onward, back) = (message.onward_route.clone(), message.return_route.clone());
    let payload = message.payload.to_vec();
    let again = codec::decode(codec::encode(message), Origin::Local).expect("what was read");
    assert_eq!((&again.onward_route, &again.return_route), (&onward, &back));
    assert_eq!(again.payload.to_vec(), payload);
}

/// Decodes the input, its first half, and the input again, with one decoder.
fn check_memory(input: &[u8]) {
    let mut decoder = codec::Decoder::default();
    for bytes in [input, &input[..input.len() / 2], input] {
        let decoded = decoder.decode(bytes.into(), Origin::Local);
        let expected = codec::decode(bytes.into(), Origin::Local);
        assert_eq!(format!("{decoded:?}"), format!("{expected:?}"));
    }
}
