//! Identities: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ockam_workers::identity::Identity;

fuzz_target!(|input: &[u8]| {
    if let Ok(identity) = Identity::decode(input) {
        assert_eq!(identity.encode(), input);
    }
});
