//! Claims to an address: how a hub that remembers nothing gives the same address to the same
//! identity again, and to nobody else.
//!
//! ```text
//! bits   = first 16 bytes of SHA-256("ockam-actix/1 forwarder address\0" || identifier || salt || service)
//! nonce  = 32 bytes of the hub's choice
//! signed = "ockam-actix/1 forwarder claim\0" || nonce || bits || displaced || tenure || destination as text
//! ```
//!
//! The address is a hash of the identity that it belongs to, of 16 bytes of salt, which the node
//! keeps and sends with each registration, and of a service name, so that one identity has several
//! services on one hub. To take it with another identity, one must find a salt that hashes to the
//! same 128 bits; to take it with the same identity, one needs the key in force: the signature
//! covers a nonce that the hub made for this connection. The hub's nonce is a stateless cookie
//! ([`Cookies`]), so a registration in progress takes no memory.
//!
//! The salt is derived from the identity's secret, the hub and the destination, so that a program
//! that is started again with the same vault has the same address; nobody else can compute it. It
//! is different for each hub: a hub that passes on a challenge of another hub gains an address
//! there that nobody uses.
//!
//! A service that is reached [by name](super::super::service_address) has the salt
//! [`Salt::NAMED`] instead, so that anybody who knows the identity and the name can compute the
//! address before it was ever claimed. It is the same at all hubs: a hub that passes on a challenge
//! of another one gains the address there, and with it the power to drop messages to it.
//!
//! # Who is newer
//!
//! Two programs with one identity and one name want one address. An [`Instance`] is one run of a
//! program; its first registration, with [`Tenure::NONE`], takes the address from any holder, and
//! is given a higher [`Tenure`] than any before. Later registrations of the instance show that
//! tenure: they keep the address or have it back, but not from a higher one. The hub makes tenures
//! from its clock, so they grow over its restarts.
//!
//! The signature names the instance that is displaced. It is passed on to that one as a
//! [`Displacement`](super::displacement), so that nobody but the identity itself makes a node stand
//! back from its address.

use std::fmt;

use ockam_actix_runtime::{address::Address, Identifier, Route};
use ring::{
    digest::{digest, Context, SHA256},
    rand::SecureRandom,
};

use crate::{
    forwarder::{address::ForwardingAddress, protocol::service_name::ServiceName},
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

/// One run of a program that registers a forwarder, at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance(pub [u8; 16]);

/// How long ago an instance took its address: the higher, the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tenure(pub u64);

/// Which address is wanted, by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The identity that it belongs to.
    pub identifier: Identifier,
    /// From the identity's secret.
    pub salt: Salt,
    /// The service that is reached there.
    pub service: ServiceName,
    /// The program that claims.
    pub instance: Instance,
    /// That of the instance's last registration, or none at its first.
    pub tenure: Tenure,
}

/// What the signature of a claim covers, beside the address.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// From the hub's challenge.
    pub nonce: &'a Nonce,
    /// From the hub's challenge: the instance that has the address, unless it is the same one.
    pub displaced: Instance,
    /// That of the claim.
    pub tenure: Tenure,
    /// The destination, as the node knows it.
    pub destination: &'a Route,
}

impl Instance {
    /// Nobody.
    pub const NONE: Self = Self([0; 16]);

    /// Itself, unless it is nobody.
    pub(in crate::forwarder) fn known(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }

    /// A new one.
    ///
    /// # Panics
    /// If the operating system provides no randomness, as nothing can be kept secret then.
    pub fn random(random: &dyn SecureRandom) -> Self {
        Self(random_bytes(random))
    }
}

impl Tenure {
    /// That of an instance that was never registered.
    pub const NONE: Self = Self(0);

    /// Whether an instance with this tenure displaces one that has had the address with `held`.
    pub fn displaces(self, held: Self) -> bool {
        self == Self::NONE || self > held
    }
}

impl Claim {
    /// The bits that it stands for.
    pub fn id(&self) -> ForwarderId {
        ForwarderId::of(&self.identifier, &self.salt, &self.service)
    }
}

impl ForwarderId {
    /// A random id, which nobody can claim again.
    ///
    /// # Panics
    /// If the operating system provides no randomness, as nothing can be kept secret then.
    pub fn random(random: &dyn SecureRandom) -> Self {
        Self(random_bytes(random))
    }

    /// The bits that belong to an identity's service.
    pub fn of(identifier: &Identifier, salt: &Salt, service: &ServiceName) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(LABEL);
        hash.update(identifier.as_bytes());
        hash.update(&salt.0);
        // The last part, so its length need not be told.
        hash.update(service.as_str().as_bytes());
        Self(first_half(hash.finish().as_ref()))
    }

    /// The forwarder's address: `F` and 32 digits.
    pub fn address(&self) -> Address {
        self.to_string().into()
    }

    /// The address that is given to people.
    pub fn forwarding_address(&self, identifier: Option<Identifier>) -> ForwardingAddress {
        ForwardingAddress { forwarder: self.address(), identifier, secret: None }
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
    /// That of all services that are reached by name.
    pub const NAMED: Self = Self([0; 16]);

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

/// Signs `statement` for the bits `id` of an identity.
pub fn prove(identity: &LocalIdentity, id: &ForwarderId, statement: Statement<'_>) -> Signature {
    statement.with_parts(id, |parts| identity.sign_for(Purpose::ForwarderClaim, parts))
}

/// Whether `signature` proves that the holder of the identity's key in force made `statement` about
/// the bits `id`.
pub fn verify(
    identity: &Identity,
    id: &ForwarderId,
    statement: Statement<'_>,
    signature: &Signature,
) -> bool {
    statement.with_parts(id, |parts| identity.verify_for(Purpose::ForwarderClaim, parts, signature))
}

impl Statement<'_> {
    fn with_parts<T>(&self, id: &ForwarderId, sign: impl FnOnce(&[&[u8]]) -> T) -> T {
        let (tenure, destination) = (self.tenure.0.to_be_bytes(), self.destination.to_string());
        let parts: [&[u8]; 5] =
            [self.nonce, &id.0, &self.displaced.0, &tenure, destination.as_bytes()];
        sign(&parts)
    }
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

fn random_bytes(random: &dyn SecureRandom) -> [u8; 16] {
    let mut bytes = [0; 16];
    random.fill(&mut bytes).expect("the operating system provides randomness");
    bytes
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
        for service in ["", "web"] {
            let text = [LABEL, identifier.as_bytes(), &salt.0, service.as_bytes()].concat();
            let hash = digest(&SHA256, &text);
            let id = ForwarderId::of(&identifier, &salt, &service.parse().unwrap());
            assert_eq!(id.0, hash.as_ref()[..16]);
        }
    }

    #[test]
    fn a_proof_binds_all_that_it_states() {
        let (one, other, id) = (identity(1), identity(2), ForwarderId([3; 16]));
        let (nonce, wrong) = ([6; 32], [7; 32]);
        let (destination, elsewhere) = (route!["listener"], route!["outlet"]);
        let (displaced, tenure) = (Instance([8; 16]), Tenure(9));
        let said = Statement { nonce: &nonce, displaced, tenure, destination: &destination };
        let proof = prove(&one, &id, said);
        assert!(verify(one.identity(), &id, said, &proof));
        assert!(!verify(other.identity(), &id, said, &proof));
        assert!(!verify(one.identity(), &ForwarderId([4; 16]), said, &proof));
        for changed in [
            Statement { nonce: &wrong, ..said },
            Statement { displaced: Instance::NONE, ..said },
            Statement { tenure: Tenure(10), ..said },
            Statement { destination: &elsewhere, ..said },
        ] {
            assert!(!verify(one.identity(), &id, changed, &proof), "{changed:?}");
        }
    }

    #[test]
    fn first_registrations_and_higher_tenures_displace() {
        let held = Tenure(5);
        let displacing = [0, 4, 5, 6].map(|number| Tenure(number).displaces(held));
        assert_eq!(displacing, [true, false, false, true]);
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
