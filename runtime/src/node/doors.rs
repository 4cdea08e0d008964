//! The entrances to a node: its listeners, what the peers that it dialled may reach, and what its
//! rules refused.

use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
};

use crate::{
    address::Address,
    lock::Lock,
    trust::{origin::HubGrants, reachability::Listening, refusal_log::RefusalLog},
};

/// The entrances to one node.
#[derive(Debug, Default)]
pub(super) struct Doors {
    listeners: Lock<Vec<Listening>>,
    grants: Lock<HashMap<Address, Arc<HubGrants>>>,
    pub(super) refusals: Arc<RefusalLog>,
    announced: AtomicBool,
}

impl Doors {
    /// Adds a listener.
    pub(super) fn add_listener(&self, listening: Listening) {
        self.listeners.lock().push(listening);
    }

    /// Forgets a listener that was stopped.
    pub(super) fn remove_listener(&self, bound: &str) {
        self.listeners.lock().retain(|listening| listening.bound != bound);
    }

    /// All listeners.
    pub(super) fn listeners(&self) -> Vec<Listening> {
        self.listeners.lock().clone()
    }

    /// What the peer that was dialled at `dialled` may reach.
    pub(super) fn hub_grants(&self, dialled: &Address) -> Arc<HubGrants> {
        let mut all = self.grants.lock();
        all.entry(dialled.clone()).or_default().clone()
    }

    /// Drops the grants of an address that nobody dials again.
    pub(super) fn forget(&self, dialled: &Address) {
        self.grants.lock().remove(dialled);
    }

    /// What each dialled peer may reach, sorted by the address that was dialled.
    pub(super) fn dialled(&self) -> Vec<(Address, Arc<HubGrants>)> {
        let all = self.grants.lock();
        let mut all: Vec<_> =
            all.iter().map(|(address, grants)| (address.clone(), grants.clone())).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    }

    /// Whether the log has yet to announce what is reached from outside; true only once.
    pub(super) fn is_first_opened(&self) -> bool {
        !self.announced.swap(true, Ordering::AcqRel)
    }
}
