//! The age of a session's keys: when new ones are due, and when the old ones have expired.
//!
//! The initiator asks for new keys when they are due. Both ends close a session whose keys have
//! expired, so that nobody keeps one open past the checks that a renewal repeats: the policies, and
//! the key histories of both identities.

use std::time::Duration;

use ockam_actix_runtime::clock::Instant;

use crate::secure_channel::limits::Limits;

/// How long the keys of one session have been in use. It has no clock of its own.
#[derive(Debug)]
pub(super) struct KeyAge {
    since: Instant,
    /// The age at which this end asks for new keys; `None` at the end that leaves it to the other.
    due_after: Option<Duration>,
    /// Whether they are due for another reason than their age.
    are_due: bool,
    /// Whether this end has asked.
    asked: bool,
}

/// How often a peer may ask for new keys: the other end of [`KeyAge`].
#[derive(Debug)]
pub(super) struct RenewalRate {
    last: Instant,
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
        Self { since: now, due_after, are_due: false, asked: false }
    }

    /// Decides at `now`.
    pub(super) fn check(&mut self, now: Instant, limits: &Limits) -> Verdict {
        let age = now.saturating_duration_since(self.since);
        if age >= limits.keys_expire_after {
            return Verdict::Expired(age);
        }
        let is_due = self.due_after.is_some_and(|due| self.are_due || age >= due);
        if is_due && age >= limits.renewal_pause && !self.asked {
            self.asked = true;
            return Verdict::Due;
        }
        Verdict::Good
    }

    /// The keys are due whatever their age, for what they have carried.
    pub(super) fn want_new(&mut self) {
        self.are_due = true;
    }

    /// Both directions have new keys.
    pub(super) fn renewed(&mut self, now: Instant) {
        *self = Self::new(now, self.due_after);
    }
}

impl RenewalRate {
    /// For a session whose keys were agreed on just now.
    pub(super) fn new(now: Instant) -> Self {
        Self { last: now }
    }

    /// Whether the peer may begin a renewal now. It keeps the whole pause by its own clock; on the
    /// way, messages may come closer together.
    pub(super) fn admit(&mut self, now: Instant, limits: &Limits) -> bool {
        let is_long_enough = now.saturating_duration_since(self.last) >= limits.renewal_pause / 2;
        self.last = now;
        is_long_enough
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
    }

    #[test]
    fn spent_keys_are_renewed_after_a_pause() {
        let (start, limits) = (Instant::now(), Limits::default());
        let mut age = KeyAge::new(start, Some(10 * MINUTE));
        age.want_new();
        let soon = start + limits.renewal_pause;
        let just_before = soon - Duration::from_millis(1);
        let verdicts = [just_before, soon, soon].map(|now| age.check(now, &limits));
        assert_eq!(verdicts, [Verdict::Good, Verdict::Due, Verdict::Good]);
        let mut left_to_the_peer = KeyAge::new(start, None);
        left_to_the_peer.want_new();
        assert_eq!(left_to_the_peer.check(soon, &limits), Verdict::Good);
    }

    #[test]
    fn a_peer_that_always_renews_is_not_admitted() {
        let (start, limits) = (Instant::now(), Limits::default());
        let mut rate = RenewalRate::new(start);
        let honest = limits.renewal_pause * 3 / 4;
        assert!((1..4).all(|times| rate.admit(start + honest * times, &limits)));
        assert!(!rate.admit(start + honest * 3 + Duration::from_millis(10), &limits));
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
