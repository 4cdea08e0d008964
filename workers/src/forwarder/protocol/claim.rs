//! Claims to an address: how a hub that remembers nothing gives the same address to the same
//! identity again, and to nobody else.
//!
//! ```text
//! bits   = first 16 bytes of SHA-256("ockam-actix/1 forwarder address\0" || identifier || salt)
//! nonce  = 32 bytes of the hub's choice
//! signed = "ockam-actix/1 forwarder claim\0" || nonce || bits || destination as text
//! ```
//!
//! The address is a hash of the identity that it belongs to and of 16 bytes of salt, which the node
//! keeps and sends with each registration. To take it with another identity, one must find a salt
//! that hashes to the same 128 bits; to take it with the same identity, one needs the key in force:
//! the signature covers a nonce that the hub made for this connection. The hub's nonce is a
//! stateless cookie ([`Cookies`]), so a registration in progress takes no memory.
//!
//! The salt is derived from the identity's secret, the hub and the destination, so that a program
//! that is started again with the same vault has the same address; nobody else can compute it. It
//! is different for each hub: a hub that passes on a challenge of another hub gains an address
//! there that nobody uses.
//!
//! Limits: a restarted hub does not know that a key was replaced; while the newer key has no
//! forwarder there, the replaced one can take the address. Messages then arrive at the wrong node,
//! and what protects them is the secure channel, whose initiator refuses a key that it has seen
//! replaced.

use std::fmt;

use ockam_actix_runtime::{address::Address, Identifier, Route};
use ring::{
    digest::{digest, Context, SHA256},
    rand::SecureRandom,
};

use crate::{
    forwarder::address::ForwardingAddress,
    identity::{
        local_identity::LocalIdentity,
        signature::{Purpose, Signature},
        Identity,
    },
    secure_channel::cookie::{Cookies, COOKIE_LENGTH},
};

/// Precedes identifier and salt, so that no other hash is an address.
const LABEL: &[u8] = b"ockam-actix/1 forwarder address\0";

/// What a hub wants signed.
pub type Nonce = [u8; COOKIE_LENGTH];

/// The 128 bits that a forwarder's address is made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ForwarderId(pub [u8; 16]);

/// What makes the addresses of one identity differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

impl ForwarderId {
    /// A random id, which nobody can claim again.
    ///
    /// # Panics
    /// If the operating system provides no randomness, as nothing can be kept secret then.
    pub fn random(random: &dyn SecureRandom) -> Self {
        let mut id = [0; 16];
        random.fill(&mut id).expect("the operating system provides randomness");
        Self(id)
    }

    /// The bits that belong to an identity.
    pub fn of(identifier: &Identifier, salt: &Salt) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(LABEL);
        hash.update(identifier.as_bytes());
        hash.update(&salt.0);
        Self(first_half(hash.finish().as_ref()))
    }

    /// The forwarder's address: `F` and 32 digits.
    pub fn address(&self) -> Address {
        self.to_string().into()
    }

    /// The address that is given to people.
    pub fn forwarding_address(&self, identifier: Option<Identifier>) -> ForwardingAddress {
        ForwardingAddress { forwarder: self.address(), identifier }
    }
}

impl fmt::Display for ForwarderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("F")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ForwarderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(redacted)")
    }
}

impl Salt {
    /// The salt for one destination on one hub, the same whenever the same key derives it.
    pub fn derive(identity: &LocalIdentity, hub: &Route, destination: &Route) -> Self {
        let (hub, destination) = (hub.to_string(), destination.to_string());
        // No address contains a newline, so it keeps the two apart. Ed25519 signatures are
        // deterministic.
        let parts = [hub.as_bytes(), b"\n", destination.as_bytes()];
        let secret = identity.sign_for(Purpose::ForwarderSalt, &parts);
        Self(first_half(digest(&SHA256, &secret).as_ref()))
    }
}

/// Signs the hub's nonce for the bits that belong to `identity`.
pub fn prove(
    identity: &LocalIdentity,
    salt: &Salt,
    nonce: &Nonce,
    destination: &Route,
) -> Signature {
    let id = ForwarderId::of(&identity.identifier(), salt);
    identity.sign_for(Purpose::ForwarderClaim, &[nonce, &id.0, destination.to_string().as_bytes()])
}

/// The bits that belong to `identity`, if `signature` proves possession of its key in force.
pub fn verify(
    identity: &Identity,
    salt: &Salt,
    nonce: &Nonce,
    destination: &Route,
    signature: &Signature,
) -> Option<ForwarderId> {
    let id = ForwarderId::of(&identity.identifier(), salt);
    let destination = destination.to_string();
    let parts = [&nonce[..], &id.0, destination.as_bytes()];
    identity.verify_for(Purpose::ForwarderClaim, &parts, signature).then_some(id)
}

/// The challenges of one hub, which it recognises without keeping them.
pub(in crate::forwarder) struct Challenges(Cookies);

impl Challenges {
    /// With a secret of its own; `None` without randomness.
    pub(in crate::forwarder) fn new(random: &dyn SecureRandom) -> Option<Self> {
        Cookies::new(random).map(Self)
    }

    /// The nonce for one claim that came by one route. `now` is in seconds.
    pub(in crate::forwarder) fn issue(
        &self,
        now: u64,
        route: &Route,
        claimed: &ForwarderId,
    ) -> Nonce {
        self.0.issue(now, route.to_string().as_bytes(), &claimed.0)
    }

    /// Whether this hub issued the nonce for that claim and route, at most a minute ago.
    pub(in crate::forwarder) fn is_fresh(
        &self,
        now: u64,
        route: &Route,
        claimed: &ForwarderId,
        nonce: &Nonce,
    ) -> bool {
        self.0.verify(now, route.to_string().as_bytes(), &claimed.0, nonce)
    }
}

/// The first 16 bytes of a hash.
fn first_half(hash: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;
    use ockam_actix_runtime::route;

    fn identity(seed: u8) -> LocalIdentity {
        LocalIdentity::dangerous_from_fixed_secrets([seed; 32], [seed; 32])
    }

    #[test]
    fn bits_are_the_documented_hash() {
        let (identifier, salt) = (identity(1).identifier(), Salt([5; 16]));
        let text = [LABEL, identifier.as_bytes(), &salt.0].concat();
        let hash = digest(&SHA256, &text);
        assert_eq!(ForwarderId::of(&identifier, &salt).0, hash.as_ref()[..16]);
    }

    #[test]
    fn a_proof_binds_identity_salt_nonce_and_destination() {
        let (one, other) = (identity(1), identity(2));
        let (salt, nonce, destination) = (Salt([5; 16]), [6; 32], route!["listener"]);
        let proof = prove(&one, &salt, &nonce, &destination);
        let check = |identity: &LocalIdentity, salt, nonce, destination: &str| {
            verify(identity.identity(), &salt, &nonce, &route![destination], &proof)
        };
        let id = ForwarderId::of(&one.identifier(), &salt);
        assert_eq!(check(&one, salt, nonce, "listener"), Some(id));
        assert_eq!(check(&other, salt, nonce, "listener"), None);
        assert_eq!(check(&one, Salt([4; 16]), nonce, "listener"), None);
        assert_eq!(check(&one, salt, [7; 32], "listener"), None);
        assert_eq!(check(&one, salt, nonce, "outlet"), None);
    }

    #[test]
    fn salts_are_fixed_by_identity_hub_and_destination() {
        let derive = |seed, hub: &str, destination: &str| {
            Salt::derive(&identity(seed), &route![hub], &route![destination])
        };
        let salt = derive(1, "hub", "listener");
        assert_eq!(salt, derive(1, "hub", "listener"));
        for other in [(2, "hub", "listener"), (1, "hu", "listener"), (1, "hub", "blistener")] {
            assert_ne!(salt, derive(other.0, other.1, other.2));
        }
    }

    #[test]
    fn challenges_bind_route_and_claim_for_a_minute() {
        let challenges = Challenges::new(&ring::rand::SystemRandom::new()).unwrap();
        let (route, claimed) = (route!["connection"], ForwarderId([1; 16]));
        let nonce = challenges.issue(0, &route, &claimed);
        assert!(challenges.is_fresh(29, &route, &claimed, &nonce));
        assert!(!challenges.is_fresh(60, &route, &claimed, &nonce));
        assert!(!challenges.is_fresh(0, &route!["other"], &claimed, &nonce));
        assert!(!challenges.is_fresh(0, &route, &ForwarderId([2; 16]), &nonce));
        let another_hub = Challenges::new(&ring::rand::SystemRandom::new()).unwrap();
        assert!(!another_hub.is_fresh(0, &route, &claimed, &nonce));
    }
}
