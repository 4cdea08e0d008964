//! The listeners that forwarders lead to: what comes to them from a hub needs the secret of the
//! forwarding address.

use std::collections::HashMap;

use ockam_actix_runtime::{
    lock::Lock,
    trust::origin::{Door, Ingress},
    Address, Origin,
};

use crate::identity::{
    address_secret::{AddressSecret, TAG_LENGTH},
    local_identity::LocalIdentity,
};

/// The bits of the forwarders that lead from a hub to a listener: an extension of the node, see
/// [`Node::extension`](ockam_actix_runtime::Node::extension).
#[derive(Debug, Default)]
pub struct RelayedListeners(Lock<HashMap<Relayed, Vec<[u8; 16]>>>);

/// The first hop to a hub, and the listener that forwarders there lead to.
type Relayed = (Address, Address);

impl RelayedListeners {
    /// Notes that a forwarder with these bits, at the hub behind `first_hop`, leads to `listener`.
    pub fn add(&self, first_hop: Address, listener: Address, bits: [u8; 16]) {
        let mut all = self.0.lock();
        let forwarders = all.entry((first_hop, listener)).or_default();
        if !forwarders.contains(&bits) {
            forwarders.push(bits);
        }
    }

    /// Forgets all of them.
    pub fn remove(&self, first_hop: &Address, listener: &Address) {
        self.0.lock().remove(&(first_hop.clone(), listener.clone()));
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
        let all = RelayedListeners::default();
        let [first, second] = [[1; 16], [2; 16]];
        for bits in [first, second, first] {
            all.add(Address::clone(&hub), listener.clone(), bits);
        }
        let secret = own.address_secret(&second);
        let tag = secret.tag(b"message 1");
        let find = |hub: &Address, tag| all.secret_of(hub, &listener, &own, tag, b"message 1");
        assert_eq!(find(&hub, &tag), Some(secret));
        assert_eq!(find(&other, &tag), None);
        let unregistered = own.address_secret(&[3; 16]).tag(b"message 1");
        assert_eq!(find(&hub, &unregistered), None);
        all.remove(&hub, &listener);
        assert_eq!(find(&hub, &tag), None);
    }
}
