//! How often a stranger may ask for something: token buckets, without a clock of their own.
//!
//! Times are measured from any fixed moment.

use std::{hash::Hash, time::Duration};

use ahash::RandomState;

use crate::{limits::RATED_SOURCES, random};

/// How many at once, and how many a second after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens of a full bucket.
    pub burst: u32,
    /// Tokens that are added in a second, at least 1.
    pub per_second: u32,
}

impl Rate {
    /// The time between two tokens.
    fn pause(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }
}

/// A bucket of tokens: the moment at which it is full again says how many it has now, which is
/// the "generic cell rate algorithm" of ATM (ITU-T I.371).
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenBucket {
    full_at: Duration,
}

impl TokenBucket {
    /// Takes a token; false if there is none.
    #[must_use]
    pub fn take(&mut self, rate: Rate, now: Duration) -> bool {
        self.take_many(1, rate, now)
    }

    /// Takes several tokens, at most as many as a full bucket has, or none and returns false.
    #[must_use]
    pub fn take_many(&mut self, tokens: u32, rate: Rate, now: Duration) -> bool {
        let full_at = self.full_at.max(now) + rate.pause() * tokens.min(rate.burst.max(1));
        let taken = full_at - now <= rate.pause() * rate.burst;
        if taken {
            self.full_at = full_at;
        }
        taken
    }

    /// Puts a token back that was taken at this rate.
    pub fn give_back(&mut self, rate: Rate) {
        self.full_at = self.full_at.saturating_sub(rate.pause());
    }

    /// Whether no token is missing: a new bucket would be the same.
    pub fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }
}

/// A bucket for each source, such as a network address or a connection, in bounded memory:
/// [`RATED_SOURCES`] buckets in all, and a keyed hash assigns them to sources.
///
/// Two sources may share a bucket. An attacker cannot know who shares one with whom; with thousands
/// of addresses it could empty all of them, but no table could keep it from that.
#[derive(Debug)]
pub struct SourceRates {
    hasher: RandomState,
    buckets: Box<[TokenBucket]>,
}

impl SourceRates {
    /// Full buckets.
    pub fn new() -> Self {
        let buckets = vec![TokenBucket::default(); RATED_SOURCES].into_boxed_slice();
        let key = || u64::from_le_bytes(random::bytes());
        Self { hasher: RandomState::with_seeds(key(), key(), key(), key()), buckets }
    }

    /// Takes one of the source's tokens; false if it has none.
    #[must_use]
    pub fn take(&mut self, source: impl Hash, rate: Rate, now: Duration) -> bool {
        self.take_many(source, 1, rate, now)
    }

    /// Takes several of the source's tokens, as [`TokenBucket::take_many`].
    #[must_use]
    pub fn take_many(&mut self, source: impl Hash, tokens: u32, rate: Rate, now: Duration) -> bool {
        self.bucket(source).take_many(tokens, rate, now)
    }

    /// Puts one of the source's tokens back, which was taken at this rate.
    pub fn give_back(&mut self, source: impl Hash, rate: Rate) {
        self.bucket(source).give_back(rate);
    }

    fn bucket(&mut self, source: impl Hash) -> &mut TokenBucket {
        let hash = self.hasher.hash_one(source);
        let index = usize::try_from(hash % RATED_SOURCES as u64).unwrap_or(0);
        &mut self.buckets[index]
    }
}

impl Default for SourceRates {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::source::SourceAddress;

    const RATE: Rate = Rate { burst: 5, per_second: 10 };
    const START: Duration = Duration::from_secs(100);

    fn taken(bucket: &mut TokenBucket, now: Duration) -> usize {
        (0..100).filter(|_| bucket.take(RATE, now)).count()
    }

    #[test]
    fn a_full_bucket_gives_burst_and_then_rate() {
        let mut bucket = TokenBucket::default();
        assert_eq!(taken(&mut bucket, START), 5);
        assert_eq!(taken(&mut bucket, START + Duration::from_millis(99)), 0);
        assert_eq!(taken(&mut bucket, START + Duration::from_millis(100)), 1);
        assert_eq!(taken(&mut bucket, START + Duration::from_millis(350)), 2);
        // However long it was left alone, it holds no more than its burst.
        assert_eq!(taken(&mut bucket, START + Duration::from_secs(1_000)), 5);
    }

    #[test]
    fn repeated_requests_do_not_keep_a_bucket_empty() {
        let mut bucket = TokenBucket::default();
        let passed = (0..10_000).filter(|ms| bucket.take(RATE, START + Duration::from_millis(*ms)));
        // The burst, and 10 a second for 10 seconds, the first of them after 0.1 s.
        assert_eq!(passed.count(), 5 + 99);
    }

    #[test]
    fn several_tokens_are_taken_together_or_not() {
        let mut bucket = TokenBucket::default();
        assert!(bucket.take_many(3, RATE, START) && !bucket.take_many(3, RATE, START));
        assert!(bucket.take_many(2, RATE, START));
        // More than a bucket holds is all that it holds.
        assert!(bucket.take_many(100, RATE, START + Duration::from_millis(500)));
    }

    #[test]
    fn tokens_that_are_given_back_are_there_again() {
        let mut bucket = TokenBucket::default();
        assert_eq!(taken(&mut bucket, START), 5);
        (0..2).for_each(|_| bucket.give_back(RATE));
        assert_eq!(taken(&mut bucket, START), 2);
        // None is more than a full bucket.
        (0..10).for_each(|_| bucket.give_back(RATE));
        assert_eq!(taken(&mut bucket, START), 5);
    }

    #[test]
    fn a_bucket_without_missing_tokens_is_full() {
        let mut bucket = TokenBucket::default();
        assert!(bucket.is_full(START));
        assert!(bucket.take(RATE, START) && bucket.take(RATE, START));
        assert!(!bucket.is_full(START + Duration::from_millis(199)));
        assert!(bucket.is_full(START + Duration::from_millis(200)));
    }

    #[test]
    fn spent_sources_leave_others_theirs_in_bounded_memory() {
        let mut rates = SourceRates::new();
        let source = |number: u32| SourceAddress::of(std::net::Ipv4Addr::from(number).into());
        assert_eq!((0..100).filter(|_| rates.take(source(1), RATE, START)).count(), 5);
        // One in 4,096 shares the bucket that is empty.
        let others = (2..1_002).filter(|number| rates.take(source(*number), RATE, START)).count();
        assert!(others > 900, "{others} of 1,000");
        assert_eq!(rates.buckets.len(), RATED_SOURCES);
    }
}
