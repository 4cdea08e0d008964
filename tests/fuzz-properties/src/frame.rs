//! Greetings and frames, as they arrive in pieces.

use bytes::BytesMut;
use ockam_actix_runtime::limits::MAX_FRAME_BYTES;
use ockam_actix_transports::frame::{
    decode_grants, encode_grants, missing, next_frame, Greeting, Signal, CONTROL, HEADER_BYTES,
};

/// Checks one input: a byte that says how long the pieces are, and what arrives in such pieces.
pub fn check(input: &[u8]) {
    let Some((length, bytes)) = input.split_first() else { return };
    let (mut arrived, mut greeted) = (BytesMut::new(), false);
    for piece in bytes.chunks(usize::from(*length) + 1) {
        arrived.extend_from_slice(piece);
        if !greeted {
            match Greeting::decode(&mut arrived) {
                Ok(Some(greeting)) => {
                    assert!(greeting.agreed_frame() <= MAX_FRAME_BYTES);
                    greeted = true;
                }
                Ok(None) => continue,
                Err(_) => return,
            }
        }
        loop {
            match next_frame(&mut arrived, MAX_FRAME_BYTES) {
                Ok(Some(frame)) => {
                    assert!(frame.body.len() <= MAX_FRAME_BYTES);
                    if let (CONTROL, Ok(grants)) = (frame.lane, decode_grants(&frame.body)) {
                        let grants: Vec<_> = grants.collect();
                        assert_eq!(encode_grants(&grants)[HEADER_BYTES..], frame.body);
                    }
                    if let (CONTROL, Some(signal)) = (frame.lane, Signal::decode(&frame.body)) {
                        assert_eq!(signal.encode()[HEADER_BYTES..], frame.body);
                    }
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert_eq!(missing(&arrived) == 0, arrived.is_empty());
    }
}
