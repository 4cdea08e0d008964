//! Who has an address after a claim to it: the identity's newest key, and among programs with the
//! same key the newest.

use ockam_actix_runtime::Route;

use crate::{
    forwarder::protocol::{
        claim::{Instance, Tenure},
        displacement::Displacement,
        refusal::RegistrationRefusal,
    },
    identity::Identity,
};

/// Who has a claimed address, or has proved that it may.
#[derive(Clone, Debug)]
pub(super) struct Tenant {
    pub(super) identity: Identity,
    pub(super) instance: Instance,
    /// As it was shown, and as the hub gave it after that.
    pub(super) tenure: Tenure,
    /// The proof that it displaced another instance, which is shown to that one.
    pub(super) proof: Option<Box<Displacement>>,
    /// The way back to the mailbox that the claim was sent from.
    pub(super) inbox: Route,
}

/// An instance that lost its address to a newer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Displaced {
    /// The way to its node's mailbox.
    pub(super) inbox: Route,
    /// What to tell it.
    pub(super) proof: Box<Displacement>,
}

/// Why a claim does not get the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotEntered {
    /// The claim is refused.
    Refused(RegistrationRefusal),
    /// A newer instance has the address, as this proves.
    Displaced(Box<Displacement>),
    /// It was signed for another moment: this instance has the address now, and the claim does not
    /// name it.
    Stale(Instance),
}

impl From<RegistrationRefusal> for NotEntered {
    fn from(refusal: RegistrationRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Tenant {
    /// The tenant that succeeds `held` at `now` by the hub's clock, and what that one is told.
    ///
    /// # Errors
    /// If a newer key or instance holds the address, or the claim does not name the one that does.
    pub(super) fn succeed(
        self,
        held: Option<&Self>,
        now: Tenure,
    ) -> Result<(Self, Option<Displaced>), NotEntered> {
        let tenure = tenure_of(self.tenure, held.map(|held| held.tenure), now);
        let Some(held) = held else { return Ok((Self { tenure, ..self }, None)) };
        if !self.identity.is_extension_of(&held.identity) {
            return Err(RegistrationRefusal::KeyReplaced.into());
        }
        if self.instance == held.instance {
            let proof = self.proof.or_else(|| held.proof.clone());
            return Ok((Self { tenure, proof, ..self }, None));
        }
        if !self.tenure.displaces(held.tenure) {
            return Err(match &held.proof {
                Some(proof) if proof.displaced == self.instance => {
                    NotEntered::Displaced(proof.clone())
                }
                _ => RegistrationRefusal::Displaced.into(),
            });
        }
        match &self.proof {
            Some(proof) if proof.displaced == held.instance => {
                let displaced = Displaced { inbox: held.inbox.clone(), proof: proof.clone() };
                Ok((Self { tenure, ..self }, Some(displaced)))
            }
            _ => Err(NotEntered::Stale(held.instance)),
        }
    }
}

/// The tenure of a registration at `now`, by the hub's clock. An instance keeps its own; a new one
/// gets a higher one than the instance before, also where the clock was put back.
fn tenure_of(claimed: Tenure, held: Option<Tenure>, now: Tenure) -> Tenure {
    if claimed != Tenure::NONE {
        return claimed;
    }
    now.max(Tenure(held.map_or(0, |held| held.0).saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{forwarder::protocol::claim::ForwarderId, identity::local_identity::LocalIdentity};
    use ockam_actix_runtime::route;
    use ring::rand::SystemRandom;

    fn tenant(identity: &LocalIdentity, instance: u8, tenure: u64, displaces: u8) -> Tenant {
        let displaced = Displacement {
            id: ForwarderId([0; 16]),
            displaced: Instance([displaces; 16]),
            tenure: Tenure(tenure),
            nonce: [0; 32],
            destination: route!["listener"],
            signature: [0; 64],
            identity: Vec::new(),
        };
        Tenant {
            identity: identity.identity().clone(),
            instance: Instance([instance; 16]),
            tenure: Tenure(tenure),
            proof: (displaces != 0).then(|| Box::new(displaced)),
            inbox: Route::new(),
        }
    }

    #[test]
    fn the_newest_key_and_then_instance_wins() {
        let rng = SystemRandom::new();
        let old = LocalIdentity::generate(&rng).unwrap();
        let new = old.rotated(&rng).unwrap().unwrap();
        let held = tenant(&old, 1, 100, 3);
        let claim = |claimed: Tenant| claimed.succeed(Some(&held), Tenure(200));
        let (same, told) = claim(tenant(&old, 1, 100, 0)).unwrap();
        assert_eq!((same.tenure, same.proof, told), (Tenure(100), held.proof.clone(), None));
        for (shown, given) in [(0, 200), (101, 101)] {
            let (newer, told) = claim(tenant(&old, 2, shown, 1)).unwrap();
            assert_eq!(newer.tenure, Tenure(given));
            assert_eq!(told.map(|told| told.proof), newer.proof);
            for named in [0, 3] {
                let stale = claim(tenant(&new, 2, shown, named)).unwrap_err();
                assert_eq!(stale, NotEntered::Stale(held.instance));
            }
        }
        let older = claim(tenant(&new, 2, 99, 1)).unwrap_err();
        assert_eq!(older, RegistrationRefusal::Displaced.into());
        let the_displaced = claim(tenant(&new, 3, 99, 1)).unwrap_err();
        assert_eq!(the_displaced, NotEntered::Displaced(held.proof.clone().unwrap()));
        let replaced = tenant(&old, 2, 0, 1).succeed(Some(&tenant(&new, 1, 100, 0)), Tenure(200));
        assert_eq!(replaced.unwrap_err(), RegistrationRefusal::KeyReplaced.into());
    }

    #[test]
    fn tenures_only_grow() {
        let (none, now) = (Tenure::NONE, Tenure(100));
        assert_eq!(tenure_of(none, None, now), now);
        assert_eq!(tenure_of(none, Some(Tenure(50)), now), now);
        assert_eq!(tenure_of(none, Some(Tenure(500)), now), Tenure(501));
        assert_eq!(tenure_of(none, None, none), Tenure(1));
        assert_eq!(tenure_of(Tenure(70), Some(Tenure(60)), now), Tenure(70));
    }
}
