//! Who has which forwarder on a hub: caps, rates and takeovers, without clock, actor or network.
//!
//! Times are since any fixed moment. `H` is what keeps a forwarder alive: it is dropped with its
//! entry.

use std::{collections::HashMap, time::Duration};

use ockam_runtime::{Address, Route};

use super::claim::Bits;
use super::limits::{REQUESTS_PER_SECOND, REQUEST_BURST, SOURCES_BEFORE_SWEEP};
use super::refusal::Refusal;
use crate::identity::Identity;

/// The forwarders of one hub and the connections that have them.
pub(super) struct Ledger<H> {
    max_forwarders: usize,
    max_per_connection: usize,
    holdings: HashMap<Bits, Holding<H>>,
    sources: HashMap<Address, Source>,
    sweep_at: usize,
    generation: u64,
}

/// Who registers: the connection, and the way over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registrant {
    /// The connection's address on this hub.
    pub(super) source: Address,
    /// The addresses that lead to the node, without the destination on it.
    pub(super) way: Route,
}

struct Holding<H> {
    registrant: Registrant,
    /// The identity that proved that the address is its own.
    identity: Option<Identity>,
    generation: u64,
    handle: H,
}

struct Source {
    forwarders: usize,
    tokens: u32,
    /// When the last token was added.
    counted: Duration,
}

/// An entry of the ledger; a later one at the same address has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(u64);

/// What [`Ledger::enter`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entered {
    /// The new entry.
    pub(super) generation: Generation,
    /// Whether another gave way to it.
    pub(super) replaces: bool,
}

impl<H> Ledger<H> {
    /// An empty ledger with caps in all and for each connection.
    pub(super) fn new(max_forwarders: usize, max_per_connection: usize) -> Self {
        Self {
            max_forwarders,
            max_per_connection,
            holdings: HashMap::new(),
            sources: HashMap::new(),
            sweep_at: SOURCES_BEFORE_SWEEP,
            generation: 0,
        }
    }

    /// The forwarders that there are.
    pub(super) fn len(&self) -> usize {
        self.holdings.len()
    }

    /// Takes one of the connection's tokens.
    ///
    /// # Errors
    /// [`Refusal::TooOften`] if it has none.
    pub(super) fn spend(&mut self, source: &Address, now: Duration) -> Result<(), Refusal> {
        self.sweep(now);
        let new = || Source { forwarders: 0, tokens: REQUEST_BURST, counted: now };
        let source = self.sources.entry(source.clone()).or_insert_with(new);
        source.refill(now);
        source.tokens = source.tokens.checked_sub(1).ok_or(Refusal::TooOften)?;
        Ok(())
    }

    /// Enters a forwarder. One that stands at the same address gives way, since its claim was
    /// proven again.
    ///
    /// # Errors
    /// If a cap is reached, or a newer key of the identity holds the address; nothing has changed
    /// then.
    pub(super) fn enter(
        &mut self,
        bits: Bits,
        registrant: Registrant,
        identity: Option<Identity>,
        handle: H,
    ) -> Result<Entered, Refusal> {
        let replaced = self.holdings.get(&bits);
        if let Some(replaced) = replaced {
            check_successor(replaced.identity.as_ref(), identity.as_ref())?;
        }
        let own = replaced.is_some_and(|replaced| replaced.registrant.source == registrant.source);
        let of_source = self.sources.get(&registrant.source).map_or(0, |source| source.forwarders);
        if of_source - usize::from(own) >= self.max_per_connection {
            return Err(Refusal::ConnectionFull);
        }
        if self.holdings.len() - usize::from(replaced.is_some()) >= self.max_forwarders {
            return Err(Refusal::HubFull);
        }
        let replaces = replaced.is_some();
        self.remove(&bits);
        self.generation += 1;
        let generation = self.generation;
        let source = self.sources.entry(registrant.source.clone()).or_insert_with(Source::full);
        source.forwarders += 1;
        self.holdings.insert(bits, Holding { registrant, identity, generation, handle });
        Ok(Entered { generation: Generation(generation), replaces })
    }

    /// What keeps a forwarder of this registrant alive.
    ///
    /// # Errors
    /// [`Refusal::NoForwarder`] if it has no such forwarder.
    pub(super) fn held(&self, bits: &Bits, registrant: &Registrant) -> Result<&H, Refusal> {
        let holding = self.holdings.get(bits).filter(|held| held.registrant == *registrant);
        holding.map(|held| &held.handle).ok_or(Refusal::NoForwarder)
    }

    /// Removes a forwarder of this registrant.
    ///
    /// # Errors
    /// [`Refusal::NoForwarder`] if it has no such forwarder.
    pub(super) fn release(&mut self, bits: &Bits, registrant: &Registrant) -> Result<(), Refusal> {
        self.held(bits, registrant)?;
        self.remove(bits);
        Ok(())
    }

    /// Removes a forwarder that has ended, unless a later one has its address.
    pub(super) fn leave(&mut self, bits: &Bits, generation: Generation) {
        if self.holdings.get(bits).is_some_and(|held| held.generation == generation.0) {
            self.remove(bits);
        }
    }

    fn remove(&mut self, bits: &Bits) {
        let Some(removed) = self.holdings.remove(bits) else { return };
        if let Some(source) = self.sources.get_mut(&removed.registrant.source) {
            source.forwarders -= 1;
        }
    }

    /// Forgets connections that have no forwarder and have not asked for long, now and then.
    fn sweep(&mut self, now: Duration) {
        if self.sources.len() < self.sweep_at {
            return;
        }
        self.sources.retain(|_, source| {
            source.refill(now);
            source.forwarders > 0 || source.tokens < REQUEST_BURST
        });
        self.sweep_at = (self.sources.len() * 2).max(SOURCES_BEFORE_SWEEP);
    }
}

impl Source {
    fn full() -> Self {
        Self { forwarders: 0, tokens: REQUEST_BURST, counted: Duration::ZERO }
    }

    /// Adds the tokens that have become due.
    fn refill(&mut self, now: Duration) {
        let pause = Duration::from_secs(1) / REQUESTS_PER_SECOND;
        let due = now.saturating_sub(self.counted).as_micros() / pause.as_micros();
        let due = u32::try_from(due).unwrap_or(u32::MAX);
        if due >= REQUEST_BURST - self.tokens {
            self.tokens = REQUEST_BURST;
            self.counted = now;
        } else {
            self.tokens += due;
            self.counted += pause * due;
        }
    }
}

/// A random address has no second owner, and a replaced key does not come back.
fn check_successor(held: Option<&Identity>, claimed: Option<&Identity>) -> Result<(), Refusal> {
    match (held, claimed) {
        (Some(held), Some(claimed)) if claimed.is_extension_of(held) => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::KeyReplaced),
        _ => Err(Refusal::ProofWrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_identity::LocalIdentity;
    use ockam_runtime::route;
    use ring::rand::SystemRandom;

    const NOW: Duration = Duration::ZERO;

    fn registrant(source: &str) -> Registrant {
        Registrant { source: source.into(), way: route![source] }
    }

    fn bits(number: u8) -> Bits {
        Bits([number; 16])
    }

    #[test]
    fn caps_hold_for_each_connection_and_in_all() {
        let mut ledger = Ledger::new(3, 2);
        ledger.enter(bits(1), registrant("a"), None, ()).unwrap();
        let second = ledger.enter(bits(2), registrant("a"), None, ()).unwrap();
        let third = ledger.enter(bits(3), registrant("a"), None, ());
        assert_eq!(third, Err(Refusal::ConnectionFull));
        ledger.enter(bits(3), registrant("b"), None, ()).unwrap();
        assert_eq!(ledger.enter(bits(4), registrant("b"), None, ()), Err(Refusal::HubFull));
        ledger.leave(&bits(2), second.generation);
        ledger.enter(bits(4), registrant("b"), None, ()).unwrap();
        assert_eq!(ledger.len(), 3);
    }

    #[test]
    fn the_same_identity_replaces_its_forwarder_even_at_the_caps() {
        let mut ledger = Ledger::new(1, 1);
        let rng = SystemRandom::new();
        let old = LocalIdentity::generate(&rng).unwrap();
        let new = old.rotated(&rng).unwrap().unwrap();
        let claim = |identity: &LocalIdentity| Some(identity.identity().clone());
        let first = ledger.enter(bits(1), registrant("a"), claim(&old), ()).unwrap();
        ledger.enter(bits(1), registrant("a"), claim(&old), ()).unwrap();
        ledger.enter(bits(1), registrant("b"), claim(&new), ()).unwrap();
        // The old forwarder's end is not the new one's.
        ledger.leave(&bits(1), first.generation);
        assert_eq!(ledger.len(), 1);
        let back = ledger.enter(bits(1), registrant("a"), claim(&old), ());
        assert_eq!(back, Err(Refusal::KeyReplaced));
        assert_eq!(ledger.held(&bits(1), &registrant("b")), Ok(&()));
    }

    #[test]
    fn a_random_address_is_never_replaced() {
        let mut ledger = Ledger::new(2, 2);
        let identity = LocalIdentity::generate(&SystemRandom::new()).unwrap();
        ledger.enter(bits(1), registrant("a"), None, ()).unwrap();
        let taken = ledger.enter(bits(1), registrant("b"), Some(identity.identity().clone()), ());
        assert_eq!(taken, Err(Refusal::ProofWrong));
    }

    #[test]
    fn only_its_registrant_renews_or_releases_a_forwarder() {
        let mut ledger = Ledger::new(2, 2);
        ledger.enter(bits(1), registrant("a"), None, ()).unwrap();
        let other_way = Registrant { source: "a".into(), way: route!["a", "b"] };
        for other in [registrant("b"), other_way] {
            assert_eq!(ledger.held(&bits(1), &other), Err(Refusal::NoForwarder));
            assert_eq!(ledger.release(&bits(1), &other), Err(Refusal::NoForwarder));
        }
        assert_eq!(ledger.release(&bits(1), &registrant("a")), Ok(()));
        assert_eq!(ledger.held(&bits(1), &registrant("a")), Err(Refusal::NoForwarder));
    }

    #[test]
    fn a_connection_that_asks_too_often_waits_and_others_do_not() {
        let mut ledger = Ledger::<()>::new(1, 1);
        let (a, b) = ("a".into(), "b".into());
        for _ in 0..REQUEST_BURST {
            ledger.spend(&a, NOW).unwrap();
        }
        assert_eq!(ledger.spend(&a, NOW), Err(Refusal::TooOften));
        assert_eq!(ledger.spend(&b, NOW), Ok(()));
        let later = NOW + Duration::from_secs(1);
        let passed = (0..100).filter(|_| ledger.spend(&a, later).is_ok()).count();
        assert_eq!(passed, REQUESTS_PER_SECOND as usize);
    }

    #[test]
    fn connections_that_are_quiet_and_have_no_forwarder_are_forgotten() {
        let mut ledger = Ledger::new(1, 1);
        ledger.enter(bits(1), registrant("holder"), None, ()).unwrap();
        for number in 0..10 * SOURCES_BEFORE_SWEEP {
            let now = Duration::from_secs(number as u64);
            ledger.spend(&format!("{number}").into(), now).unwrap();
        }
        assert!(ledger.sources.len() <= SOURCES_BEFORE_SWEEP);
        assert_eq!(ledger.held(&bits(1), &registrant("holder")), Ok(&()));
    }
}
