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
pub(crate) struct ConnectionLimits(Arc<Lock<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    by_source: Tally<SourceAddress>,
    rates: SourceRates,
}

/// Counts one connection until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    limits: ConnectionLimits,
    source: SourceAddress,
}

/// Why a connection is closed as soon as it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectionRefusal {
    #[error("{MAX_CONNECTIONS} connections are open")]
    Full,
    #[error("{MAX_CONNECTIONS_PER_SOURCE} connections from there are open")]
    SourceFull,
    #[error("it connects too often")]
    TooOften,
}

impl ConnectionRefusal {
    /// The name of the rule under which it is counted and logged.
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Full => "connections-full",
            Self::SourceFull => "connections-source-full",
            Self::TooOften => "connections-source-too-often",
        }
    }
}

impl ConnectionLimits {
    /// Lets a connection from `source` in, or says why not.
    pub(crate) fn take(
        &self,
        source: SourceAddress,
        now: Duration,
    ) -> Result<ConnectionSlot, ConnectionRefusal> {
        let mut counts = self.0.lock();
        if counts.open >= MAX_CONNECTIONS {
            return Err(ConnectionRefusal::Full);
        }
        if counts.by_source.of(&source) >= MAX_CONNECTIONS_PER_SOURCE {
            return Err(ConnectionRefusal::SourceFull);
        }
        if !counts.rates.take(source, CONNECTION_RATE, now) {
            return Err(ConnectionRefusal::TooOften);
        }
        counts.open += 1;
        counts.by_source.add(source);
        Ok(ConnectionSlot { limits: self.clone(), source })
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut counts = self.limits.0.lock();
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

    fn take(
        limits: &ConnectionLimits,
        number: u32,
        count: usize,
        now: Duration,
    ) -> Vec<ConnectionSlot> {
        (0..count).map(|_| limits.take(source(number), now).unwrap()).collect()
    }

    #[test]
    fn one_source_fills_its_own_share_and_others_get_in() {
        let limits = ConnectionLimits::default();
        let full = take(&limits, 1, MAX_CONNECTIONS_PER_SOURCE, NOW);
        // Long after, so that it is the cap that refuses and not the rate.
        let later = Duration::from_secs(1_000);
        assert_eq!(limits.take(source(1), later).unwrap_err(), ConnectionRefusal::SourceFull);
        let _other = limits.take(source(2), later).unwrap();
        drop(full);
        take(&limits, 1, 1, later);
    }

    #[test]
    fn a_source_that_connects_too_often_waits_and_others_do_not() {
        let limits = ConnectionLimits::default();
        let burst = CONNECTION_RATE.burst as usize;
        (0..burst).for_each(|_| drop(limits.take(source(1), NOW).unwrap()));
        assert_eq!(limits.take(source(1), NOW).unwrap_err(), ConnectionRefusal::TooOften);
        // Whether these two share a bucket is chance, but not of three others all.
        assert!((2..5).any(|number| limits.take(source(number), NOW).is_ok()));
        let second = NOW + Duration::from_secs(1);
        let passed = (0..burst).filter(|_| limits.take(source(1), second).is_ok()).count();
        assert_eq!(passed, CONNECTION_RATE.per_second as usize);
    }

    #[test]
    fn many_sources_together_stay_below_the_cap_in_all_and_leave_nothing_behind() {
        let limits = ConnectionLimits::default();
        let sources = MAX_CONNECTIONS / 16;
        let all: Vec<_> =
            (0..sources).flat_map(|number| take(&limits, number as u32, 16, NOW)).collect();
        assert_eq!(limits.take(source(u32::MAX), NOW).unwrap_err(), ConnectionRefusal::Full);
        assert_eq!(limits.0.lock().by_source.len(), sources);
        drop(all);
        assert_eq!(limits.0.lock().open, 0);
        assert!(limits.0.lock().by_source.is_empty());
    }
}
