//! The round trip of a stream, measured on what it sends anyway.
//!
//! Bytes past a limit can only have been sent after the announcement that raised it had arrived. So
//! the time from an announcement to the first such byte is at least a round trip, and just that
//! when the sender was waiting for it, which is when the window's growth depends on it.

use std::time::Duration;

use crate::portal::{
    limits::ASSUMED_ROUND_TRIP,
    protocol::message::{Control, Decoded},
};

/// The estimate of one stream: the least that was measured.
#[derive(Debug, Default)]
pub(crate) struct RoundTrip {
    least: Option<Duration>,
    /// The limit before the announcement that is being timed, and when that was sent.
    timed: Option<(u64, Duration)>,
    announced: u64,
}

impl RoundTrip {
    /// For a stream whose peer may send `bytes` before any announcement: these answer none.
    pub(crate) fn after_early(bytes: u64) -> Self {
        Self { announced: bytes, ..Self::default() }
    }

    pub(crate) fn estimate(&self) -> Duration {
        self.least.unwrap_or(ASSUMED_ROUND_TRIP)
    }

    pub(crate) const fn measured(&self) -> Option<Duration> {
        self.least
    }

    pub(crate) fn sent(&mut self, control: &Control<'_>, now: Duration) {
        match control {
            Control::Window { limit } => {
                self.timed.get_or_insert((self.announced, now));
                self.announced = limit.value();
            }
            // Each begins a path, and what was timed on another tells nothing of it.
            Control::Open { limit, .. }
            | Control::Opened { limit, .. }
            | Control::Resume { limit, .. } => {
                self.timed = Some((self.announced, now));
                self.announced = limit.value();
            }
            Control::Resumed { .. } => self.timed = None,
            _ => {}
        }
    }

    pub(crate) fn received(&mut self, decoded: &Decoded<'_>, now: Duration) {
        let answers = |&(limit, _): &(u64, Duration)| match decoded {
            // The offset is not checked yet: bytes that overflow it break the protocol and answer
            // nothing.
            Decoded::Data { offset, range } => {
                offset.forward(range.len() as u64).is_some_and(|end| end.value() > limit)
            }
            Decoded::Control(Control::Opened { .. } | Control::Resumed { .. }) => true,
            Decoded::Control(_) => false,
        };
        if let Some((_, sent)) = self.timed.filter(answers) {
            let sample = now.saturating_sub(sent);
            self.least = Some(self.least.map_or(sample, |least| least.min(sample)));
            self.timed = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::protocol::offset::{Limit, Offset};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn bytes_that_were_sent_early_answer_nothing() {
        let mut trip = RoundTrip::after_early(100);
        trip.sent(&Control::Opened { limit: Limit::new(1_000), life: None }, ms(0));
        trip.received(&Decoded::Data { offset: Offset::new(0), range: 0..100 }, ms(1));
        assert_eq!(trip.estimate(), ASSUMED_ROUND_TRIP);
        trip.received(&Decoded::Data { offset: Offset::new(100), range: 0..1 }, ms(90));
        assert_eq!(trip.estimate(), ms(90));
    }

    #[test]
    fn bytes_past_the_old_limit_end_the_measurement() {
        let mut trip = RoundTrip::default();
        trip.sent(&Control::Opened { limit: Limit::new(100), life: None }, ms(0));
        trip.received(&Decoded::Data { offset: Offset::new(0), range: 0..50 }, ms(30));
        assert_eq!(trip.estimate(), ms(30));
        trip.sent(&Control::Window { limit: Limit::new(200) }, ms(40));
        trip.received(&Decoded::Data { offset: Offset::new(50), range: 0..50 }, ms(41));
        assert_eq!(trip.estimate(), ms(30), "these were sent under the old limit");
        trip.received(&Decoded::Data { offset: Offset::new(100), range: 0..50 }, ms(50));
        assert_eq!(trip.estimate(), ms(10));
    }

    #[test]
    fn bytes_beyond_all_numbers_answer_nothing() {
        let mut trip = RoundTrip::default();
        trip.sent(
            &Control::Open {
                limit: Limit::new(100),
                secret: None,
                introduction: Default::default(),
            },
            ms(0),
        );
        trip.received(&Decoded::Data { offset: Offset::new(u64::MAX), range: 0..1 }, ms(1));
        assert_eq!(trip.estimate(), ASSUMED_ROUND_TRIP);
    }
}
