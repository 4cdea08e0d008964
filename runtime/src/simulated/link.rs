//! How a link treats what passes over it.

use std::time::Duration;

use crate::{clock::Instant, simulated::scope::Random};

/// A link between two hosts, in both directions.
///
/// ```
/// use std::time::Duration;
/// use ockam_actix_runtime::simulated::LinkOptions;
///
/// let slow = LinkOptions::new().latency(Duration::from_millis(80)).bytes_per_second(100_000);
/// # let _ = slow;
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct LinkOptions {
    latency: Duration,
    jitter: Duration,
    loss_per_mille: u16,
    bytes_per_second: Option<u64>,
}

impl LinkOptions {
    /// A link with a latency of 1 ms that loses nothing and carries any amount.
    pub const fn new() -> Self {
        let latency = Duration::from_millis(1);
        Self { latency, jitter: Duration::ZERO, loss_per_mille: 0, bytes_per_second: None }
    }

    /// The time from one end to the other, in whole milliseconds.
    pub const fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// By how much more, at most, each segment is delayed at random.
    pub const fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// How many of a thousand segments are lost and sent again, 999 at most. A segment has up to
    /// 16 KiB.
    pub const fn loss_per_mille(mut self, loss: u16) -> Self {
        self.loss_per_mille = if loss > 999 { 999 } else { loss };
        self
    }

    /// How many bytes pass in a second in each direction, for all connections together.
    pub const fn bytes_per_second(mut self, bytes: u64) -> Self {
        self.bytes_per_second = Some(if bytes == 0 { 1 } else { bytes });
        self
    }
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// The state of a link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) options: LinkOptions,
    pub(super) is_up: bool,
    /// Until when each direction is taken.
    busy: [Option<Instant>; 2],
}

impl Link {
    pub(super) const fn new(options: LinkOptions) -> Self {
        Self { options, is_up: true, busy: [None; 2] }
    }

    /// Whether a segment gets through now.
    pub(super) fn passes(&self, random: &mut Random) -> bool {
        self.is_up && !random.happens(self.options.loss_per_mille)
    }

    /// When `bytes` that are sent `now` arrive at the other end.
    pub(super) fn send(
        &mut self,
        direction: usize,
        bytes: usize,
        now: Instant,
        random: &mut Random,
    ) -> Instant {
        let options = self.options;
        let start = self.busy[direction].map_or(now, |busy| busy.max(now));
        let takes = options
            .bytes_per_second
            .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bytes as f64 / rate as f64));
        self.busy[direction] = Some(start + takes);
        let mut at = start + takes + options.latency;
        if !options.jitter.is_zero() {
            let micros = u64::try_from(options.jitter.as_micros()).unwrap_or(u64::MAX);
            at += Duration::from_micros(random.below(micros));
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(options: LinkOptions, bytes: &[usize]) -> Vec<u128> {
        let (mut link, mut random, now) = (Link::new(options), Random::new(1), Instant::now());
        let mut send = |bytes| link.send(0, bytes, now, &mut random);
        bytes.iter().map(|bytes| (send(*bytes) - now).as_millis()).collect()
    }

    #[test]
    fn a_rate_makes_bytes_wait_for_each_other() {
        let options = LinkOptions::new().latency(Duration::from_millis(10)).bytes_per_second(1_000);
        assert_eq!(sent(options, &[100, 100, 300]), [110, 210, 510]);
    }

    #[test]
    fn as_many_are_lost_as_was_set() {
        let (mut link, mut random) = (Link::new(LinkOptions::new()), Random::new(1));
        assert!((0..100).all(|_| link.passes(&mut random)));
        link.options = link.options.loss_per_mille(300);
        let passed = (0..1_000).filter(|_| link.passes(&mut random)).count();
        assert!((650..750).contains(&passed), "{passed}");
        link.is_up = false;
        assert!(!(0..100).any(|_| link.passes(&mut random)));
    }
}
