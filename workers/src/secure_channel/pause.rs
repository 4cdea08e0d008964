//! The pauses between attempts to establish a channel.

use std::time::Duration;

use ockam_actix_runtime::Address;

use crate::secure_channel::limits::Limits;

/// How long to wait before the next attempt.
#[derive(Debug)]
pub(super) struct Pause {
    next: Duration,
    first: Duration,
    longest: Duration,
}

impl Pause {
    /// None before the attempt that follows a loss, then ever longer ones.
    pub(super) fn new(limits: &Limits) -> Self {
        Self { next: Duration::ZERO, first: limits.first_pause, longest: limits.longest_pause }
    }

    /// Begins again: the channel held.
    pub(super) fn reset(&mut self) {
        self.next = Duration::ZERO;
    }

    /// After the loss of an established channel: none the first time.
    pub(super) fn after_loss(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).max(self.first).min(self.longest);
        pause
    }

    /// After an attempt that failed.
    pub(super) fn after_failure(&mut self) -> Duration {
        self.next = self.next.max(self.first);
        self.after_loss()
    }
}

/// Spreads the attempts of many that lost the same peer: between half of `pause` and all of it.
pub(super) fn jitter(pause: Duration) -> Duration {
    let digit = Address::random().as_str().chars().next().and_then(|digit| digit.to_digit(16));
    pause / 2 + pause * digit.unwrap_or(0) / 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let mut pause = Pause::new(&Limits::default());
        let millis = |pause: Duration| pause.as_millis();
        assert_eq!(millis(pause.after_loss()), 0);
        let grown: Vec<_> = (0..7).map(|_| millis(pause.after_failure())).collect();
        assert_eq!(grown, [100, 200, 400, 800, 1600, 2000, 2000]);
        pause.reset();
        assert_eq!(millis(pause.after_failure()), 100);
    }

    #[test]
    fn a_channel_that_is_lost_at_once_again_gets_pauses_too() {
        let mut pause = Pause::new(&Limits::default());
        let grown: Vec<_> = (0..4).map(|_| pause.after_loss().as_millis()).collect();
        assert_eq!(grown, [0, 100, 200, 400]);
    }

    #[test]
    fn jitter_stays_between_half_and_all() {
        let pause = Duration::from_millis(1000);
        assert!((0..100).map(|_| jitter(pause)).all(|one| one >= pause / 2 && one <= pause));
    }
}
