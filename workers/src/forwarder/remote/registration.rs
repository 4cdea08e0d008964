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
    /// Whether the hub has said that it stops.
    pub(super) is_leaving: bool,
}

impl RegistrationState {
    /// What the states at several hubs come to: the address is the same at all that an identity
    /// claims it from.
    pub(super) fn together(states: Vec<Self>) -> Option<Self> {
        states.into_iter().reduce(|one, other| Self {
            registered: one.registered || other.registered,
            displaced: one.displaced || other.displaced,
            registrations: one.registrations + other.registrations,
            is_leaving: one.is_leaving && other.is_leaving,
            ..one
        })
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
