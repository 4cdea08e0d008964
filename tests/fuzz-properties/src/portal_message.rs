//! The messages of streams.

use ockam_workers::portal::message::{decode, Decoded};

/// Checks one input.
pub fn check(input: &[u8]) {
    match decode(input) {
        Ok(Decoded::Control(control)) => {
            assert_eq!(decode(&control.encode()), Ok(Decoded::Control(control)));
        }
        Ok(Decoded::Data { range, .. }) => assert_eq!(range.end, input.len()),
        Err(_) => {}
    }
}
