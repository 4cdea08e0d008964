//! The messages between nodes and hubs about forwarders.

use ockam_actix_workers::forwarder::protocol::{Answer, Request};

/// Checks one input.
pub fn check(input: &[u8]) {
    if let Ok(request) = Request::decode(input) {
        assert_eq!(request.encode().to_vec(), input);
    }
    if let Ok(answer) = Answer::decode(input) {
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }
}
