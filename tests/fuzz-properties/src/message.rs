//! Messages: what is decoded is encoded to something that decodes to the same.

use ockam_runtime::{codec, Origin};

/// Checks one input.
pub fn check(input: &[u8]) {
    let Ok(message) = codec::decode(input.into(), Origin::Local) else { return };
    let (onward, back) = (message.onward_route.clone(), message.return_route.clone());
    let payload = message.payload.to_vec();
    let again = codec::decode(codec::encode(message), Origin::Local).expect("what was read");
    assert_eq!((&again.onward_route, &again.return_route), (&onward, &back));
    assert_eq!(again.payload.to_vec(), payload);
}
