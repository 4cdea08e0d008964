//! How a node stands with a hub that forwards to it, and what the hub may reach meanwhile.

use std::{collections::HashSet, sync::Arc};

use ockam_actix_runtime::{
    lock::Lock, trust::origin::HubGrants, Address, Error, Host, Node, Result, Route,
};

use crate::forwarder::{address::ForwardingAddress, protocol::claim::ForwarderId};

/// The state of a [`RemoteForwarder`](crate::forwarder::RemoteForwarder) at its hub, or at all hubs
/// of a list together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationState {
    /// The forwarder's address, or the last that it had, without its secret.
    pub address: ForwardingAddress,
    /// Whether the hub, or one of them, has the forwarder, as far as this node knows.
    pub registered: bool,
    /// Whether another program has registered the same identity and service since. This node does
    /// not register again then: stop the forwarder and create another one to have the address back.
    pub displaced: bool,
    /// How often it has been registered.
    pub registrations: u64,
    pub(super) id: ForwarderId,
}

impl RegistrationState {
    /// What it comes to at several hubs: the address is the same at all that an identity claims it
    /// from. `None` if there are none.
    pub(super) fn together(hubs: &[AtHub]) -> Option<Self> {
        let AtHub { address, id, .. } = hubs.first()?.clone();
        Some(Self {
            address,
            registered: hubs.iter().any(|hub| hub.phase.is_registered()),
            displaced: hubs.iter().any(|hub| hub.phase == RegistrationPhase::Displaced),
            registrations: hubs.iter().map(|hub| hub.registrations).sum(),
            id,
        })
    }
}

/// The forwarder at one hub.
#[derive(Clone, Debug)]
pub(super) struct AtHub {
    pub(super) address: ForwardingAddress,
    pub(super) id: ForwarderId,
    pub(super) registrations: u64,
    pub(super) phase: RegistrationPhase,
}

/// How a forwarder stands at one hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegistrationPhase {
    /// The hub forwards.
    Registered,
    /// The hub forwards, and has said that it stops soon.
    HubLeaving,
    /// This node has released the forwarder at a hub that stops, and waits for the hub's end.
    Left,
    /// The hub does not forward, and this node registers again.
    Lost,
    /// Another program has the address, and this node does not register again.
    Displaced,
    /// The program has given the forwarder up.
    Released,
}

impl RegistrationPhase {
    /// Whether the hub forwards, as far as this node knows.
    pub(super) fn is_registered(self) -> bool {
        matches!(self, Self::Registered | Self::HubLeaving)
    }
}

/// The destinations of a node that hubs forward to, each with its hub.
#[derive(Default)]
struct AllForwarded(Lock<HashSet<(Route, Address)>>);

/// The right of a hub to reach one destination, taken back when this is dropped.
pub(super) struct Forwarded {
    all: Arc<AllForwarded>,
    grants: Arc<HubGrants>,
    key: (Route, Address),
}

impl Forwarded {
    pub(super) fn claim(node: &Node, hub: &Route, destination: &Address) -> Result<Self> {
        hub.validate()?;
        let first_hop = hub.first().ok_or(Error::EmptyRoute)?;
        let all = node.extension(AllForwarded::default);
        let key = (hub.clone(), destination.clone());
        // One identity, hub and destination make one address: two forwarders would take it from
        // each other.
        if !all.0.lock().insert(key.clone()) {
            return Err(Error::Usage(format!(
                "the hub {hub} forwards to \"{destination}\" already: \
                 use the existing RemoteForwarder"
            )));
        }
        let grants = node.hub_grants(first_hop);
        grants.permit(destination.clone());
        Ok(Self { all, grants, key })
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        self.grants.withdraw(&self.key.1);
        self.all.0.lock().remove(&self.key);
    }
}
