//! The messages of portals: what decodes is the same after encoding and decoding it again.

use ockam_actix_workers::{
    datagram::message as datagram,
    portal::protocol::message::{decode, Decoded},
};

/// Checks one input.
pub fn check(input: &[u8]) {
    if let Ok(range) = datagram::decode(input) {
        let header = datagram::Header::of(range.len());
        assert_eq!(
            [header.as_slice(), &input[range]].concat(),
            input,
            "one form for each datagram"
        );
    }
    let Ok((message, length)) = decode(input) else { return };
    assert!(length <= input.len());
    match message {
        Decoded::Control(control) => {
            let encoded = control.encode();
            assert!(encoded.len() <= length, "the shortest form");
            assert_eq!(decode(&encoded), Ok((message, encoded.len())));
        }
        Decoded::Data { range, .. } => assert!(!range.is_empty() && range.end == length),
    }
}
