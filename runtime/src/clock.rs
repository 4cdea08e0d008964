//! The clock: tokio's, which runs with the system's, or is virtual in a simulated network.
//!
//! All that measures or waits for time uses this [`Instant`], never the standard library's: in a
//! paused runtime, timers and moments have to agree. In production, taking the time costs the same.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use tokio::time::Instant;

/// The time since 1970, by a clock that goes on while programs are restarted.
pub fn since_1970() -> Duration {
    #[cfg(feature = "testing")]
    if let Some(time) = crate::simulated::scope::since_1970() {
        return time;
    }
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
