//! How the API and the figures say the same thing.

use std::time::Duration;

use ockam_actix_runtime::metrics::link::Opener;

use crate::console::api::Direction;

/// Which end has opened a link.
pub(super) const fn direction(opener: Opener) -> Direction {
    match opener {
        Opener::Here => Direction::Outgoing,
        Opener::Peer => Direction::Incoming,
    }
}

/// A time in seconds, to the microsecond.
pub(super) fn seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}
