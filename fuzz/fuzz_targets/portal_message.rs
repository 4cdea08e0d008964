//! The messages of streams.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ockam_workers::portal::message::{decode, Decoded};

fuzz_target!(|input: &[u8]| match decode(input) {
    Ok(Decoded::Control(control)) => {
        assert_eq!(decode(&control.encode()), Ok(Decoded::Control(control)));
    }
    Ok(Decoded::Data { range, .. }) => assert_eq!(range.end, input.len()),
    Err(_) => {}
});
