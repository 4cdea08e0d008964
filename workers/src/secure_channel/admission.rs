//! How many strangers a listener lets in at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use ockam_runtime::Address;

use super::limits::{Limits, COMPLAINT_INTERVAL};

/// Counts handshakes and channels against a listener's limits. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    handshakes: usize,
    channels: usize,
    /// Handshakes by the connection that they came in through.
    by_ingress: HashMap<Address, usize>,
    /// When a failed handshake was last logged, and how many were not since.
    complained: Option<Instant>,
    silent: u64,
}

/// Whether a handshake may begin.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It may, in this place.
    Admitted(Place),
    /// It may, once the initiator has shown a cookie.
    CookieFirst,
    /// It may not, for this reason.
    Full(&'static str),
}

/// Counts one handshake, then one channel, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Admission,
    ingress: Address,
    established: bool,
}

impl Admission {
    /// Decides about a handshake that came in through `ingress`, with a good cookie or without.
    pub(super) fn admit(&self, ingress: &Address, has_cookie: bool, limits: &Limits) -> Verdict {
        let half = limits.handshakes / 2;
        let mut counts = self.lock();
        if counts.handshakes >= limits.handshakes {
            return Verdict::Full("too many handshakes are under way here");
        }
        if counts.by_ingress.get(ingress).is_some_and(|count| *count >= half.max(1)) {
            return Verdict::Full("too many handshakes are under way through this connection");
        }
        if counts.channels + counts.handshakes >= limits.channels {
            return Verdict::Full("too many channels are open here");
        }
        if counts.handshakes >= half && !has_cookie {
            return Verdict::CookieFirst;
        }
        counts.handshakes += 1;
        *counts.by_ingress.entry(ingress.clone()).or_default() += 1;
        let (admission, ingress) = (self.clone(), ingress.clone());
        Verdict::Admitted(Place { admission, ingress, established: false })
    }

    /// Whether both count the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Handshakes under way, and open channels.
    pub(super) fn counts(&self) -> (usize, usize) {
        let counts = self.lock();
        (counts.handshakes, counts.channels)
    }

    /// A panic cannot leave counts of ours half changed, so its poison is no news.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn end_handshake(&mut self, ingress: &Address) {
        self.handshakes -= 1;
        if let Some(count) = self.by_ingress.get_mut(ingress) {
            *count -= 1;
            if *count == 0 {
                self.by_ingress.remove(ingress);
            }
        }
    }
}

impl Place {
    /// Whether this failure may be logged, and how many were not since the last one: strangers
    /// cause as many as they like, and must not fill a disk with them.
    pub(super) fn complain(&self, now: Instant) -> Option<u64> {
        let mut counts = self.admission.lock();
        let recent = |last: Instant| now.saturating_duration_since(last) < COMPLAINT_INTERVAL;
        if counts.complained.is_some_and(recent) {
            counts.silent += 1;
            return None;
        }
        counts.complained = Some(now);
        Some(std::mem::take(&mut counts.silent))
    }

    /// The handshake has become a channel.
    pub(super) fn establish(&mut self) {
        if !std::mem::replace(&mut self.established, true) {
            let mut counts = self.admission.lock();
            counts.end_handshake(&self.ingress);
            counts.channels += 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        match self.established {
            true => counts.channels -= 1,
            false => counts.end_handshake(&self.ingress),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(handshakes: usize, channels: usize) -> Limits {
        Limits { handshakes, channels, ..Limits::default() }
    }

    fn place(verdict: Verdict) -> Place {
        match verdict {
            Verdict::Admitted(place) => place,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn from_half_full_on_a_cookie_is_asked_for_and_at_the_cap_nobody_gets_in() {
        let (admission, limits) = (Admission::default(), limits(4, 100));
        let admit = |name: &str, cookie| admission.admit(&name.into(), cookie, &limits);
        let mut places: Vec<_> = (0..2).map(|_| place(admit("a", false))).collect();
        assert!(matches!(admit("b", false), Verdict::CookieFirst));
        assert!(matches!(admit("a", true), Verdict::Full(why) if why.contains("this connection")));
        places.extend((0..2).map(|_| place(admit("b", true))));
        assert!(matches!(admit("c", true), Verdict::Full(_)));
        assert_eq!(admission.counts(), (4, 0));
        drop(places);
        assert_eq!(admission.counts(), (0, 0));
        assert!(admission.lock().by_ingress.is_empty());
    }

    #[test]
    fn failures_are_logged_once_in_an_interval_and_counted_between() {
        let (admission, limits) = (Admission::default(), limits(4, 100));
        let place = place(admission.admit(&"a".into(), false, &limits));
        let start = Instant::now();
        assert_eq!(place.complain(start), Some(0));
        assert_eq!([place.complain(start), place.complain(start)], [None, None]);
        assert_eq!(place.complain(start + COMPLAINT_INTERVAL), Some(2));
    }

    #[test]
    fn an_established_channel_gives_its_handshake_back() {
        let (admission, limits) = (Admission::default(), limits(4, 1));
        let mut first = place(admission.admit(&"a".into(), false, &limits));
        first.establish();
        first.establish();
        assert_eq!(admission.counts(), (0, 1));
        assert!(matches!(admission.admit(&"a".into(), false, &limits), Verdict::Full(_)));
        drop(first);
        assert_eq!(admission.counts(), (0, 0));
    }
}
