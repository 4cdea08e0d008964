//! Identities: what decodes encodes to the same bytes.

use ockam_actix_workers::identity::Identity;

/// Checks one input.
pub fn check(input: &[u8]) {
    if let Ok(identity) = Identity::decode(input) {
        assert_eq!(identity.encode(), input);
    }
}
