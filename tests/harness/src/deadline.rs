//! Waiting, never for ever.

use std::{
    fmt::Display,
    io,
    thread::park_timeout,
    time::{Duration, Instant},
};

/// How long a thing may take that takes milliseconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Between two attempts at what announces itself in no other way.
const AGAIN: Duration = Duration::from_millis(5);

/// Tries again and again.
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
