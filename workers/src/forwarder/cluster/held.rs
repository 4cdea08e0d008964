//! The forwarders of this hub, by the names that they have on the bus.

use std::collections::HashMap;

use ockam_actix_runtime::{lock::Lock, Address};

use crate::forwarder::{cluster::key::ForwarderKey, protocol::claim::ForwarderId};

/// All of one hub.
#[derive(Default)]
pub(super) struct HeldForwarders(Lock<HashMap<ForwarderKey, HeldForwarder>>);

/// One that is registered again is here twice for a moment.
struct HeldForwarder {
    id: ForwarderId,
    count: usize,
}

impl HeldForwarders {
    /// Notes one at these addresses. Returns their keys, to [let go](Self::let_go).
    pub(super) fn hold(&self, id: ForwarderId, addresses: &[Address]) -> Vec<ForwarderKey> {
        let keys: Vec<_> = addresses.iter().filter_map(ForwarderKey::exactly).collect();
        let mut all = self.0.lock();
        for key in &keys {
            all.entry(*key).or_insert(HeldForwarder { id, count: 0 }).count += 1;
        }
        keys
    }

    /// One has ended. Returns the first of its keys that no other has by now.
    pub(super) fn let_go(&self, keys: &[ForwarderKey]) -> Option<ForwarderKey> {
        let mut all = self.0.lock();
        let mut ends = |key: &ForwarderKey| {
            let Some(held) = all.get_mut(key) else { return false };
            held.count -= 1;
            held.count == 0 && all.remove(key).is_some()
        };
        // Each of them ends, not only the first.
        let gone: Vec<_> = keys.iter().filter(|key| ends(key)).collect();
        gone.first().map(|key| **key)
    }

    /// The one that has an address with that key.
    pub(super) fn id_at(&self, key: &ForwarderKey) -> Option<ForwarderId> {
        self.0.lock().get(key).map(|held| held.id)
    }
}
