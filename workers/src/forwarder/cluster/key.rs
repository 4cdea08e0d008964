//! The names of forwarders on the bus: hashes, since an address is the right to use it; and how a
//! hub shows that it knows the address itself.

use std::fmt;

use ockam_actix_runtime::Address;
use ring::{
    digest::{Context, SHA256},
    hmac,
};

use crate::forwarder::{address::ForwardingAddress, protocol::claim::ForwarderId};

/// What is hashed before the address.
const LABEL: &[u8] = b"ockam cluster forwarder\0";

/// Bytes of a [`Voucher`].
pub(super) const VOUCHER_BYTES: usize = 32;

/// The first half of a hash of a forwarder's address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ForwarderKey(pub(super) [u8; 16]);

impl ForwarderKey {
    /// That of the forwarder at `address`, with or without the identity that it leads to; `None` if
    /// no forwarder has such an address.
    pub(super) fn of(address: &Address) -> Option<Self> {
        forwarder_of(address).map(|forwarder| Self::hash(&forwarder))
    }

    /// That of one address of a forwarder, with the identity that it names: so nobody makes a hub
    /// look for any number of addresses of one forwarder, and find them. Without an identity it is
    /// that [of the forwarder](Self::of).
    pub(super) fn exactly(address: &Address) -> Option<Self> {
        forwarder_of(address).map(|_| Self::hash(address))
    }

    fn hash(address: &Address) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(LABEL);
        hash.update(address.as_str().as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finish().as_ref()[..16]);
        Self(key)
    }
}

impl From<&ForwarderId> for ForwarderKey {
    fn from(id: &ForwarderId) -> Self {
        Self::hash(&id.address())
    }
}

/// The address of a forwarder without the identity that it leads to.
pub(super) fn forwarder_of(address: &Address) -> Option<Address> {
    let text = address.as_str();
    // Most strays are none, and cost no more than this.
    if !text.starts_with('F') {
        return None;
    }
    let parsed: ForwardingAddress = text.parse().ok()?;
    Some(parsed.forwarder)
}

impl fmt::Debug for ForwarderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// HMAC-SHA256 of what a hub says about a forwarder, with its address as the key. Every hub that
/// was asked for it knows the [`ForwarderKey`]; only one that knows the address can make this.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Voucher(pub(super) [u8; VOUCHER_BYTES]);

impl Voucher {
    /// For saying `input` about the forwarder at `forwarder`. All but the last part of it have a
    /// fixed length.
    pub(super) fn new(forwarder: &Address, input: &[&[u8]]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, forwarder.as_str().as_bytes());
        let mut tag = hmac::Context::with_key(&key);
        input.iter().for_each(|part| tag.update(part));
        let mut voucher = [0; VOUCHER_BYTES];
        voucher.copy_from_slice(tag.sign().as_ref());
        Self(voucher)
    }

    /// Whether it vouches for that.
    pub(super) fn fits(&self, forwarder: &Address, input: &[&[u8]]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, forwarder.as_str().as_bytes());
        hmac::verify(&key, &input.concat(), &self.0).is_ok()
    }
}

impl fmt::Debug for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Voucher")
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
        let exactly = [address.forwarder.clone(), address.clone().into()];
        let exactly = exactly.map(|one| ForwarderKey::exactly(&one).unwrap());
        assert!(exactly[0] == key && exactly[1] != key);
        assert_eq!(forwarder_of(&address.clone().into()), Some(address.forwarder));
        let other = ForwardingAddress::new_random(None);
        assert_ne!(ForwarderKey::of(&other.forwarder), Some(key));
        for text in ["outlet", "F", "Fabc", "forwarding_service", "tcp#F:1"] {
            assert_eq!(ForwarderKey::of(&text.into()), None, "{text}");
        }
    }

    #[test]
    fn vouchers_need_the_address_and_the_words() {
        let [one, other] = [(); 2].map(|()| ForwardingAddress::new_random(None).forwarder);
        let voucher = Voucher::new(&one, &[&[1], b"hub"]);
        assert!(voucher.fits(&one, &[&[1], b"hub"]));
        assert!(!voucher.fits(&other, &[&[1], b"hub"]));
        assert!(!voucher.fits(&one, &[&[2], b"hub"]) && !voucher.fits(&one, &[&[1], b"hut"]));
    }
}
