//! When a node tries again to register, and what it says about it.
//!
//! A failure of the network is retried soon, and what somebody has to mend at growing intervals up
//! to a minute: a refusal of the hub, whose owner may correct it at any time, or a channel to the
//! hub that has ended, perhaps only until it is started again. Each failure is logged once in an
//! outage.

use std::{collections::HashSet, time::Duration};

use ockam_actix_runtime::{edge::backoff::Backoff, error::Culprit, Error};

use crate::forwarder::limits::{
    FIRST_PAUSE, FIRST_REFUSAL_PAUSE, LOGGED_FAILURES, MAX_PAUSE, MAX_REFUSAL_PAUSE,
};

/// The attempts of one outage.
pub(super) struct Attempts {
    network: Backoff,
    /// Of what somebody has to mend.
    mended: Backoff,
    logged: HashSet<String>,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self {
            network: Backoff::new(FIRST_PAUSE, MAX_PAUSE),
            mended: Backoff::new(FIRST_REFUSAL_PAUSE, MAX_REFUSAL_PAUSE),
            logged: HashSet::new(),
        }
    }

    /// The pause before the next attempt, after one that failed with `error`, which is logged the
    /// first time: as an error where somebody has to mend something.
    pub(super) fn pause_after(&mut self, error: &Error) -> Duration {
        let mended_by_people = matches!(error, Error::Peer { .. }) || is_for_caller(error);
        let pause = match mended_by_people {
            true => self.mended.next_pause(),
            false => self.network.next_pause(),
        };
        let text = error.one_line();
        if self.logged.len() < LOGGED_FAILURES && self.logged.insert(text.clone()) {
            let level = if mended_by_people { log::Level::Error } else { log::Level::Warn };
            let seldom =
                if mended_by_people { ", then less often, at least every minute" } else { "" };
            log::log!(level, "{text}; trying again in {pause:.1?}{seldom}");
        }
        pause
    }
}

/// Whether it is for whoever has asked for a forwarder to mend, if he still waits for it.
pub(super) fn is_for_caller(error: &Error) -> bool {
    matches!(error.culprit(), Culprit::Caller | Culprit::Bug)
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
        let pauses: Vec<_> = (0..10).map(|_| attempts.pause_after(&refused(1))).collect();
        assert!(pauses[0] <= FIRST_REFUSAL_PAUSE && pauses[3] > FIRST_REFUSAL_PAUSE);
        assert!(pauses.iter().all(|pause| *pause <= MAX_REFUSAL_PAUSE));
        assert!(pauses[9] >= MAX_REFUSAL_PAUSE / 2);
        let network = Error::transport("no route", ErrorKind::HostUnreachable.into());
        assert!(attempts.pause_after(&network) <= FIRST_PAUSE);
    }

    #[test]
    fn each_failure_is_logged_once_and_few() {
        let mut attempts = Attempts::new();
        for number in 0..100 {
            for _ in 0..2 {
                attempts.pause_after(&refused(number));
            }
        }
        assert_eq!(attempts.logged.len(), LOGGED_FAILURES);
    }

    #[test]
    fn a_worker_that_has_ended_is_tried_again() {
        let gone = Error::NoWorker("channel".into());
        assert!(is_for_caller(&gone));
        let mut attempts = Attempts::new();
        let pauses: Vec<_> = (0..10).map(|_| attempts.pause_after(&gone)).collect();
        assert!(pauses[0] <= FIRST_REFUSAL_PAUSE && pauses[9] >= MAX_REFUSAL_PAUSE / 2);
    }
}
