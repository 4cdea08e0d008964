//! Liveness of a peer: when to ask whether it is there, and when to give it up.
//!
//! The peer of a connection and that of a secure channel are watched alike: any sign of life
//! counts, and only a peer that has been silent for a while is asked; sooner while something is
//! under way.

use std::time::Duration;

use crate::clock::Instant;

/// How long a silent peer is left alone, and how long it may take to answer.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Silence after which the peer is asked while something is under way.
    pub ask_after: Duration,
    /// The same while nothing is.
    pub idle_ask_after: Duration,
    /// How long it may take to answer.
    pub answer_within: Duration,
}

impl Patience {
    /// The pause between checks while something is under way or an answer is awaited. Signs of life
    /// are noticed by checks, so this is how much later a loss may be noticed.
    pub fn between_checks(&self) -> Duration {
        self.ask_after / 3
    }
}

/// When the peer was last heard, and last asked. It has no clock of its own.
///
/// Time in which this node did not run does not count: what the peer has sent meanwhile is still to
/// be read.
#[derive(Debug)]
pub struct Liveness {
    heard_at: Instant,
    asked_at: Option<Instant>,
    /// When the next check should come.
    due: Option<Instant>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Check again after this time.
    Fine(Duration),
    /// Ask the peer, and check again after this time.
    Ask(Duration),
    /// Nothing came for this long.
    Lost(Duration),
}

impl Liveness {
    /// For a peer that was heard just now.
    pub fn new(now: Instant) -> Self {
        Self { heard_at: now, asked_at: None, due: None }
    }

    /// Decides at `now`, given whether there was a sign of life since the last call, and whether
    /// something is under way. The next check may also come earlier than the verdict says.
    pub fn check(
        &mut self,
        now: Instant,
        heard: bool,
        under_way: bool,
        patience: &Patience,
    ) -> Verdict {
        let late = self.due.take().map_or(Duration::ZERO, |due| now.saturating_duration_since(due));
        self.heard_at += late;
        self.asked_at = self.asked_at.map(|asked| asked + late);
        if heard {
            *self = Self::new(now);
        }
        let verdict = self.judge(now, under_way, patience);
        if let Verdict::Fine(again) | Verdict::Ask(again) = verdict {
            self.due = Some(now + again);
        }
        verdict
    }

    fn judge(&mut self, now: Instant, under_way: bool, patience: &Patience) -> Verdict {
        let silence = now.saturating_duration_since(self.heard_at);
        let soon = patience.between_checks();
        let quiet = if under_way { patience.ask_after } else { patience.idle_ask_after };
        match self.asked_at {
            Some(asked) if now.saturating_duration_since(asked) >= patience.answer_within => {
                Verdict::Lost(silence)
            }
            Some(_) => Verdict::Fine(soon),
            None if silence >= quiet => {
                self.asked_at = Some(now);
                Verdict::Ask(soon)
            }
            None if under_way => Verdict::Fine(soon),
            None => Verdict::Fine(quiet - silence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        ask_after: Duration::from_millis(1_500),
        idle_ask_after: Duration::from_secs(15),
        answer_within: Duration::from_millis(2_500),
    };

    /// Checks a peer that answers or not, with something under way or not; returns the milliseconds
    /// at which it was asked and lost.
    fn run(seconds: u64, under_way: bool, answers: bool) -> (Vec<u128>, Option<u128>) {
        let start = Instant::now();
        let mut liveness = Liveness::new(start);
        let (mut now, mut heard, mut asked) = (start, false, Vec::new());
        while now - start < Duration::from_secs(seconds) {
            let verdict = liveness.check(now, heard, under_way, &PATIENCE);
            let at = (now - start).as_millis();
            heard = false;
            now += match verdict {
                Verdict::Fine(again) => again,
                Verdict::Ask(again) => {
                    asked.push(at);
                    heard = answers;
                    again
                }
                Verdict::Lost(_) => return (asked, Some(at)),
            };
        }
        (asked, None)
    }

    #[test]
    fn silence_with_something_under_way_is_noticed_soon() {
        assert_eq!(run(60, true, false), (vec![1_500], Some(4_000)));
    }

    #[test]
    fn an_idle_peer_is_asked_seldom() {
        assert_eq!(run(40, false, true), (vec![15_000, 30_500], None));
        assert_eq!(run(60, false, false), (vec![15_000], Some(17_500)));
    }

    #[test]
    fn a_peer_that_answers_is_never_lost() {
        let (asked, lost) = run(30, true, true);
        assert_eq!((asked.len(), lost), (15, None));
    }

    #[test]
    fn any_sign_of_life_counts_as_an_answer() {
        let start = Instant::now();
        let mut liveness = Liveness::new(start);
        for check in 1..100 {
            let now = start + check * PATIENCE.between_checks();
            let verdict = liveness.check(now, true, true, &PATIENCE);
            assert_eq!(verdict, Verdict::Fine(PATIENCE.between_checks()));
        }
    }

    #[test]
    fn time_without_running_does_not_count() {
        let start = Instant::now();
        let mut liveness = Liveness::new(start);
        let mut now = start;
        // Asked, and then this node does not run for a minute.
        while liveness.check(now, false, true, &PATIENCE) != Verdict::Ask(step()) {
            now += step();
        }
        now += step() + Duration::from_secs(60);
        for _ in 0..4 {
            assert_eq!(liveness.check(now, false, true, &PATIENCE), Verdict::Fine(step()));
            now += step();
        }
        assert!(matches!(liveness.check(now, false, true, &PATIENCE), Verdict::Lost(_)));
    }

    fn step() -> Duration {
        PATIENCE.between_checks()
    }
}
