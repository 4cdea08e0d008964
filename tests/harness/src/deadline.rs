//! Waits with a deadline.

use std::{
    fmt::Display,
    io,
    thread::park_timeout,
    time::{Duration, Instant},
};

/// How long something may take that takes milliseconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The pause between two attempts, for events that do not announce themselves.
const AGAIN: Duration = Duration::from_millis(5);

/// Tries again and again until `attempt` succeeds, for at most `limit`.
///
/// # Errors
/// What was waited for, and why the last attempt failed.
pub fn wait_for<T, E: Display>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> io::Result<T> {
    let end = Instant::now() + limit;
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(error) if Instant::now() >= end => {
                let text =
                    format!("waited {limit:?} for {what}, in vain; the last attempt: {error}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Err(_) => park_timeout(AGAIN),
        }
    }
}

/// As [`wait_for`], for tests: it panics instead.
pub fn poll<T, E: Display>(
    what: &str,
    limit: Duration,
    attempt: impl FnMut() -> Result<T, E>,
) -> T {
    wait_for(what, limit, attempt).unwrap_or_else(|error| panic!("{error}"))
}
