//! The ways into a node: its listeners, what the peers that it dialled may reach, and what its
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
    trust::{origin::Destinations, reachability::Listening, refusal_log::Complaints},
};

/// What a node knows of the ways into it.
#[derive(Debug, Default)]
pub(super) struct Doors {
    listeners: Lock<Vec<Listening>>,
    destinations: Lock<HashMap<Address, Arc<Destinations>>>,
    pub(super) refusals: Arc<Complaints>,
    announced: AtomicBool,
}

impl Doors {
    /// Notes a listener.
    pub(super) fn add_listener(&self, listening: Listening) {
        self.listeners.lock().push(listening);
    }

    /// All listeners.
    pub(super) fn listeners(&self) -> Vec<Listening> {
        self.listeners.lock().clone()
    }

    /// What the peer that was dialled at `dialled` may reach.
    pub(super) fn destinations(&self, dialled: &Address) -> Arc<Destinations> {
        let mut all = self.destinations.lock();
        all.entry(dialled.clone()).or_default().clone()
    }

    /// Drops what is kept for an address that nobody dials again.
    pub(super) fn forget(&self, dialled: &Address) {
        self.destinations.lock().remove(dialled);
    }

    /// What each dialled peer may reach, sorted by the address that was dialled.
    pub(super) fn dialled(&self) -> Vec<(Address, Arc<Destinations>)> {
        let all = self.destinations.lock();
        let mut all: Vec<_> = all.iter().map(|(at, may)| (at.clone(), may.clone())).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    }

    /// Whether the log is still to be told what is reached from outside; true only once.
    pub(super) fn is_first_opened(&self) -> bool {
        !self.announced.swap(true, Ordering::AcqRel)
    }
}
