//! Which secure channel listeners a node has, and the identity that each of them shows.
//!
//! It is one of a node's extensions: [`Node::extension`](ockam_runtime::Node::extension). A
//! listener adds itself; a [`RemoteForwarder`](crate::forwarder::RemoteForwarder) asks who is
//! behind its destination.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ockam_runtime::Address;

use crate::local_identity::LocalIdentity;

/// The secure channel listeners of one node.
#[derive(Default)]
pub struct ChannelListeners(Mutex<HashMap<Address, LocalIdentity>>);

impl ChannelListeners {
    /// Notes that the listener at `address` shows `identity`.
    pub fn add(&self, address: Address, identity: LocalIdentity) {
        self.lock().insert(address, identity);
    }

    /// Forgets the listener at `address`.
    pub fn remove(&self, address: &Address) {
        self.lock().remove(address);
    }

    /// The identity that the listener at `address` shows.
    pub fn identity_of(&self, address: &Address) -> Option<LocalIdentity> {
        self.lock().get(address).cloned()
    }

    /// A panic elsewhere cannot leave a map half changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<Address, LocalIdentity>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ChannelListeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}
