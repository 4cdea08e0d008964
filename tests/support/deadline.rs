//! Waiting, never for ever.

use std::{
    fmt::Display,
    thread::park_timeout,
    time::{Duration, Instant},
};

/// How long a thing may take that takes milliseconds on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Tries again and again, for what announces itself in no other way.
pub(crate) fn poll<T, E: Display>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> T {
    let end = Instant::now() + limit;
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) if Instant::now() >= end => {
                panic!("waited {limit:?} for {what}, in vain; the last attempt: {error}")
            }
            Err(_) => park_timeout(Duration::from_millis(10)),
        }
    }
}
