//! Whether a claim is proved: by an answer to this hub's own challenge, with the identity's newest
//! key as far as anybody knows.

use std::sync::Arc;

use ockam_actix_runtime::Route;
use ring::rand::SecureRandom;
use tokio::time::Instant;

use crate::{
    forwarder::protocol::{
        claim::{self, Challenges, Claim, ForwarderId, Nonce, Statement},
        displacement::Displacement,
        refusal::RegistrationRefusal,
    },
    identity::{
        known_identities::{KeyRefused, KnownIdentities, MetBy},
        Identity,
    },
};

/// What a hub compares proofs with.
pub(super) struct Proofs {
    challenges: Challenges,
    known: Arc<KnownIdentities>,
    started: Instant,
}

impl Proofs {
    /// With a secret of its own; `None` without randomness.
    pub(super) fn new(
        random: &dyn SecureRandom,
        known: Arc<KnownIdentities>,
        started: Instant,
    ) -> Option<Self> {
        Some(Self { challenges: Challenges::new(random)?, known, started })
    }

    /// A challenge for one claim that came by one route.
    pub(super) fn challenge(&self, route: &Route, claimed: &ForwarderId) -> Nonce {
        self.challenges.issue(self.seconds(), route, claimed)
    }

    /// The identity of a proof, which is examined only if this hub asked for the proof. A history
    /// that excludes a known one is remembered; any other once it has [registered](Self::met).
    pub(super) fn verify(
        &self,
        route: &Route,
        claim: &Claim,
        proof: &Displacement,
        by: MetBy,
    ) -> Result<Identity, RegistrationRefusal> {
        let wrong = RegistrationRefusal::ProofWrong;
        if !self.challenges.is_fresh(self.seconds(), route, &proof.id, &proof.nonce) {
            return Err(wrong);
        }
        let identity = Identity::decode(&proof.identity).map_err(|_| wrong)?;
        if identity.identifier() != claim.identifier {
            return Err(wrong);
        }
        let statement = Statement {
            nonce: &proof.nonce,
            displaced: proof.displaced,
            tenure: proof.tenure,
            destination: &proof.destination,
        };
        if !claim::verify(&identity, &proof.id, statement, &proof.signature) {
            return Err(wrong);
        }
        if self.known.check(&identity).is_err() {
            self.met(&identity, by)?;
        }
        Ok(identity)
    }

    /// Remembers the history of an identity that has registered.
    pub(super) fn met(&self, identity: &Identity, by: MetBy) -> Result<(), RegistrationRefusal> {
        self.known.meet_by(identity, by).map_err(refusal_of)
    }

    /// Whether an identity that was admitted still would be: its key may have been replaced since.
    pub(super) fn recheck(&self, identity: &Identity) -> Result<(), RegistrationRefusal> {
        self.known.check(identity).map_err(refusal_of)
    }

    fn seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }
}

fn refusal_of(refused: KeyRefused) -> RegistrationRefusal {
    match refused {
        KeyRefused::Replaced { .. } => RegistrationRefusal::KeyReplaced,
        KeyRefused::Forked => RegistrationRefusal::Forked,
    }
}
