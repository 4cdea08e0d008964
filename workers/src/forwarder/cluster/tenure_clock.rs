//! The clock by which a hub gives tenures: never behind what it has heard of, whatever the clocks
//! of two hubs show. Without a clock of its own; times are counted from 1970.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ockam_actix_runtime::Identifier;

use crate::forwarder::{
    limits::{MAX_CLOCK_AHEAD, MAX_TENURE_AHEAD},
    protocol::claim::Tenure,
};

/// Bits of a tenure, the last ones, that are a hub's own.
const TAG_BITS: u32 = 16;

/// That of one hub.
pub(super) struct TenureClock {
    /// What all of its tenures end with, so that no two hubs give the same, and a proof can tell
    /// which is higher.
    tag: u16,
    /// The highest tenure that it has given or heard of.
    highest: AtomicU64,
}

impl TenureClock {
    /// That of the hub with this identity, which has heard of nothing.
    pub(super) fn of(hub: &Identifier) -> Self {
        let [high, low, ..] = *hub.as_bytes();
        Self { tag: u16::from_be_bytes([high, low]), highest: AtomicU64::new(0) }
    }

    /// A tenure for a registration at `now`, higher than all that were heard of: so of two
    /// registrations that the hub has heard of, the later one has the higher.
    pub(super) fn next(&self, now: Duration) -> Tenure {
        let next = |heard| self.after(heard, milliseconds(now));
        let update = |heard| Some(next(heard));
        let before = self.highest.fetch_update(Ordering::AcqRel, Ordering::Acquire, update);
        // It is never an error, as there is always a next one.
        Tenure(next(before.unwrap_or_default()))
    }

    /// What it shows at `now`.
    pub(super) fn reading(&self, now: Duration) -> u64 {
        self.highest.load(Ordering::Acquire).max(milliseconds(now) << TAG_BITS)
    }

    /// Follows what the clock of another hub shows. Returns whether it does: it does not follow one
    /// that is far ahead.
    pub(super) fn follow(&self, reading: u64, now: Duration) -> bool {
        let follows = reading <= milliseconds(now + MAX_CLOCK_AHEAD) << TAG_BITS;
        if follows {
            self.highest.fetch_max(reading, Ordering::AcqRel);
        }
        follows
    }

    /// Follows the tenures of registrations at another hub, each unless it is far ahead: some hub
    /// has given it, or a program has made it up.
    pub(super) fn follow_registrations(
        &self,
        tenures: impl Iterator<Item = Tenure>,
        now: Duration,
    ) {
        let most = milliseconds(now + MAX_TENURE_AHEAD) << TAG_BITS;
        if let Some(highest) = tenures.map(|tenure| tenure.0).filter(|it| *it <= most).max() {
            self.highest.fetch_max(highest, Ordering::AcqRel);
        }
    }

    /// The first number above `heard` that ends with the hub's tag, and begins with `now` in
    /// milliseconds or later.
    fn after(&self, heard: u64, now: u64) -> u64 {
        let ending = |milliseconds: u64| milliseconds << TAG_BITS | u64::from(self.tag);
        let above = heard >> TAG_BITS;
        let after = if ending(above) > heard { above } else { above + 1 };
        ending(now.max(after))
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const NOW: Duration = Duration::from_secs(1_795_000_000);

    fn clock(tag: u16) -> TenureClock {
        TenureClock { tag, highest: AtomicU64::new(0) }
    }

    /// The first tenure of that moment.
    fn at(time: Duration) -> u64 {
        milliseconds(time) << TAG_BITS
    }

    #[test]
    fn tenures_grow_and_are_a_hubs_own() {
        let (one, other, ms) = (clock(1), clock(0x200), Duration::from_millis(1));
        let first = one.next(100 * ms).0;
        assert_eq!(first, 100 << TAG_BITS | 1);
        assert_eq!(one.next(100 * ms).0, 101 << TAG_BITS | 1);
        assert!(other.follow(first, NOW));
        assert_eq!(other.next(100 * ms).0, 100 << TAG_BITS | 0x200);
        // The first one's clock was put back.
        assert!(one.follow(other.next(100 * ms).0, NOW));
        assert_eq!(one.next(90 * ms).0, 102 << TAG_BITS | 1);
    }

    #[test]
    fn clocks_are_followed_up_to_an_hour_ahead() {
        let clock = clock(1);
        assert!(clock.follow(at(NOW + 10 * MINUTE), NOW));
        assert_eq!(clock.reading(NOW), at(NOW + 10 * MINUTE));
        // A hub that lies about its clock moves nobody's.
        assert!(!clock.follow(at(NOW + 61 * MINUTE), NOW));
        assert_eq!(clock.reading(NOW), at(NOW + 10 * MINUTE));
        assert_eq!(clock.reading(NOW + 11 * MINUTE), at(NOW + 11 * MINUTE));
    }

    #[test]
    fn each_tenure_is_followed_or_not() {
        let clock = clock(1);
        let tenures = [at(NOW + 10 * MINUTE), at(NOW + 31 * MINUTE), u64::MAX, 0].map(Tenure);
        clock.follow_registrations(tenures.into_iter(), NOW);
        assert_eq!(clock.reading(NOW), at(NOW + 10 * MINUTE));
    }
}
