//! Notices: what decodes is the same after encoding and decoding it again.

use ockam_actix_runtime::Notice;

/// Checks one input.
pub fn check(input: &[u8]) {
    if let Some(notice) = Notice::decode(input) {
        assert_eq!(Notice::decode(&notice.encode()), Some(notice));
    }
}
