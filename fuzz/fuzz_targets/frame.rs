//! Greetings and frames, as they arrive in pieces.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use ockam_runtime::limits::MAX_FRAME_BYTES;
use ockam_transports::frame::{missing, next_frame, Greeting};

fuzz_target!(|pieces: Vec<&[u8]>| {
    let (mut arrived, mut greeted) = (BytesMut::new(), false);
    for piece in pieces {
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
                Ok(Some(frame)) => assert!(frame.len() <= MAX_FRAME_BYTES),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert_eq!(missing(&arrived) == 0, arrived.is_empty());
    }
});
