//! The names of forwarders on the bus: hashes, since an address is the right to use it.

use std::fmt;

use ockam_actix_runtime::Address;
use ring::digest::{Context, SHA256};

use crate::forwarder::address::ForwardingAddress;

/// What is hashed before the address.
const LABEL: &[u8] = b"ockam cluster forwarder\0";

/// The first half of a hash of a forwarder's address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ForwarderKey(pub(super) [u8; 16]);

impl ForwarderKey {
    /// That of the forwarder at `address`, with or without the identity that it leads to; `None` if
    /// no forwarder has such an address.
    pub(super) fn of(address: &Address) -> Option<Self> {
        let text = address.as_str();
        // Most strays are none, and cost no more than this.
        if !text.starts_with('F') {
            return None;
        }
        let parsed: ForwardingAddress = text.parse().ok()?;
        let mut hash = Context::new(&SHA256);
        hash.update(LABEL);
        hash.update(parsed.forwarder.as_str().as_bytes());
        hash.finish().as_ref().first_chunk().copied().map(Self)
    }
}

impl fmt::Debug for ForwarderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ockam_actix_runtime::Identifier;

    #[test]
    fn both_addresses_of_a_forwarder_have_one_key() {
        let address = ForwardingAddress::new_random(Some(Identifier::from_bytes([7; 32])));
        let key = ForwarderKey::of(&address.forwarder).unwrap();
        assert_eq!(ForwarderKey::of(&address.clone().into()), Some(key));
        let other = ForwardingAddress::new_random(None);
        assert_ne!(ForwarderKey::of(&other.forwarder), Some(key));
        for text in ["outlet", "F", "Fabc", "forwarding_service", "tcp#F:1"] {
            assert_eq!(ForwarderKey::of(&text.into()), None, "{text}");
        }
    }
}
