//! Which strangers a listener lets in: caps in all and for each source address, and a rate.

use std::{sync::Arc, time::Duration};

use ockam_actix_runtime::{
    lock::Lock,
    trust::{rate::SourceRates, source::SourceAddress, tally::Tally},
};

use crate::limits::{CONNECTION_RATE, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_SOURCE};

/// Counts the connections of one listener. Clones share the counts.
///
/// What it remembers is bounded by the connections that are open: a source without any is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Lock<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    by_source: Tally<SourceAddress>,
    rates: SourceRates,
}

/// Counts one connection until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    source: SourceAddress,
}

/// Why a connection is closed as soon as it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{MAX_CONNECTIONS} connections are open")]
    Full,
    #[error("{MAX_CONNECTIONS_PER_SOURCE} connections from there are open")]
    SourceFull,
    #[error("it connects too often")]
    TooOften,
}

impl Refusal {
    /// The name of the rule under which it is counted and logged.
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Full => "connections-full",
            Self::SourceFull => "connections-source-full",
            Self::TooOften => "connections-source-too-often",
        }
    }
}

impl Places {
    /// Lets a connection from `source` in, or says why not.
    pub(crate) fn take(&self, source: SourceAddress, now: Duration) -> Result<Place, Refusal> {
        let mut counts = self.0.lock();
        if counts.open >= MAX_CONNECTIONS {
            return Err(Refusal::Full);
        }
        if counts.by_source.of(&source) >= MAX_CONNECTIONS_PER_SOURCE {
            return Err(Refusal::SourceFull);
        }
        if !counts.rates.take(source, CONNECTION_RATE, now) {
            return Err(Refusal::TooOften);
        }
        counts.open += 1;
        counts.by_source.add(source);
        Ok(Place { places: self.clone(), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.0.lock();
        counts.open -= 1;
        counts.by_source.remove(&self.source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn source(number: u32) -> SourceAddress {
        SourceAddress::of(std::net::Ipv4Addr::from(number).into())
    }

    fn take(places: &Places, number: u32, count: usize, now: Duration) -> Vec<Place> {
        (0..count).map(|_| places.take(source(number), now).unwrap()).collect()
    }

    #[test]
    fn one_source_fills_its_own_share_and_others_get_in() {
        let places = Places::default();
        let full = take(&places, 1, MAX_CONNECTIONS_PER_SOURCE, NOW);
        // Long after, so that it is the cap that refuses and not the rate.
        let later = Duration::from_secs(1_000);
        assert_eq!(places.take(source(1), later).unwrap_err(), Refusal::SourceFull);
        let _other = places.take(source(2), later).unwrap();
        drop(full);
        take(&places, 1, 1, later);
    }

    #[test]
    fn a_source_that_connects_too_often_waits_and_others_do_not() {
        let places = Places::default();
        let burst = CONNECTION_RATE.burst as usize;
        (0..burst).for_each(|_| drop(places.take(source(1), NOW).unwrap()));
        assert_eq!(places.take(source(1), NOW).unwrap_err(), Refusal::TooOften);
        // Whether these two share a bucket is chance, but not of three others all.
        assert!((2..5).any(|number| places.take(source(number), NOW).is_ok()));
        let second = NOW + Duration::from_secs(1);
        let passed = (0..burst).filter(|_| places.take(source(1), second).is_ok()).count();
        assert_eq!(passed, CONNECTION_RATE.per_second as usize);
    }

    #[test]
    fn many_sources_together_stay_below_the_cap_in_all_and_leave_nothing_behind() {
        let places = Places::default();
        let sources = MAX_CONNECTIONS / 16;
        let all: Vec<_> =
            (0..sources).flat_map(|number| take(&places, number as u32, 16, NOW)).collect();
        assert_eq!(places.take(source(u32::MAX), NOW).unwrap_err(), Refusal::Full);
        assert_eq!(places.0.lock().by_source.len(), sources);
        drop(all);
        assert_eq!(places.0.lock().open, 0);
        assert!(places.0.lock().by_source.is_empty());
    }
}
