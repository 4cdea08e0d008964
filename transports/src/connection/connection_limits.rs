//! Limits on the connections that a node's listeners let in: caps in total and for each source
//! address, and a rate.
//!
//! Where [members](ockam_actix_runtime::trust::members) are expected, a few connections beyond that
//! are let in as guests, for as long as it takes to prove that they are members'. Members have a
//! cap of their own.

use std::{sync::Arc, time::Duration};

use ockam_actix_runtime::{
    clock::Instant,
    limits::CONNECTIONS_SHARE,
    lock::Lock,
    process::DescriptorSlot,
    trust::{rate::SourceRates, source::SourceAddress, tally::Tally},
    Host, Node, NodeLimits,
};

use crate::limits::{CONNECTION_RATE, MAX_GUESTS, MAX_MEMBERS};

/// Counts the connections that the listeners of a node have accepted. Clones share the counts.
///
/// What it remembers is bounded by the connections that are open: a source without any is
/// forgotten.
#[derive(Clone, Debug)]
pub struct ConnectionLimits(Arc<Lock<Counts>>);

#[derive(Debug)]
struct Counts {
    /// How many may be open, in total and from one source.
    most: usize,
    most_of_source: usize,
    most_descriptors: usize,
    opened: Instant,
    open: usize,
    by_source: Tally<SourceAddress>,
    rates: SourceRates,
    guests: usize,
    guests_by_source: Tally<Option<SourceAddress>>,
    members: usize,
}

/// Counts one connection until it is dropped. Clones count as one.
#[derive(Clone, Debug)]
pub struct ConnectionSlot(Arc<Slot>);

#[derive(Debug)]
struct Slot {
    limits: ConnectionLimits,
    source: Option<SourceAddress>,
    counted: Lock<Counted>,
    _descriptor: DescriptorSlot,
}

/// As what a connection counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Stranger,
    /// A stranger for whom there is no room, unless it proves that it is a member.
    Guest(ConnectionRefusal),
    Member,
}

/// Why a connection is closed as soon as it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionRefusal {
    /// As many connections are open as the node serves.
    #[error("{0} connections are open")]
    Full(usize),
    /// As many connections of the source are open as one may have.
    #[error("{0} connections from its source are open")]
    SourceFull(usize),
    /// The connections of the source would leave too few to others.
    #[error("{0} connections from its source are open, and few are left for others")]
    SourceShare(usize),
    /// The process has no descriptor to spare.
    #[error("no descriptor is left for it")]
    NoDescriptor,
    /// The source connects too often.
    #[error("it connects too often")]
    TooOften,
}

impl ConnectionRefusal {
    /// The name of the rule under which it is counted and logged.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Full(_) => "connections-full",
            Self::SourceFull(_) => "connections-source-full",
            Self::SourceShare(_) => "connections-source-share",
            Self::NoDescriptor => "connections-no-descriptor",
            Self::TooOften => "connections-source-too-often",
        }
    }
}

impl ConnectionLimits {
    /// The counts that all listeners of `node` share.
    pub fn of(node: &Node) -> Self {
        node.extension(|| Self::new(node.limits())).as_ref().clone()
    }

    /// Lets in as many as `limits` say.
    pub fn new(limits: &NodeLimits) -> Self {
        Self(Arc::new(Lock::new(Counts {
            most: limits.connections,
            most_of_source: limits.connections_per_source,
            most_descriptors: limits.descriptors,
            opened: Instant::now(),
            open: 0,
            by_source: Tally::default(),
            rates: SourceRates::default(),
            guests: 0,
            guests_by_source: Tally::default(),
            members: 0,
        })))
    }

    /// Lets a connection from `source` in, or says why not; one without a source counts only
    /// against the total.
    ///
    /// # Errors
    /// Why the connection is to be closed.
    pub fn take(&self, source: Option<SourceAddress>) -> Result<ConnectionSlot, ConnectionRefusal> {
        let now = self.0.lock().opened.elapsed();
        self.take_at(source, now)
    }

    fn take_at(
        &self,
        source: Option<SourceAddress>,
        now: Duration,
    ) -> Result<ConnectionSlot, ConnectionRefusal> {
        let mut counts = self.0.lock();
        if counts.open >= counts.most {
            return Err(ConnectionRefusal::Full(counts.most));
        }
        let descriptor = DescriptorSlot::take(counts.most_descriptors);
        let descriptor = descriptor.ok_or(ConnectionRefusal::NoDescriptor)?;
        if let Some(source) = source {
            let (own, free) = (counts.by_source.of(&source), counts.most - counts.open);
            if own >= counts.most_of_source {
                return Err(ConnectionRefusal::SourceFull(own));
            }
            if !counts.by_source.has_share(&source, free, CONNECTIONS_SHARE) {
                return Err(ConnectionRefusal::SourceShare(own));
            }
            if !counts.rates.take(source, CONNECTION_RATE, now) {
                return Err(ConnectionRefusal::TooOften);
            }
        }
        counts.add(Counted::Stranger, source);
        Ok(self.slot(source, Counted::Stranger, descriptor))
    }

    /// Lets a connection that was `refused` in, which has to prove that it is a member's.
    ///
    /// # Errors
    /// Why the connection is to be closed: what was given, if others have to prove it first.
    pub fn take_guest(
        &self,
        source: Option<SourceAddress>,
        refused: ConnectionRefusal,
    ) -> Result<ConnectionSlot, ConnectionRefusal> {
        let mut counts = self.0.lock();
        let free = MAX_GUESTS - counts.guests;
        if !counts.guests_by_source.has_share(&source, free, CONNECTIONS_SHARE) {
            return Err(refused);
        }
        let descriptor = DescriptorSlot::take(counts.most_descriptors);
        let descriptor = descriptor.ok_or(ConnectionRefusal::NoDescriptor)?;
        counts.add(Counted::Guest(refused), source);
        Ok(self.slot(source, Counted::Guest(refused), descriptor))
    }

    fn slot(
        &self,
        source: Option<SourceAddress>,
        counted: Counted,
        descriptor: DescriptorSlot,
    ) -> ConnectionSlot {
        let (limits, counted) = (self.clone(), Lock::new(counted));
        ConnectionSlot(Arc::new(Slot { limits, source, counted, _descriptor: descriptor }))
    }
}

impl Counts {
    fn add(&mut self, counted: Counted, source: Option<SourceAddress>) {
        match counted {
            Counted::Stranger => {
                self.open += 1;
                source.into_iter().for_each(|source| self.by_source.add(source));
            }
            Counted::Guest(_) => {
                self.guests += 1;
                self.guests_by_source.add(source);
            }
            Counted::Member => self.members += 1,
        }
    }

    fn remove(&mut self, counted: Counted, source: Option<SourceAddress>) {
        match counted {
            Counted::Stranger => {
                self.open -= 1;
                source.iter().for_each(|source| self.by_source.remove(source));
            }
            Counted::Guest(_) => {
                self.guests -= 1;
                self.guests_by_source.remove(&source);
            }
            Counted::Member => self.members -= 1,
        }
    }
}

impl ConnectionSlot {
    /// Counts all that one connection consists of as a member's from now on. Returns false, and
    /// changes nothing, if more members would be connected than may be.
    pub fn become_members(slots: &[Self]) -> bool {
        // All are of one node.
        let Some(Self(first)) = slots.first() else { return true };
        let mut counts = first.limits.0.lock();
        let new = slots.iter().filter(|slot| !slot.is_member()).count();
        let has_room = counts.members + new <= MAX_MEMBERS;
        if has_room {
            slots.iter().for_each(|slot| slot.become_member(&mut counts));
        }
        has_room
    }

    fn is_member(&self) -> bool {
        *self.0.counted.lock() == Counted::Member
    }

    fn become_member(&self, counts: &mut Counts) {
        let before = std::mem::replace(&mut *self.0.counted.lock(), Counted::Member);
        counts.remove(before, self.0.source);
        counts.add(Counted::Member, self.0.source);
    }

    /// Why it is to be closed, if it is a guest still.
    pub fn is_guest(&self) -> Option<ConnectionRefusal> {
        match *self.0.counted.lock() {
            Counted::Guest(refused) => Some(refused),
            Counted::Stranger | Counted::Member => None,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.limits.0.lock();
        counts.remove(*self.counted.lock(), self.source);
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
        (0..count).map(|_| limits.take_at(Some(source(number)), now).unwrap()).collect()
    }

    fn becomes_member(slot: &ConnectionSlot) -> bool {
        ConnectionSlot::become_members(std::slice::from_ref(slot))
    }

    #[test]
    fn one_source_fills_only_its_own_share() {
        let limits = ConnectionLimits::new(&NodeLimits::default());
        let full = take(&limits, 1, NodeLimits::default().connections_per_source, NOW);
        // Long after, so that the cap refuses and not the rate.
        let later = Duration::from_secs(1_000);
        assert_eq!(
            limits.take_at(Some(source(1)), later).unwrap_err(),
            ConnectionRefusal::SourceFull(4_096)
        );
        let _other = limits.take_at(Some(source(2)), later).unwrap();
        drop(full);
        take(&limits, 1, 1, later);
    }

    #[test]
    fn few_sources_never_take_all() {
        let limits =
            ConnectionLimits::new(&NodeLimits { connections: 1_000, ..NodeLimits::default() });
        let mut all = Vec::new();
        for (number, most) in [(1, 500), (2, 250), (3, 125)] {
            all.extend(take(&limits, number, most, NOW));
            assert_eq!(
                limits.take_at(Some(source(number)), NOW).unwrap_err(),
                ConnectionRefusal::SourceShare(most)
            );
        }
        let _other = limits.take_at(Some(source(4)), NOW).unwrap();
    }

    #[test]
    fn a_member_leaves_its_place_to_a_stranger() {
        let limits =
            NodeLimits { connections: 2, connections_per_source: 1, ..NodeLimits::default() };
        let limits = ConnectionLimits::new(&limits);
        let _stranger = limits.take_at(Some(source(1)), NOW).unwrap();
        let refused = limits.take_at(Some(source(1)), NOW).unwrap_err();
        let guest = limits.take_guest(Some(source(1)), refused).unwrap();
        assert_eq!(guest.is_guest(), Some(refused));
        assert!(becomes_member(&guest) && becomes_member(&guest));
        assert_eq!(guest.is_guest(), None);
        let second = limits.take_at(Some(source(2)), NOW).unwrap();
        assert!(becomes_member(&second));
        let third = limits.take_at(Some(source(2)), NOW).unwrap();
        drop((guest, second, third));
        let counts = limits.0.lock();
        assert_eq!((counts.open, counts.guests, counts.members), (1, 0, 0));
        assert_eq!((counts.by_source.len(), counts.guests_by_source.len()), (1, 0));
    }

    #[test]
    fn guests_and_members_are_few() {
        let limits = ConnectionLimits::new(&NodeLimits::default());
        let refused = ConnectionRefusal::SourceFull(1);
        let guest = |number| limits.take_guest(Some(source(number)), refused);
        let guests: Vec<_> = (0..MAX_GUESTS).map_while(|_| guest(1).ok()).collect();
        assert!((MAX_GUESTS / 4..MAX_GUESTS).contains(&guests.len()));
        assert_eq!(guest(1).unwrap_err(), refused);
        assert!(guest(2).is_ok());
        let all = take(&limits, 1, MAX_MEMBERS + 1, NOW);
        assert_eq!(all.iter().filter(|slot| becomes_member(slot)).count(), MAX_MEMBERS);
    }

    #[test]
    fn no_part_of_a_bundle_joins_alone() {
        let limits = ConnectionLimits::new(&NodeLimits::default());
        let members = take(&limits, 1, MAX_MEMBERS - 2, NOW);
        assert!(members.iter().all(becomes_member));
        let bundle = take(&limits, 2, 4, NOW);
        assert!(!ConnectionSlot::become_members(&bundle));
        assert_eq!(limits.0.lock().members, MAX_MEMBERS - 2);
        // One of its parts may be a member already, as may the connection of another.
        assert!(becomes_member(&bundle[0]) && ConnectionSlot::become_members(&bundle[..2]));
        drop((members, bundle));
        let counts = limits.0.lock();
        assert_eq!((counts.open, counts.members), (0, 0));
    }

    #[test]
    fn connections_stop_short_of_the_last_descriptor() {
        let limits = NodeLimits { descriptors: 0, ..NodeLimits::default() };
        let refused = ConnectionLimits::new(&limits).take_at(None, NOW).unwrap_err();
        assert_eq!(refused, ConnectionRefusal::NoDescriptor);
    }

    #[test]
    fn only_sources_that_connect_too_often_wait() {
        let limits = ConnectionLimits::new(&NodeLimits::default());
        let burst = CONNECTION_RATE.burst as usize;
        (0..burst).for_each(|_| drop(limits.take_at(Some(source(1)), NOW).unwrap()));
        assert_eq!(limits.take_at(Some(source(1)), NOW).unwrap_err(), ConnectionRefusal::TooOften);
        // By chance one may share the empty bucket, but not three others all.
        assert!((2..5).any(|number| limits.take_at(Some(source(number)), NOW).is_ok()));
        let second = NOW + Duration::from_secs(1);
        let passed = (0..burst).filter(|_| limits.take_at(Some(source(1)), second).is_ok()).count();
        assert_eq!(passed, CONNECTION_RATE.per_second as usize);
    }

    #[test]
    fn many_sources_respect_the_cap_and_leave_nothing() {
        let limits = ConnectionLimits::new(&NodeLimits::default());
        let sources = NodeLimits::default().connections;
        // One each, so that each finds room until none is left.
        let all: Vec<_> =
            (0..sources).flat_map(|number| take(&limits, number as u32, 1, NOW)).collect();
        assert_eq!(
            limits.take_at(Some(source(u32::MAX)), NOW).unwrap_err(),
            ConnectionRefusal::Full(16_384)
        );
        assert_eq!(limits.0.lock().by_source.len(), sources);
        drop(all);
        assert_eq!(limits.0.lock().open, 0);
        assert!(limits.0.lock().by_source.is_empty());
    }
}
