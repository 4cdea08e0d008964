//! The age of a session's keys: when new ones are due, and when the old ones have expired.
//!
//! The initiator asks for new keys when they are due. Both ends close a session whose keys have
//! expired, so that nobody keeps one open past the checks that a renewal repeats: the policies, and
//! the key histories of both identities.

use std::time::{Duration, Instant};

use crate::secure_channel::limits::Limits;

/// How long the keys of one session have been in use. It has no clock of its own.
#[derive(Debug)]
pub(super) struct KeyAge {
    since: Instant,
    /// The age at which this end asks for new keys; `None` at the end that leaves it to the other.
    due_after: Option<Duration>,
    /// Whether this end has asked.
    asked: bool,
}

/// What the age of the keys calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Good,
    /// Ask for new keys.
    Due,
    /// Close the session, whose keys have this age.
    Expired(Duration),
}

impl KeyAge {
    /// For keys that were agreed on just now.
    pub(super) fn new(now: Instant, due_after: Option<Duration>) -> Self {
        Self { since: now, due_after, asked: false }
    }

    /// Decides at `now`.
    pub(super) fn check(&mut self, now: Instant, limits: &Limits) -> Verdict {
        let age = now.saturating_duration_since(self.since);
        if age >= limits.keys_expire_after {
            return Verdict::Expired(age);
        }
        let is_due = self.due_after.is_some_and(|due| age >= due);
        if is_due && self.ask() {
            return Verdict::Due;
        }
        Verdict::Good
    }

    /// Whether this end may ask for new keys now; it asks only once until they come.
    pub(super) fn ask(&mut self) -> bool {
        self.due_after.is_some() && !std::mem::replace(&mut self.asked, true)
    }

    /// Both directions have new keys.
    pub(super) fn renewed(&mut self, now: Instant) {
        *self = Self::new(now, self.due_after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// The verdicts after so many minutes each, in one session.
    fn verdicts(age: &mut KeyAge, start: Instant, minutes: &[u32]) -> Vec<Verdict> {
        let limits = Limits::default();
        minutes.iter().map(|minutes| age.check(start + *minutes * MINUTE, &limits)).collect()
    }

    #[test]
    fn an_initiator_asks_once_when_keys_are_due() {
        let start = Instant::now();
        let mut age = KeyAge::new(start, Some(10 * MINUTE));
        let expected = [Verdict::Good, Verdict::Due, Verdict::Good];
        assert_eq!(verdicts(&mut age, start, &[9, 10, 11]), expected);
        age.renewed(start + 11 * MINUTE);
        assert_eq!(verdicts(&mut age, start, &[20, 21, 22]), expected);
        assert!(!age.ask(), "it has asked");
    }

    #[test]
    fn both_ends_give_up_keys_that_nobody_renews() {
        let start = Instant::now();
        for due_after in [None, Some(10 * MINUTE)] {
            let mut age = KeyAge::new(start, due_after);
            let before = verdicts(&mut age, start, &[14]);
            assert_ne!(before, [Verdict::Expired(14 * MINUTE)]);
            assert_eq!(verdicts(&mut age, start, &[15]), [Verdict::Expired(15 * MINUTE)]);
            age.renewed(start + 15 * MINUTE);
            assert_eq!(verdicts(&mut age, start, &[16]), [Verdict::Good]);
        }
    }
}
