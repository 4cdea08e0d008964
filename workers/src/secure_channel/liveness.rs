//! Liveness of a channel's peer: when to ask whether it is there, and when to give up.

use std::time::Duration;

use ockam_actix_runtime::clock::Instant;

use crate::secure_channel::limits::Limits;

/// When the peer was last heard, and last asked. It has no clock of its own.
#[derive(Debug)]
pub(super) struct Liveness {
    heard_at: Instant,
    asked_at: Option<Instant>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Check again after this time.
    Fine(Duration),
    /// Send a ping, and check again after this time.
    Ask(Duration),
    /// Nothing came for this long.
    Lost(Duration),
}

impl Liveness {
    /// For a peer that was heard just now.
    pub(super) fn new(now: Instant) -> Self {
        Self { heard_at: now, asked_at: None }
    }

    /// Decides at `now`, given whether a record came since the last call and whether the channel is
    /// in use.
    pub(super) fn handle_tick(
        &mut self,
        now: Instant,
        heard: bool,
        in_use: bool,
        limits: &Limits,
    ) -> Verdict {
        // Often enough that the shorter times soon apply to a channel that comes into use.
        let again = limits.ping_after / if in_use { 2 } else { 1 };
        if heard {
            *self = Self::new(now);
            return Verdict::Fine(again);
        }
        let silence = now.saturating_duration_since(self.heard_at);
        let quiet = if in_use { limits.ping_after } else { limits.idle_ping_after };
        match self.asked_at {
            Some(asked) if now.saturating_duration_since(asked) >= limits.answer_within => {
                Verdict::Lost(silence)
            }
            None if silence >= quiet => {
                self.asked_at = Some(now);
                Verdict::Ask(again)
            }
            Some(_) | None => Verdict::Fine(again),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks a peer that answers or not, in use or not; returns the seconds at which it was asked
    /// and lost.
    fn run(seconds: u32, in_use: bool, answers: bool) -> (Vec<u64>, Option<u64>) {
        let (limits, start) = (Limits::default(), Instant::now());
        let mut liveness = Liveness::new(start);
        let (mut now, mut heard, mut asked) = (start, false, Vec::new());
        while now - start < Duration::from_secs(seconds.into()) {
            let verdict = liveness.handle_tick(now, heard, in_use, &limits);
            let at = (now - start).as_secs();
            heard = false;
            let again = match verdict {
                Verdict::Fine(again) => again,
                Verdict::Ask(again) => {
                    asked.push(at);
                    heard = answers;
                    again
                }
                Verdict::Lost(_) => return (asked, Some(at)),
            };
            now += again;
        }
        (asked, None)
    }

    #[test]
    fn a_silent_peer_is_lost_after_eight_seconds() {
        assert_eq!(run(60, true, false), (vec![2], Some(8)));
    }

    #[test]
    fn an_idle_channel_asks_seldom() {
        assert_eq!(run(40, false, true), (vec![16, 34], None));
        assert_eq!(run(60, false, false), (vec![16], Some(22)));
    }

    #[test]
    fn a_peer_that_answers_is_never_lost() {
        let (asked, lost) = run(30, true, true);
        assert_eq!((asked.len(), lost), (10, None));
    }

    #[test]
    fn any_record_counts_as_an_answer() {
        let (limits, start) = (Limits::default(), Instant::now());
        let mut liveness = Liveness::new(start);
        for second in 1..100 {
            let now = start + Duration::from_secs(second);
            let verdict = liveness.handle_tick(now, true, true, &limits);
            assert_eq!(verdict, Verdict::Fine(Duration::from_secs(1)));
        }
    }
}
