//! The pauses between attempts to connect, to register or to agree on keys.

use std::time::Duration;

use crate::random;

/// Ever longer pauses, spread at random so that nodes that lost the same peer do not all come back
/// at the same moment.
///
/// ```
/// use std::time::Duration;
/// use ockam_actix_runtime::edge::backoff::Backoff;
///
/// let (first, longest) = (Duration::from_millis(100), Duration::from_secs(2));
/// let mut backoff = Backoff::new(first, longest);
/// assert!(backoff.next_pause() <= first);
/// assert!(backoff.next_pause() <= 2 * first);
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    /// The pause that it begins with: zero, or `first`.
    start: Duration,
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Pauses of at most `first`, then twice as long each time, up to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, start: first, first, longest }
    }

    /// The same, but there is no pause before the first attempt.
    #[must_use]
    pub fn at_once(self) -> Self {
        Self { next: Duration::ZERO, start: Duration::ZERO, ..self }
    }

    /// Begins again, after an attempt that succeeded.
    pub fn reset(&mut self) {
        self.next = self.start;
    }

    /// The pause before the next attempt: at random between half of the current limit and all of
    /// it.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).max(self.first).min(self.longest);
        spread(pause)
    }

    /// As [`next_pause`](Self::next_pause), but never zero.
    pub fn next_pause_after_failure(&mut self) -> Duration {
        self.next = self.next.max(self.first);
        self.next_pause()
    }
}

/// Between half of `pause` and all of it, at random: for what many do at the same pause and should
/// not do at the same moment.
pub fn spread(pause: Duration) -> Duration {
    let [share] = random::bytes();
    pause / 2 + pause * u32::from(share) / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(2);

    /// The limits that the next `count` pauses are drawn from.
    fn limits(backoff: &mut Backoff, count: usize) -> Vec<u128> {
        let limit = |_| {
            let limit = backoff.next;
            let pause = backoff.next_pause();
            assert!(pause >= limit / 2 && pause <= limit, "{pause:?} with limit {limit:?}");
            limit.as_millis()
        };
        (0..count).map(limit).collect()
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_restart() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        assert_eq!(limits(&mut backoff, 7), [100, 200, 400, 800, 1600, 2000, 2000]);
        backoff.reset();
        assert_eq!(limits(&mut backoff, 1), [100]);
    }

    #[test]
    fn at_once_skips_only_the_first_pause() {
        let mut backoff = Backoff::new(FIRST, LONGEST).at_once();
        assert_eq!(limits(&mut backoff, 4), [0, 100, 200, 400]);
        backoff.reset();
        assert_eq!(limits(&mut backoff, 1), [0]);
    }

    #[test]
    fn after_a_failure_there_is_always_a_pause() {
        let mut backoff = Backoff::new(FIRST, LONGEST).at_once();
        let pause = backoff.next_pause_after_failure();
        assert!(pause >= FIRST / 2 && pause <= FIRST);
    }

    #[test]
    fn pauses_are_spread() {
        let pauses: Vec<_> = (0..100).map(|_| spread(FIRST)).collect();
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
