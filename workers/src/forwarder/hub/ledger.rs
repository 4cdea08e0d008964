//! Who has which forwarder on a hub: caps, rates and takeovers, without clock, actor or network.
//!
//! Times are counted from any fixed moment. `H` is the handle that keeps a forwarder alive: it is
//! dropped with its entry.

use std::{collections::HashMap, time::Duration};

use ockam_actix_runtime::trust::{
    rate::{SourceRates, TokenBucket},
    source::SourceAddress,
    tally::Tally,
};

use crate::forwarder::{
    hub::{
        registrant::{Registrant, Via},
        succession::{Displaced, NotEntered, Tenant},
    },
    limits::{CONNECTIONS_BEFORE_SWEEP, CONNECTION_REQUESTS, SOURCE_REQUESTS},
    protocol::{
        claim::{ForwarderId, Instance, Tenure},
        displacement::Displacement,
        refusal::RegistrationRefusal,
    },
};

/// The forwarders of one hub, and the connections and source addresses that have them.
pub(super) struct Ledger<H> {
    caps: Caps,
    /// Boxed, so that free slots of the map take little.
    holdings: HashMap<ForwarderId, Box<Holding<H>>>,
    connections: HashMap<Via, Connection>,
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

struct Holding<H> {
    registrant: Registrant,
    /// Who proved that the address is its own.
    tenant: Option<Tenant>,
    /// An older instance that has the address at another hub, as far as is known.
    contested: Option<Instance>,
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

/// A new entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entered {
    pub(super) generation: Generation,
    /// Whether it replaced another one.
    pub(super) replaces: bool,
    /// The instance's from now on, if it has a claim.
    pub(super) tenure: Option<Tenure>,
    /// Who had the address before, if that was another instance.
    pub(super) displaced: Option<Displaced>,
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
        let connection = self.connections.entry(asking.via.clone()).or_default();
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

    /// Enters a forwarder, at `now` by the hub's clock. It replaces one at the same address if the
    /// claim was proved by the same instance or a newer one.
    ///
    /// # Errors
    /// If a cap is reached, or a newer key or instance of the identity holds the address; then
    /// nothing has changed.
    pub(super) fn enter(
        &mut self,
        id: ForwarderId,
        registrant: Registrant,
        tenant: Option<Tenant>,
        now: Tenure,
        handle: H,
    ) -> Result<Entered, NotEntered> {
        let replaced = self.holdings.get(&id);
        let (tenant, displaced) = match (replaced.map(|held| held.tenant.as_ref()), tenant) {
            (None, None) => (None, None),
            // A random address has no second owner.
            (Some(None), _) | (Some(_), None) => return Err(RegistrationRefusal::ProofWrong.into()),
            (held, Some(claimed)) => {
                let (tenant, displaced) = claimed.succeed(held.flatten(), now)?;
                (Some(tenant), displaced)
            }
        };
        self.check_caps(&registrant, replaced.map(|replaced| &replaced.registrant))?;
        let replaces = replaced.is_some();
        let tenure = tenant.as_ref().map(|tenant| tenant.tenure);
        let generation = self.insert(id, registrant, tenant, handle);
        Ok(Entered { generation, replaces, tenure, displaced })
    }

    fn insert(
        &mut self,
        id: ForwarderId,
        registrant: Registrant,
        tenant: Option<Tenant>,
        handle: H,
    ) -> Generation {
        self.remove(&id);
        self.generation += 1;
        self.connections.entry(registrant.via.clone()).or_default().forwarders += 1;
        if let Some(source) = registrant.source {
            self.by_source.add(source);
        }
        let generation = self.generation;
        let holding = Holding { registrant, tenant, contested: None, generation, handle };
        self.holdings.insert(id, Box::new(holding));
        Generation(generation)
    }

    /// The instance that a claim by `own` displaces: the one that has the address, if it is another
    /// one, and else one that has it at another hub.
    pub(super) fn displaced_by(&self, id: &ForwarderId, own: Instance) -> Option<Instance> {
        let held = self.holdings.get(id)?;
        match held.tenant.as_ref()?.instance {
            instance if instance == own => held.contested,
            instance => Some(instance),
        }
    }

    /// Another hub has an older registration of an address, by `other`. Returns the proof that it
    /// is displaced, if there is one; else the tenant is to make one, of one such instance after
    /// the other: a hub that makes instances up does not keep it from another's.
    pub(super) fn contest(
        &mut self,
        id: &ForwarderId,
        other: Instance,
    ) -> Option<Box<Displacement>> {
        let held = self.holdings.get_mut(id)?;
        let proof = held.tenant.as_ref()?.proof.as_ref();
        let proof = proof.filter(|proof| proof.displaced == other).cloned();
        if proof.is_none() {
            held.contested = held.contested.or(other.known());
        }
        proof
    }

    /// The instance at another hub that the registrant is to displace.
    pub(super) fn contested(&self, id: &ForwarderId) -> Option<Instance> {
        self.holdings.get(id)?.contested
    }

    /// The tenant of an address proves that it displaces the instance at another hub that it was
    /// told of, and goes on. Returns whether that is what the claim is.
    pub(super) fn confirm(
        &mut self,
        id: &ForwarderId,
        registrant: &Registrant,
        claimed: &Tenant,
    ) -> bool {
        let held = self.holdings.get_mut(id).filter(|held| held.registrant == *registrant);
        let Some(Holding { tenant: Some(tenant), contested, .. }) = held.map(Box::as_mut) else {
            return false;
        };
        let displaced = claimed.proof.as_ref().map(|proof| proof.displaced);
        let is_same = claimed.instance == tenant.instance && claimed.tenure == tenant.tenure;
        if !is_same
            || contested.is_none()
            || displaced != *contested
            || !claimed.identity.is_extension_of(&tenant.identity)
        {
            return false;
        }
        *contested = None;
        tenant.identity = claimed.identity.clone();
        tenant.proof.clone_from(&claimed.proof);
        true
    }

    /// Who has an address by a claim.
    pub(super) fn tenant_of(&self, id: &ForwarderId) -> Option<&Tenant> {
        self.holdings.get(id)?.tenant.as_ref()
    }

    /// All addresses that somebody has by a claim.
    pub(super) fn claimed(&self) -> Vec<ForwarderId> {
        let claimed = self.holdings.iter().filter(|(_, held)| held.tenant.is_some());
        claimed.map(|(id, _)| *id).collect()
    }

    /// Ends a forwarder that another hub's displaces.
    pub(super) fn displace(&mut self, id: &ForwarderId) {
        self.remove(id);
    }

    /// The tenure of who has an address by a claim.
    pub(super) fn tenure_of(&self, id: &ForwarderId) -> Option<Tenure> {
        self.tenant_of(id).map(|tenant| tenant.tenure)
    }

    /// Whether there is room for a forwarder of `registrant`, after the one of `replaced` has gone.
    fn check_caps(
        &self,
        registrant: &Registrant,
        replaced: Option<&Registrant>,
    ) -> Result<(), RegistrationRefusal> {
        let own = replaced.is_some_and(|replaced| replaced.via == registrant.via);
        let connection = self.connections.get(&registrant.via);
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

    /// Removes a forwarder of this registrant. Returns false if nobody has it: it has ended before,
    /// with its connection or its lease.
    ///
    /// # Errors
    /// [`RegistrationRefusal::NoForwarder`] if another one has it.
    pub(super) fn release(
        &mut self,
        id: &ForwarderId,
        registrant: &Registrant,
    ) -> Result<bool, RegistrationRefusal> {
        if !self.holdings.contains_key(id) {
            return Ok(false);
        }
        self.held(id, registrant)?;
        self.remove(id);
        Ok(true)
    }

    /// Removes a forwarder that has ended, unless a later one has its address.
    pub(super) fn leave(&mut self, id: &ForwarderId, generation: Generation) {
        if self.holdings.get(id).is_some_and(|held| held.generation == generation.0) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: &ForwarderId) {
        let Some(holding) = self.holdings.remove(id) else { return };
        let registrant = holding.registrant;
        if let Some(connection) = self.connections.get_mut(&registrant.via) {
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

#[cfg(test)]
mod tests;
