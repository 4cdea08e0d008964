//! When a node tries again to register, and what it says about it.
//!
//! A failure of the network is retried soon, a refusal of the hub at growing intervals up to a
//! minute, as its owner may correct it at any time. Each failure is logged once in an outage.

use std::{collections::HashSet, time::Duration};

use ockam_actix_runtime::{edge::backoff::Backoff, error::Culprit, Error};

use crate::forwarder::limits::{
    FIRST_PAUSE, FIRST_REFUSAL_PAUSE, LOGGED_FAILURES, MAX_PAUSE, MAX_REFUSAL_PAUSE,
};

/// The attempts of one outage.
pub(super) struct Attempts {
    network: Backoff,
    refusals: Backoff,
    logged: HashSet<String>,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self {
            network: Backoff::new(FIRST_PAUSE, MAX_PAUSE),
            refusals: Backoff::new(FIRST_REFUSAL_PAUSE, MAX_REFUSAL_PAUSE),
            logged: HashSet::new(),
        }
    }

    /// The pause before the next attempt, after one that failed with `error`, which is logged the
    /// first time: as an error where somebody has to mend something.
    ///
    /// # Errors
    /// `error` itself, if no further attempt can change it.
    pub(super) fn pause_after(&mut self, error: Error) -> Result<Duration, Error> {
        let refused = matches!(error, Error::Peer { .. });
        let pause = match error.culprit() {
            Culprit::Caller | Culprit::Bug => return Err(error),
            _ if refused => self.refusals.next_pause(),
            _ => self.network.next_pause(),
        };
        let text = error.one_line();
        if self.logged.len() < LOGGED_FAILURES && self.logged.insert(text.clone()) {
            let level = if refused { log::Level::Error } else { log::Level::Warn };
            let seldom = if refused { ", then less often, at least every minute" } else { "" };
            log::log!(level, "{text}; trying again in {pause:.1?}{seldom}");
        }
        Ok(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    fn refused(number: usize) -> Error {
        Error::Peer { who: "the hub".into(), what: format!("refused for reason {number}") }
    }

    #[test]
    fn refusals_are_retried_within_a_minute() {
        let mut attempts = Attempts::new();
        let pauses: Vec<_> = (0..10).map(|_| attempts.pause_after(refused(1)).unwrap()).collect();
        assert!(pauses[0] <= FIRST_REFUSAL_PAUSE && pauses[3] > FIRST_REFUSAL_PAUSE);
        assert!(pauses.iter().all(|pause| *pause <= MAX_REFUSAL_PAUSE));
        assert!(pauses[9] >= MAX_REFUSAL_PAUSE / 2);
        let network = Error::transport("no route", ErrorKind::HostUnreachable.into());
        assert!(attempts.pause_after(network).unwrap() <= FIRST_PAUSE);
    }

    #[test]
    fn each_failure_is_logged_once_and_few() {
        let mut attempts = Attempts::new();
        for number in 0..100 {
            for _ in 0..2 {
                attempts.pause_after(refused(number)).unwrap();
            }
        }
        assert_eq!(attempts.logged.len(), LOGGED_FAILURES);
    }

    #[test]
    fn what_the_caller_must_mend_ends_it() {
        for error in [Error::Stopped, Error::EmptyRoute, Error::Bug("x".into())] {
            assert!(Attempts::new().pause_after(error).is_err());
        }
    }
}
