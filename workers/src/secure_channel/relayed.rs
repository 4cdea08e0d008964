//! The listeners that forwarders lead to: what comes to them from a hub needs the secret of the
//! forwarding address.

use std::{collections::HashMap, sync::Arc};

use ockam_actix_runtime::{
    lock::Lock,
    trust::origin::{Door, Ingress},
    Address, Origin,
};

use crate::identity::{
    address_secret::{AddressSecret, TAG_LENGTH},
    local_identity::LocalIdentity,
};

/// The bits of the forwarders that lead from a hub to a listener, once for each: an extension of
/// the node, see [`Node::extension`](ockam_actix_runtime::Node::extension).
#[derive(Debug, Default)]
pub struct RelayedListeners(Lock<HashMap<Relayed, Vec<[u8; 16]>>>);

/// The first hop to a hub, and the listener that forwarders there lead to.
type Relayed = (Address, Address);

/// Notes one forwarder until it is dropped.
#[derive(Debug)]
pub struct RelayedBy {
    all: Arc<RelayedListeners>,
    relayed: Relayed,
    bits: [u8; 16],
}

impl RelayedListeners {
    /// Notes that a forwarder with these bits, at a hub behind `first_hop`, leads to `listener`.
    #[must_use]
    pub fn add(
        self: &Arc<Self>,
        first_hop: Address,
        listener: Address,
        bits: [u8; 16],
    ) -> RelayedBy {
        let relayed = (first_hop, listener);
        self.0.lock().entry(relayed.clone()).or_default().push(bits);
        RelayedBy { all: self.clone(), relayed, bits }
    }

    /// The secret with which somebody who came through this hub has made `tag` for a message 1.
    pub(super) fn secret_of(
        &self,
        relay: &Address,
        listener: &Address,
        own: &LocalIdentity,
        tag: &[u8; TAG_LENGTH],
        noise: &[u8],
    ) -> Option<AddressSecret> {
        let key = (relay.clone(), listener.clone());
        let forwarders = self.0.lock().get(&key).cloned().unwrap_or_default();
        let mut secrets = forwarders.iter().map(|bits| own.address_secret(bits));
        secrets.find(|secret| secret.has_made(tag, noise))
    }
}

impl RelayedBy {
    /// The forwarder's bits.
    pub fn bits(&self) -> &[u8; 16] {
        &self.bits
    }
}

impl Drop for RelayedBy {
    fn drop(&mut self) {
        let mut all = self.all.0.lock();
        let Some(forwarders) = all.get_mut(&self.relayed) else { return };
        if let Some(at) = forwarders.iter().position(|bits| *bits == self.bits) {
            forwarders.swap_remove(at);
        }
        if forwarders.is_empty() {
            all.remove(&self.relayed);
        }
    }
}

/// The hub that a message came from, as the first hop of the routes to it: the far end of a
/// connection that this node made, or of a channel that it opened.
pub(super) fn relay_of(origin: &Origin) -> Option<&Address> {
    let Origin::Remote(ingress) = origin else { return None };
    let Ingress { door, .. } = &**ingress;
    match door {
        Door::Outgoing { dialled, .. } => Some(dialled),
        Door::Channel { channel, grants: Some(grants), .. } if grants.is_used() => Some(channel),
        Door::Channel { .. } | Door::Listener { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registered_forwarders_secret_is_found() {
        let own = LocalIdentity::dangerous_from_fixed_secrets([1; 32], [2; 32]);
        let (hub, other, listener) = ("hub".into(), "other".into(), Address::from("listener"));
        let all = Arc::<RelayedListeners>::default();
        let [first, second] = [[1; 16], [2; 16]];
        let add = |bits| all.add(Address::clone(&hub), listener.clone(), bits);
        let (noted, twice) = ([first, second].map(add), add(second));
        let secret = own.address_secret(&second);
        let tag = secret.tag(b"message 1");
        let find = |hub: &Address, tag| all.secret_of(hub, &listener, &own, tag, b"message 1");
        assert_eq!(find(&hub, &tag), Some(secret));
        assert_eq!(find(&other, &tag), None);
        let unregistered = own.address_secret(&[3; 16]).tag(b"message 1");
        assert_eq!(find(&hub, &unregistered), None);
        // Another forwarder may have the same bits, at a hub behind this one.
        drop(noted);
        assert_eq!(find(&hub, &tag), Some(own.address_secret(&second)));
        drop(twice);
        assert_eq!(find(&hub, &tag), None);
        assert!(all.0.lock().is_empty());
    }
}
