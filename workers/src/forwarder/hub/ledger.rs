//! Who has which forwarder on a hub: caps, rates and takeovers, without clock, actor or network.
//!
//! Times are counted from any fixed moment. `H` is the handle that keeps a forwarder alive: it is
//! dropped with its entry.

use std::{collections::HashMap, time::Duration};

use ockam_actix_runtime::{
    trust::{
        rate::{SourceRates, TokenBucket},
        source::SourceAddress,
        tally::Tally,
    },
    Address, Route,
};

use crate::{
    forwarder::{
        limits::{CONNECTIONS_BEFORE_SWEEP, CONNECTION_REQUESTS, SOURCE_REQUESTS},
        protocol::{claim::ForwarderId, refusal::RegistrationRefusal},
    },
    identity::Identity,
};

/// The forwarders of one hub, and the connections and source addresses that have them.
pub(super) struct Ledger<H> {
    caps: Caps,
    holdings: HashMap<ForwarderId, Holding<H>>,
    connections: HashMap<Address, Connection>,
    /// Forwarders by source address; an address without any is not listed.
    by_source: Tally<SourceAddress>,
    rates: SourceRates,
    sweep_at: usize,
    generation: u64,
}

/// How many forwarders there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    /// In all.
    pub(super) all: usize,
    /// Of one connection.
    pub(super) per_connection: usize,
    /// Of the connections from one source address.
    pub(super) per_source: usize,
}

/// Who registers: the connection, and the route over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registrant {
    /// The connection's address on this hub.
    pub(super) connection: Address,
    /// The connection's remote end, where a listener accepted it.
    pub(super) source: Option<SourceAddress>,
    /// The addresses that lead to the node, without the destination on it.
    pub(super) route: Route,
}

struct Holding<H> {
    registrant: Registrant,
    /// The identity that proved that the address is its own.
    identity: Option<Identity>,
    generation: u64,
    handle: H,
}

#[derive(Default)]
struct Connection {
    forwarders: usize,
    requests: TokenBucket,
}

/// The number of an entry in the ledger; a later entry at the same address has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(u64);

/// What [`Ledger::enter`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entered {
    /// The new entry.
    pub(super) generation: Generation,
    /// Whether it replaced another one.
    pub(super) replaces: bool,
}

impl<H> Ledger<H> {
    /// An empty ledger.
    pub(super) fn new(caps: Caps) -> Self {
        Self {
            caps,
            holdings: HashMap::new(),
            connections: HashMap::new(),
            by_source: Tally::default(),
            rates: SourceRates::new(),
            sweep_at: CONNECTIONS_BEFORE_SWEEP,
            generation: 0,
        }
    }

    /// The number of forwarders.
    pub(super) fn len(&self) -> usize {
        self.holdings.len()
    }

    /// Takes one of the connection's tokens, and one of its source's.
    ///
    /// # Errors
    /// [`RegistrationRefusal::TooOften`] or [`RegistrationRefusal::SourceTooOften`] if none is
    /// left.
    pub(super) fn spend(
        &mut self,
        asking: &Registrant,
        now: Duration,
    ) -> Result<(), RegistrationRefusal> {
        self.sweep(now);
        let connection = self.connections.entry(asking.connection.clone()).or_default();
        // A request that its connection cannot pay for costs the source nothing: a flood on one
        // connection takes little from others.
        if !connection.requests.take(CONNECTION_REQUESTS, now) {
            return Err(RegistrationRefusal::TooOften);
        }
        match asking.source {
            Some(source) if !self.rates.take(source, SOURCE_REQUESTS, now) => {
                Err(RegistrationRefusal::SourceTooOften)
            }
            _ => Ok(()),
        }
    }

    /// Enters a forwarder. It replaces one at the same address, since the claim was proven again.
    ///
    /// # Errors
    /// If a cap is reached, or a newer key of the identity holds the address; then nothing has
    /// changed.
    pub(super) fn enter(
        &mut self,
        id: ForwarderId,
        registrant: Registrant,
        identity: Option<Identity>,
        handle: H,
    ) -> Result<Entered, RegistrationRefusal> {
        let replaced = self.holdings.get(&id);
        if let Some(replaced) = replaced {
            check_successor(replaced.identity.as_ref(), identity.as_ref())?;
        }
        let replaces = replaced.is_some();
        self.check_caps(&registrant, replaced.map(|replaced| &replaced.registrant))?;
        self.remove(&id);
        self.generation += 1;
        let generation = self.generation;
        self.connections.entry(registrant.connection.clone()).or_default().forwarders += 1;
        if let Some(source) = registrant.source {
            self.by_source.add(source);
        }
        self.holdings.insert(id, Holding { registrant, identity, generation, handle });
        Ok(Entered { generation: Generation(generation), replaces })
    }

    /// Whether there is room for a forwarder of `registrant`, after the one of `replaced` has gone.
    fn check_caps(
        &self,
        registrant: &Registrant,
        replaced: Option<&Registrant>,
    ) -> Result<(), RegistrationRefusal> {
        let own = replaced.is_some_and(|replaced| replaced.connection == registrant.connection);
        let connection = self.connections.get(&registrant.connection);
        let of_connection = connection.map_or(0, |connection| connection.forwarders);
        if of_connection - usize::from(own) >= self.caps.per_connection {
            return Err(RegistrationRefusal::ConnectionFull);
        }
        if let Some(source) = registrant.source {
            let own = replaced.is_some_and(|replaced| replaced.source == Some(source));
            let of_source = self.by_source.of(&source);
            if of_source - usize::from(own) >= self.caps.per_source {
                return Err(RegistrationRefusal::SourceFull);
            }
        }
        if self.holdings.len() - usize::from(replaced.is_some()) >= self.caps.all {
            return Err(RegistrationRefusal::HubFull);
        }
        Ok(())
    }

    /// The handle that keeps a forwarder of this registrant alive.
    ///
    /// # Errors
    /// [`RegistrationRefusal::NoForwarder`] if it has no such forwarder.
    pub(super) fn held(
        &self,
        id: &ForwarderId,
        registrant: &Registrant,
    ) -> Result<&H, RegistrationRefusal> {
        let holding = self.holdings.get(id).filter(|held| held.registrant == *registrant);
        holding.map(|held| &held.handle).ok_or(RegistrationRefusal::NoForwarder)
    }

    /// Removes a forwarder of this registrant.
    ///
    /// # Errors
    /// [`RegistrationRefusal::NoForwarder`] if it has no such forwarder.
    pub(super) fn release(
        &mut self,
        id: &ForwarderId,
        registrant: &Registrant,
    ) -> Result<(), RegistrationRefusal> {
        self.held(id, registrant)?;
        self.remove(id);
        Ok(())
    }

    /// Removes a forwarder that has ended, unless a later one has its address.
    pub(super) fn leave(&mut self, id: &ForwarderId, generation: Generation) {
        if self.holdings.get(id).is_some_and(|held| held.generation == generation.0) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: &ForwarderId) {
        let Some(Holding { registrant, .. }) = self.holdings.remove(id) else { return };
        if let Some(connection) = self.connections.get_mut(&registrant.connection) {
            connection.forwarders -= 1;
        }
        if let Some(source) = registrant.source {
            self.by_source.remove(&source);
        }
    }

    /// Now and then, forgets connections that have no forwarder and have made no request for long.
    fn sweep(&mut self, now: Duration) {
        if self.connections.len() < self.sweep_at {
            return;
        }
        self.connections
            .retain(|_, connection| connection.forwarders > 0 || !connection.requests.is_full(now));
        self.sweep_at = (self.connections.len() * 2).max(CONNECTIONS_BEFORE_SWEEP);
    }
}

/// A random address has no second owner, and a replaced key does not come back.
fn check_successor(
    held: Option<&Identity>,
    claimed: Option<&Identity>,
) -> Result<(), RegistrationRefusal> {
    match (held, claimed) {
        (Some(held), Some(claimed)) if claimed.is_extension_of(held) => Ok(()),
        (Some(_), Some(_)) => Err(RegistrationRefusal::KeyReplaced),
        _ => Err(RegistrationRefusal::ProofWrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::local_identity::LocalIdentity;
    use ockam_actix_runtime::route;
    use ring::rand::SystemRandom;

    const NOW: Duration = Duration::ZERO;

    fn registrant(connection: &str) -> Registrant {
        Registrant { connection: connection.into(), source: None, route: route![connection] }
    }

    /// A registrant over an accepted connection.
    fn accepted(connection: &str, source: u8) -> Registrant {
        let address = std::net::Ipv4Addr::new(192, 0, 2, source);
        let source = Some(SourceAddress::of(address.into()));
        Registrant { source, ..registrant(connection) }
    }

    fn ledger(all: usize, per_connection: usize) -> Ledger<()> {
        Ledger::new(Caps { all, per_connection, per_source: all })
    }

    fn id(number: u8) -> ForwarderId {
        ForwarderId([number; 16])
    }

    #[test]
    fn caps_hold_for_each_connection_and_in_all() {
        let mut ledger = ledger(3, 2);
        ledger.enter(id(1), registrant("a"), None, ()).unwrap();
        let second = ledger.enter(id(2), registrant("a"), None, ()).unwrap();
        let third = ledger.enter(id(3), registrant("a"), None, ());
        assert_eq!(third, Err(RegistrationRefusal::ConnectionFull));
        ledger.enter(id(3), registrant("b"), None, ()).unwrap();
        assert_eq!(
            ledger.enter(id(4), registrant("b"), None, ()),
            Err(RegistrationRefusal::HubFull)
        );
        ledger.leave(&id(2), second.generation);
        ledger.enter(id(4), registrant("b"), None, ()).unwrap();
        assert_eq!(ledger.len(), 3);
    }

    #[test]
    fn an_identity_replaces_its_forwarder_even_at_caps() {
        let mut ledger = ledger(1, 1);
        let rng = SystemRandom::new();
        let old = LocalIdentity::generate(&rng).unwrap();
        let new = old.rotated(&rng).unwrap().unwrap();
        let claim = |identity: &LocalIdentity| Some(identity.identity().clone());
        let first = ledger.enter(id(1), registrant("a"), claim(&old), ()).unwrap();
        ledger.enter(id(1), registrant("a"), claim(&old), ()).unwrap();
        ledger.enter(id(1), registrant("b"), claim(&new), ()).unwrap();
        // The end of the old forwarder does not end the new one.
        ledger.leave(&id(1), first.generation);
        assert_eq!(ledger.len(), 1);
        let back = ledger.enter(id(1), registrant("a"), claim(&old), ());
        assert_eq!(back, Err(RegistrationRefusal::KeyReplaced));
        assert_eq!(ledger.held(&id(1), &registrant("b")), Ok(&()));
    }

    #[test]
    fn a_random_address_is_never_replaced() {
        let mut ledger = ledger(2, 2);
        let identity = LocalIdentity::generate(&SystemRandom::new()).unwrap();
        ledger.enter(id(1), registrant("a"), None, ()).unwrap();
        let taken = ledger.enter(id(1), registrant("b"), Some(identity.identity().clone()), ());
        assert_eq!(taken, Err(RegistrationRefusal::ProofWrong));
    }

    #[test]
    fn only_its_registrant_renews_or_releases_a_forwarder() {
        let mut ledger = ledger(2, 2);
        ledger.enter(id(1), registrant("a"), None, ()).unwrap();
        let other_route = Registrant { route: route!["a", "b"], ..registrant("a") };
        for other in [registrant("b"), other_route] {
            assert_eq!(ledger.held(&id(1), &other), Err(RegistrationRefusal::NoForwarder));
            assert_eq!(ledger.release(&id(1), &other), Err(RegistrationRefusal::NoForwarder));
        }
        assert_eq!(ledger.release(&id(1), &registrant("a")), Ok(()));
        assert_eq!(ledger.held(&id(1), &registrant("a")), Err(RegistrationRefusal::NoForwarder));
    }

    #[test]
    fn only_the_connection_asking_too_often_waits() {
        let mut ledger = ledger(1, 1);
        let (a, b) = (registrant("a"), registrant("b"));
        for _ in 0..CONNECTION_REQUESTS.burst {
            ledger.spend(&a, NOW).unwrap();
        }
        assert_eq!(ledger.spend(&a, NOW), Err(RegistrationRefusal::TooOften));
        assert_eq!(ledger.spend(&b, NOW), Ok(()));
        let later = NOW + Duration::from_secs(1);
        let passed = (0..100).filter(|_| ledger.spend(&a, later).is_ok()).count();
        assert_eq!(passed, CONNECTION_REQUESTS.per_second as usize);
    }

    #[test]
    fn connections_of_one_source_share_its_request_rate() {
        let mut ledger = ledger(1, 1);
        let connections = SOURCE_REQUESTS.burst + 100;
        let ask = |ledger: &mut Ledger<()>, number: u32, now| {
            ledger.spend(&accepted(&number.to_string(), 1), now)
        };
        let passed = (0..connections).filter(|number| ask(&mut ledger, *number, NOW).is_ok());
        assert_eq!(passed.count(), SOURCE_REQUESTS.burst as usize);
        assert_eq!(ask(&mut ledger, connections, NOW), Err(RegistrationRefusal::SourceTooOften));
        // Two sources may share a bucket by chance, but three others do not all share it.
        assert!((2..5).any(|source| ledger.spend(&accepted("other", source), NOW).is_ok()));
        let later = NOW + Duration::from_secs(1);
        let passed = (0..connections).filter(|number| ask(&mut ledger, *number, later).is_ok());
        assert_eq!(passed.count(), SOURCE_REQUESTS.per_second as usize);
    }

    #[test]
    fn connections_of_one_source_share_its_forwarder_cap() {
        let mut ledger = Ledger::new(Caps { all: 10, per_connection: 2, per_source: 3 });
        for number in 1..4 {
            let connection = accepted(&number.to_string(), 1);
            ledger.enter(id(number), connection, None, ()).unwrap();
        }
        let fourth = ledger.enter(id(4), accepted("4", 1), None, ());
        assert_eq!(fourth, Err(RegistrationRefusal::SourceFull));
        ledger.enter(id(4), accepted("5", 2), None, ()).unwrap();
        ledger.release(&id(1), &accepted("1", 1)).unwrap();
        ledger.enter(id(5), accepted("6", 1), None, ()).unwrap();
        for number in 2..6 {
            let holder = ledger.holdings[&id(number)].registrant.clone();
            ledger.release(&id(number), &holder).unwrap();
        }
        assert!(ledger.by_source.is_empty());
    }

    #[test]
    fn quiet_connections_without_a_forwarder_are_forgotten() {
        let mut ledger = ledger(1, 1);
        ledger.enter(id(1), registrant("holder"), None, ()).unwrap();
        for number in 0..10 * CONNECTIONS_BEFORE_SWEEP {
            let now = Duration::from_secs(number as u64);
            ledger.spend(&registrant(&number.to_string()), now).unwrap();
        }
        assert!(ledger.connections.len() <= CONNECTIONS_BEFORE_SWEEP);
        assert_eq!(ledger.held(&id(1), &registrant("holder")), Ok(&()));
    }
}
