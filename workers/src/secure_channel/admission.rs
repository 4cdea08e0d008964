//! Admission: how many strangers a listener lets in at a time, and how often.

use std::{sync::Arc, time::Duration};

use ockam_actix_runtime::{
    lock::Lock,
    trust::{
        rate::{SourceRates, TokenBucket},
        source::SourceAddress,
        tally::Tally,
    },
    Address,
};

use crate::secure_channel::{
    handshake::Work,
    limits::{Limits, EXPLAINED_REFUSALS},
};

/// Counts handshakes and channels against a listener's limits. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission(Arc<Lock<Counts>>);

/// The counts of a listener. Their size is bounded by the handshakes under way and the open
/// channels.
#[derive(Debug, Default)]
struct Counts {
    handshakes: usize,
    channels: usize,
    /// Handshakes by the connection that they came in through.
    by_ingress: Tally<Address>,
    /// Handshakes by the remote end of accepted connections.
    by_source: Tally<SourceAddress>,
    /// Open channels by the remote end or, where that is unknown, by the connection.
    channels_by: Tally<Holder>,
    source_rates: SourceRates,
    ingress_rates: SourceRates,
    /// Strangers whose histories are verified only to refuse them.
    explained: TokenBucket,
}

/// Where a handshake came in.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    /// The address of the connection on this node.
    pub(super) ingress: Address,
    /// Its remote end, if a listener of this node accepted it. A connection that this node made to
    /// a hub has none.
    pub(super) source: Option<SourceAddress>,
}

/// Whom an open channel is counted against.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Source(SourceAddress),
    Ingress(Address),
}

impl Asker {
    fn holder(&self) -> Holder {
        match self.source {
            Some(source) => Holder::Source(source),
            None => Holder::Ingress(self.ingress.clone()),
        }
    }
}

/// Whether a handshake may begin.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It may, and occupies this slot.
    Admitted(HandshakeSlot),
    /// It may, once the initiator has shown a cookie.
    CookieFirst,
    /// It may not.
    Refused(HandshakeRefusal),
}

/// Why a handshake may not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HandshakeRefusal {
    #[error("too many handshakes are under way here")]
    Full,
    #[error("too many handshakes are under way through this connection")]
    ConnectionFull,
    #[error("too many handshakes are under way from this network address")]
    SourceFull,
    #[error("this network address has begun too many handshakes, try again later")]
    SourceTooOften,
    #[error("too many handshakes have begun through this connection, try again later")]
    ConnectionTooOften,
    #[error("too many channels are open here")]
    ChannelsFull,
    #[error("too many channels are open from this network address, or through this connection")]
    ChannelsSourceFull,
}

impl HandshakeRefusal {
    /// The name of the rule under which it is counted and logged.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Full => "handshakes-full",
            Self::ConnectionFull => "handshakes-connection-full",
            Self::SourceFull => "handshakes-source-full",
            Self::SourceTooOften => "handshakes-source-too-often",
            Self::ConnectionTooOften => "handshakes-connection-too-often",
            Self::ChannelsFull => "channels-full",
            Self::ChannelsSourceFull => "channels-source-full",
        }
    }
}

/// Counts one handshake, then one channel, until it is dropped.
#[derive(Debug)]
pub(super) struct HandshakeSlot {
    admission: Admission,
    asker: Asker,
    established: bool,
}

impl Admission {
    /// Decides about a handshake, with a good cookie or without. `now` is the time since any fixed
    /// moment.
    pub(super) fn admit(
        &self,
        asker: &Asker,
        has_cookie: bool,
        now: Duration,
        limits: &Limits,
    ) -> Verdict {
        let mut counts = self.0.lock();
        if let Err(refusal) = counts.check(asker, limits) {
            return Verdict::Refused(refusal);
        }
        if counts.is_half_full(asker, limits) && !has_cookie {
            return Verdict::CookieFirst;
        }
        if let Err(refusal) = counts.pay(asker, 1, now, limits) {
            return Verdict::Refused(refusal);
        }
        counts.begin_handshake(asker);
        let (admission, asker) = (self.clone(), asker.clone());
        Verdict::Admitted(HandshakeSlot { admission, asker, established: false })
    }

    /// Whether both share the same counts.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The numbers of handshakes under way and of open channels.
    pub(super) fn counts(&self) -> (usize, usize) {
        let counts = self.0.lock();
        (counts.handshakes, counts.channels)
    }
}

impl Counts {
    /// Whether all caps leave room for one more.
    fn check(&self, asker: &Asker, limits: &Limits) -> Result<(), HandshakeRefusal> {
        let of_connection = self.by_ingress.of(&asker.ingress);
        let of_source = asker.source.map_or(0, |source| self.by_source.of(&source));
        if self.handshakes >= limits.handshakes {
            Err(HandshakeRefusal::Full)
        } else if of_connection >= (limits.handshakes / 2).max(1) {
            Err(HandshakeRefusal::ConnectionFull)
        } else if of_source >= (limits.handshakes * 3 / 4).max(1) {
            Err(HandshakeRefusal::SourceFull)
        } else if self.channels + self.handshakes >= limits.channels {
            Err(HandshakeRefusal::ChannelsFull)
        } else if self.channels_by.of(&asker.holder()) >= (limits.channels / 2).max(1) {
            Err(HandshakeRefusal::ChannelsSourceFull)
        } else {
            Ok(())
        }
    }

    /// Whether half of the slots are occupied, of all or of those that one connection may have:
    /// whoever comes through a hub shares the latter with everyone else who does.
    fn is_half_full(&self, asker: &Asker, limits: &Limits) -> bool {
        let of_connection = self.by_ingress.of(&asker.ingress);
        self.handshakes >= limits.handshakes / 2 || of_connection >= (limits.handshakes / 4).max(1)
    }

    /// Takes `tokens` of the connection, then of the source: who floods a connection leaves the
    /// other ones of its source theirs.
    fn pay(
        &mut self,
        asker: &Asker,
        tokens: u32,
        now: Duration,
        limits: &Limits,
    ) -> Result<(), HandshakeRefusal> {
        let rate = limits.handshake_rate;
        if !self.ingress_rates.take_many(&asker.ingress, tokens, rate, now) {
            return Err(HandshakeRefusal::ConnectionTooOften);
        }
        match asker.source {
            Some(source) if !self.source_rates.take_many(source, tokens, rate, now) => {
                Err(HandshakeRefusal::SourceTooOften)
            }
            _ => Ok(()),
        }
    }

    fn begin_handshake(&mut self, asker: &Asker) {
        self.handshakes += 1;
        self.by_ingress.add(asker.ingress.clone());
        if let Some(source) = asker.source {
            self.by_source.add(source);
        }
    }

    fn end_handshake(&mut self, asker: &Asker) {
        self.handshakes -= 1;
        self.by_ingress.remove(&asker.ingress);
        if let Some(source) = &asker.source {
            self.by_source.remove(source);
        }
    }
}

impl HandshakeSlot {
    /// Whom the channel is counted against.
    pub(super) fn source(&self) -> Option<SourceAddress> {
        self.asker.source
    }

    /// Takes what the work costs; false if that is more than is left. A key costs about as much as
    /// a whole handshake. What is done only to refuse a peer has little room.
    pub(super) fn pay(&self, work: Work, now: Duration, limits: &Limits) -> bool {
        let mut counts = self.admission.0.lock();
        let keys = match work {
            Work::ToTrust(keys) => keys,
            Work::ToRefuse(keys) if counts.explained.take(EXPLAINED_REFUSALS, now) => keys,
            Work::ToRefuse(_) => return false,
        };
        let tokens = u32::try_from(keys).unwrap_or(u32::MAX);
        counts.pay(&self.asker, tokens, now, limits).is_ok()
    }

    /// Counts a channel in place of the handshake.
    pub(super) fn establish(&mut self) {
        if !std::mem::replace(&mut self.established, true) {
            let mut counts = self.admission.0.lock();
            counts.end_handshake(&self.asker);
            counts.channels += 1;
            counts.channels_by.add(self.asker.holder());
        }
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        let mut counts = self.admission.0.lock();
        match self.established {
            true => {
                counts.channels -= 1;
                counts.channels_by.remove(&self.asker.holder());
            }
            false => counts.end_handshake(&self.asker),
        }
    }
}

#[cfg(test)]
mod tests {
    use ockam_actix_runtime::trust::rate::Rate;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn limits(handshakes: usize, channels: usize) -> Limits {
        Limits { handshakes, channels, ..Limits::default() }
    }

    /// An asker that came through a connection that this node made.
    fn through(ingress: &str) -> Asker {
        Asker { ingress: ingress.into(), source: None }
    }

    /// An asker that came through an accepted connection.
    fn accepted(ingress: usize, source: u8) -> Asker {
        let address = std::net::Ipv4Addr::new(192, 0, 2, source);
        let source = Some(SourceAddress::of(address.into()));
        Asker { ingress: ingress.to_string().into(), source }
    }

    fn admitted(verdict: Verdict) -> HandshakeSlot {
        match verdict {
            Verdict::Admitted(slot) => slot,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(verdict: Verdict) -> HandshakeRefusal {
        match verdict {
            Verdict::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn half_full_needs_cookies_and_full_admits_nobody() {
        let (admission, limits) = (Admission::default(), limits(4, 100));
        let admit = |name: &str, cookie| admission.admit(&through(name), cookie, NOW, &limits);
        let mut slots: Vec<_> = (0..2).map(|_| admitted(admit("a", true))).collect();
        assert!(matches!(admit("b", false), Verdict::CookieFirst));
        assert_eq!(refusal(admit("a", true)), HandshakeRefusal::ConnectionFull);
        slots.extend((0..2).map(|_| admitted(admit("b", true))));
        assert_eq!(refusal(admit("c", true)), HandshakeRefusal::Full);
        assert_eq!(admission.counts(), (4, 0));
        drop(slots);
        assert_eq!(admission.counts(), (0, 0));
        assert!(admission.0.lock().by_ingress.is_empty());
    }

    #[test]
    fn cookieless_strangers_leave_half_a_hubs_slots_free() {
        let (admission, limits) = (Admission::default(), limits(16, 100));
        let admit = |cookie| admission.admit(&through("hub"), cookie, NOW, &limits);
        let strangers: Vec<_> = (0..4).map(|_| admitted(admit(false))).collect();
        assert!(matches!(admit(false), Verdict::CookieFirst));
        let honest: Vec<_> = (0..4).map(|_| admitted(admit(true))).collect();
        assert_eq!(refusal(admit(true)), HandshakeRefusal::ConnectionFull);
        drop((strangers, honest));
        assert_eq!(admission.counts(), (0, 0));
    }

    #[test]
    fn one_source_leaves_a_quarter_to_others() {
        let (admission, limits) = (Admission::default(), limits(16, 100));
        let admit =
            |ingress, source| admission.admit(&accepted(ingress, source), true, NOW, &limits);
        let slots: Vec<_> = (0..12).map(|ingress| admitted(admit(ingress, 1))).collect();
        assert_eq!(refusal(admit(12, 1)), HandshakeRefusal::SourceFull);
        let other = admitted(admit(13, 2));
        drop((slots, other));
        assert!(admission.0.lock().by_source.is_empty());
    }

    #[test]
    fn a_source_beyond_its_rate_waits_alone() {
        let mut limits = limits(16, 100);
        limits.handshake_rate = Rate { burst: 20, per_second: 10 };
        let admission = Admission::default();
        let admit =
            |ingress, source, now| admission.admit(&accepted(ingress, source), false, now, &limits);
        // Each on a connection of its own, and dropped as soon as it has begun.
        (0..20).for_each(|ingress| drop(admitted(admit(ingress, 1, NOW))));
        assert_eq!(refusal(admit(20, 1, NOW)), HandshakeRefusal::SourceTooOften);
        // Two sources may share a bucket by chance, but not all of three others.
        assert!((2..5).any(|source| matches!(admit(21, source, NOW), Verdict::Admitted(_))));
        let later = NOW + Duration::from_secs(1);
        let passed =
            (0..20).filter(|ingress| matches!(admit(*ingress, 1, later), Verdict::Admitted(_)));
        assert_eq!(passed.count(), 10);
    }

    #[test]
    fn forwarded_handshakes_share_their_hubs_rate() {
        let limits = Limits { handshake_rate: Rate { burst: 8, per_second: 2 }, ..limits(16, 100) };
        let admission = Admission::default();
        let admit = |ingress, now| admission.admit(&through(ingress), false, now, &limits);
        (0..8).for_each(|_| drop(admitted(admit("hub", NOW))));
        assert_eq!(refusal(admit("hub", NOW)), HandshakeRefusal::ConnectionTooOften);
        // Two connections may share a bucket by chance, but not all of three others.
        let others = ["other", "another", "a third"];
        assert!(others.iter().any(|at| matches!(admit(at, NOW), Verdict::Admitted(_))));
        drop(admitted(admit("hub", NOW + Duration::from_secs(1))));
    }

    #[test]
    fn a_flooded_connection_spends_little_of_its_source() {
        let limits = Limits { handshake_rate: Rate { burst: 8, per_second: 1 }, ..limits(16, 100) };
        let admission = Admission::default();
        let flooded = accepted(1, 1);
        let passed = (0..100).filter(|_| {
            matches!(admission.admit(&flooded, false, NOW, &limits), Verdict::Admitted(_))
        });
        assert_eq!(passed.count(), 8);
        // The refused ones took nothing, so that one second gives the source a token again.
        let later = NOW + Duration::from_secs(1);
        drop(admitted(admission.admit(&accepted(2, 1), false, later, &limits)));
    }

    #[test]
    fn long_histories_are_paid_for_by_key() {
        let limits =
            Limits { handshake_rate: Rate { burst: 32, per_second: 1 }, ..limits(16, 100) };
        let admission = Admission::default();
        let slot = admitted(admission.admit(&through("hub"), false, NOW, &limits));
        assert!(slot.pay(Work::ToTrust(15), NOW, &limits));
        assert!(slot.pay(Work::ToTrust(15), NOW, &limits));
        assert!(!slot.pay(Work::ToTrust(15), NOW, &limits), "one token is left");
        assert!(slot.pay(Work::ToTrust(1), NOW, &limits));
    }

    #[test]
    fn few_long_histories_are_verified_to_refuse_them() {
        let (admission, limits) = (Admission::default(), limits(16, 100));
        let slot = admitted(admission.admit(&through("hub"), false, NOW, &limits));
        let explained = (0..1_000).filter(|_| slot.pay(Work::ToRefuse(15), NOW, &limits));
        assert_eq!(explained.count(), EXPLAINED_REFUSALS.burst as usize);
        assert!(slot.pay(Work::ToTrust(15), NOW, &limits), "others do not wait for that");
    }

    #[test]
    fn one_source_holds_at_most_half_the_channels() {
        let (admission, limits) = (Admission::default(), limits(100, 6));
        let admit =
            |ingress, source| admission.admit(&accepted(ingress, source), true, NOW, &limits);
        let open = |ingress| {
            let mut slot = admitted(admit(ingress, 1));
            slot.establish();
            slot
        };
        let slots: Vec<_> = (0..3).map(open).collect();
        assert_eq!(refusal(admit(4, 1)), HandshakeRefusal::ChannelsSourceFull);
        drop(admitted(admit(5, 2)));
        drop(slots);
        assert!(admission.0.lock().channels_by.is_empty());
        drop(admitted(admit(4, 1)));
    }

    #[test]
    fn an_established_channel_gives_its_handshake_back() {
        let (admission, limits) = (Admission::default(), limits(4, 1));
        let admit = || admission.admit(&through("a"), false, NOW, &limits);
        let mut first = admitted(admit());
        first.establish();
        first.establish();
        assert_eq!(admission.counts(), (0, 1));
        assert_eq!(refusal(admit()), HandshakeRefusal::ChannelsFull);
        drop(first);
        assert_eq!(admission.counts(), (0, 0));
    }
}
