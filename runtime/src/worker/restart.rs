//! When a worker is started again after a panic: a decision without a clock.

use std::time::Duration;

use crate::limits::{FIRST_RESTART_PAUSE, LONGEST_RESTART_PAUSE, MAX_RESTARTS, STEADY_AFTER};

/// How often a worker is started again after a panic, and after which pauses.
///
/// The default is 5 times, after 50 ms and then twice as long each time; a worker that has lived
/// for a minute since the last restart has 5 again.
///
/// ```
/// use std::time::Duration;
/// use ockam_actix_runtime::RestartPolicy;
///
/// let (first, longest) = (Duration::from_millis(100), Duration::from_secs(60));
/// let policy = RestartPolicy::always().pauses(first, longest);
/// # let _ = policy;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RestartPolicy {
    restarts: u32,
    first_pause: Duration,
    longest_pause: Duration,
    steady_after: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self::at_most(MAX_RESTARTS)
    }
}

impl RestartPolicy {
    /// At most so many restarts, until the worker has lived long enough for them to be forgotten.
    pub const fn at_most(restarts: u32) -> Self {
        Self {
            restarts,
            first_pause: FIRST_RESTART_PAUSE,
            longest_pause: LONGEST_RESTART_PAUSE,
            steady_after: STEADY_AFTER,
        }
    }

    /// After every panic, with pauses of up to 10 s.
    pub const fn always() -> Self {
        Self::at_most(u32::MAX)
    }

    /// Pauses of `first`, then twice as long each time, up to `longest`.
    pub const fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.first_pause = first;
        self.longest_pause = longest;
        self
    }

    /// How long a worker must have lived for the panics before to be forgotten.
    pub const fn steady_after(mut self, steady_after: Duration) -> Self {
        self.steady_after = steady_after;
        self
    }

    /// The most restarts.
    pub const fn restarts(&self) -> u32 {
        self.restarts
    }
}

/// The number of recent restarts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Restarts(u32);

impl Restarts {
    /// How long to wait before the restart of what has `lived` this long; `None` if it is to stay
    /// down.
    pub(crate) fn pause_after(
        &mut self,
        policy: &RestartPolicy,
        lived: Duration,
    ) -> Option<Duration> {
        if lived >= policy.steady_after {
            self.0 = 0;
        }
        let before = self.0;
        self.0 = self.0.saturating_add(1);
        let factor = 2_u32.saturating_pow(before);
        let pause = policy.first_pause.saturating_mul(factor).min(policy.longest_pause);
        (before < policy.restarts).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn restarts_pause_longer_each_time_and_then_end() {
        let (policy, mut restarts) = (RestartPolicy::default(), Restarts::default());
        let pauses: Vec<_> =
            (0..MAX_RESTARTS).map(|_| restarts.pause_after(&policy, AT_ONCE)).collect();
        assert_eq!(pauses[0], Some(FIRST_RESTART_PAUSE));
        assert!(pauses.windows(2).all(|two| two[1] == two[0].map(|pause| 2 * pause)));
        assert_eq!(restarts.pause_after(&policy, AT_ONCE), None);
    }

    #[test]
    fn a_long_life_resets_the_restart_count() {
        let policy = RestartPolicy::default();
        let mut restarts = Restarts(MAX_RESTARTS);
        let pause = restarts.pause_after(&policy, STEADY_AFTER);
        assert_eq!(pause, Some(FIRST_RESTART_PAUSE));
        assert_eq!(restarts.pause_after(&policy, AT_ONCE), Some(2 * FIRST_RESTART_PAUSE));
    }

    #[test]
    fn endless_restarts_have_the_longest_pause() {
        let (policy, mut restarts) = (RestartPolicy::always(), Restarts(1_000_000));
        assert_eq!(restarts.pause_after(&policy, AT_ONCE), Some(LONGEST_RESTART_PAUSE));
    }
}
