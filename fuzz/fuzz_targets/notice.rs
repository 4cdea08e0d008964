//! Notices.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ockam_runtime::Notice;

fuzz_target!(|input: &[u8]| {
    if let Some(notice) = Notice::decode(input) {
        assert_eq!(Notice::decode(&notice.encode()), Some(notice));
    }
});
