//! The proof of a newer registration, shown to the instance that it displaced.
//!
//! A node that believed everybody here could be sent away by anybody who answers in its hub's place
//! for a moment. So it believes only its own identity: the newer instance signed the number of the
//! one that it displaced, which nobody knew before that one registered.

use ockam_actix_runtime::Route;

use crate::{
    forwarder::protocol::claim::{self, ForwarderId, Instance, Nonce, Statement, Tenure},
    identity::{signature::Signature, Identity},
};

/// The claim of a newer instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Displacement {
    /// The address.
    pub id: ForwarderId,
    /// The instance that was displaced.
    pub displaced: Instance,
    /// What the newer instance showed: none, or a higher tenure.
    pub tenure: Tenure,
    /// That of the hub's challenge.
    pub nonce: Nonce,
    /// The destination of the newer instance, as its node knows it.
    pub destination: Route,
    /// Made with the identity's key in force.
    pub signature: Signature,
    /// The identity, not yet verified.
    pub identity: Vec<u8>,
}

/// A registration that may be displaced.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its address.
    pub id: ForwarderId,
    /// The program that has it.
    pub instance: Instance,
    /// The tenure that the hub gave.
    pub tenure: Tenure,
    /// The identity that claimed it.
    pub identity: Identity,
}

impl Displacement {
    /// Whether it proves that `held` was displaced: by its own identity, with the same key or a
    /// later one. The cheap comparisons come first.
    pub fn displaces(&self, held: &Held) -> bool {
        self.is_about(held) && self.tenure.displaces(held.tenure) && self.signer(held).is_some()
    }

    /// Whether it names the address and the instance of `held`; that costs nothing to see.
    pub(in crate::forwarder) fn is_about(&self, held: &Held) -> bool {
        self.id == held.id && self.displaced == held.instance
    }

    /// The identity of `held`, with the same key or a later one, if it has signed this. That takes
    /// two signatures for each key to see.
    pub(in crate::forwarder) fn signer(&self, held: &Held) -> Option<Identity> {
        let statement = Statement {
            nonce: &self.nonce,
            displaced: self.displaced,
            tenure: self.tenure,
            destination: &self.destination,
        };
        let identity = Identity::decode(&self.identity).ok()?;
        let is_signed = identity.is_extension_of(&held.identity)
            && claim::verify(&identity, &self.id, statement, &self.signature);
        is_signed.then_some(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::local_identity::LocalIdentity;
    use ockam_actix_runtime::route;
    use ring::rand::SystemRandom;

    const ID: ForwarderId = ForwarderId([1; 16]);
    const OLD: Instance = Instance([2; 16]);

    fn identity() -> LocalIdentity {
        LocalIdentity::generate(&SystemRandom::new()).unwrap()
    }

    fn signed(identity: &LocalIdentity, displaced: Instance, tenure: Tenure) -> Displacement {
        let (nonce, destination) = ([3; 32], route!["listener"]);
        let said = Statement { nonce: &nonce, displaced, tenure, destination: &destination };
        let signature = claim::prove(identity, &ID, said);
        let identity = identity.identity().encode();
        Displacement { id: ID, displaced, tenure, nonce, destination, signature, identity }
    }

    #[test]
    fn only_its_own_identitys_newer_claim_displaces() {
        let own = identity();
        let newer_key = own.rotated(&SystemRandom::new()).unwrap().unwrap();
        let held = |identity: &LocalIdentity| {
            let identity = identity.identity().clone();
            Held { id: ID, instance: OLD, tenure: Tenure(5), identity }
        };
        for tenure in [Tenure::NONE, Tenure(6)] {
            assert!(signed(&own, OLD, tenure).displaces(&held(&own)));
            assert!(signed(&newer_key, OLD, tenure).displaces(&held(&own)));
        }
        let genuine = signed(&own, OLD, Tenure::NONE);
        for forged in [
            signed(&identity(), OLD, Tenure::NONE),
            // What an earlier instance said, or one that had the address before.
            signed(&own, Instance([4; 16]), Tenure::NONE),
            signed(&own, Instance::NONE, Tenure::NONE),
            signed(&own, OLD, Tenure(4)),
            Displacement { displaced: OLD, ..signed(&own, Instance::NONE, Tenure::NONE) },
            Displacement { id: ForwarderId([9; 16]), ..genuine.clone() },
            Displacement { destination: route!["elsewhere"], ..genuine.clone() },
            Displacement { identity: vec![1], ..genuine },
        ] {
            assert!(!forged.displaces(&held(&own)), "{forged:?}");
        }
        assert!(!signed(&own, OLD, Tenure::NONE).displaces(&held(&newer_key)));
    }
}
