//! When a hub says what: that it is there, what was claimed at it, and all of that again when a hub
//! is heard that may have missed it. Without network; times are counted from any fixed moment.

use std::{collections::VecDeque, time::Duration};

use crate::forwarder::{
    limits::{CLAIMS_AGAIN, CLAIMS_PAUSE, CLAIMS_PER_MESSAGE, THERE_EVERY},
    protocol::claim::ForwarderId,
};

/// Rounds of all claims that may follow the first at once.
const IN_ADVANCE: u32 = 3;

/// What is to be said.
#[derive(Default)]
pub(super) struct Rounds {
    /// Claims that the others have to hear of, the latest last.
    queued: VecDeque<ForwarderId>,
    /// What is left of all claims.
    rest: Vec<ForwarderId>,
    /// A hub may have missed claims.
    again: bool,
    /// Until when the rounds of all claims so far count: one for each [`CLAIMS_AGAIN`], and some in
    /// advance, so that those for a hub that has just come do not hold up the next, for what a hub
    /// has missed.
    counted: Duration,
    there: Option<Duration>,
}

/// What is due.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// To say that this hub is there.
    pub(super) there: bool,
    /// To tell of these claims.
    pub(super) claims: Vec<ForwarderId>,
    /// To look again after so long.
    pub(super) pause: Duration,
}

impl Rounds {
    /// A claim is to be told. Returns whether nothing waited.
    pub(super) fn queue(&mut self, id: ForwarderId) -> bool {
        // What does not fit will be told with all: that bounds what a flood of registrations holds
        // here.
        if self.queued.len() >= 2 * CLAIMS_PER_MESSAGE {
            self.again = true;
            return false;
        }
        self.queued.push_back(id);
        self.queued.len() == 1
    }

    /// All claims are to be told.
    pub(super) fn queue_all(&mut self) {
        self.again = true;
    }

    /// What is due now. `all` lists all claims.
    pub(super) fn due(&mut self, now: Duration, all: impl FnOnce() -> Vec<ForwarderId>) -> Due {
        let since = |then: Option<Duration>| then.map(|then| now.saturating_sub(then));
        let there = since(self.there).is_none_or(|since| since >= THERE_EVERY);
        if there {
            self.there = Some(now);
        }
        if self.again && self.counted <= now + CLAIMS_AGAIN * IN_ADVANCE && self.rest.is_empty() {
            self.again = false;
            self.counted = self.counted.max(now) + CLAIMS_AGAIN;
            self.rest = all();
        }
        let count = self.queued.len().min(CLAIMS_PER_MESSAGE);
        let mut claims: Vec<_> = self.queued.drain(..count).collect();
        let more = self.rest.len().min(CLAIMS_PER_MESSAGE - count);
        claims.extend(self.rest.drain(self.rest.len() - more..));
        let is_idle = self.queued.is_empty() && self.rest.is_empty();
        let until_there = THERE_EVERY - since(self.there).unwrap_or_default().min(THERE_EVERY);
        Due { there, claims, pause: if is_idle { until_there } else { CLAIMS_PAUSE } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<ForwarderId> {
        (0..count).map(|n| ForwarderId([n.to_le_bytes()[0]; 16])).collect()
    }

    #[test]
    fn a_hub_says_in_time_that_it_lives() {
        let mut rounds = Rounds::default();
        let mut due = |now| rounds.due(now, Vec::new);
        let first = due(Duration::ZERO);
        assert_eq!((first.there, first.pause), (true, THERE_EVERY));
        assert!(!due(THERE_EVERY / 2).there);
        assert_eq!(due(THERE_EVERY / 2).pause, THERE_EVERY / 2);
        assert!(due(THERE_EVERY).there);
    }

    #[test]
    fn all_is_told_in_parts_and_seldom() {
        let mut rounds = Rounds::default();
        rounds.queue_all();
        let count = 3 * CLAIMS_PER_MESSAGE;
        let (mut now, mut told) = (Duration::ZERO, 0);
        for _ in 0..12 {
            let due = rounds.due(now, || ids(count));
            told += due.claims.len();
            // Somebody makes hubs up.
            now += due.pause.min(CLAIMS_PAUSE);
            rounds.queue_all();
        }
        assert_eq!(told, 4 * count, "one for now, and three in advance");
        let mut told_at = |now| !rounds.due(now, || ids(1)).claims.is_empty();
        assert!(!told_at(now) && told_at(CLAIMS_AGAIN));
        rounds.queue_all();
        let mut told_at = |now| !rounds.due(now, || ids(1)).claims.is_empty();
        assert!(!told_at(CLAIMS_AGAIN * 2 - THERE_EVERY) && told_at(CLAIMS_AGAIN * 2));
    }

    #[test]
    fn a_flood_of_registrations_is_told_with_all() {
        let mut rounds = Rounds::default();
        let flood = ids(5 * CLAIMS_PER_MESSAGE);
        assert_eq!(flood.iter().filter(|id| rounds.queue(**id)).count(), 1);
        assert_eq!(rounds.queued.len(), 2 * CLAIMS_PER_MESSAGE);
        let (mut now, mut told) = (Duration::ZERO, 0);
        while now < Duration::from_secs(1) {
            let due = rounds.due(now, || flood.clone());
            told += due.claims.len();
            now += due.pause.min(Duration::from_millis(200));
        }
        assert_eq!(told, 7 * CLAIMS_PER_MESSAGE);
    }
}
