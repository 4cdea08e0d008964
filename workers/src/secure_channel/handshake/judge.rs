//! Who decides about the peer of a handshake, and how much work its claims may cause.

use std::fmt;

use crate::identity::{known_identities::KnownIdentities, policy::TrustPolicy, Identity};
use ockam_actix_runtime::address::identifier::Identifier;

/// A policy, with the histories that need no second verification and a budget for those that do.
/// A policy alone, as `&policy`, knows no history and sets no budget.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    pub(super) policy: &'a dyn TrustPolicy,
    known: Option<&'a KnownIdentities>,
    budget: &'a dyn Fn(Work) -> bool,
}

/// What a peer's history of keys costs to verify: two signatures for each key beyond the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// So many further keys of a peer that may turn out to be trusted.
    ToTrust(usize),
    /// So many further keys of a peer that is refused in any case, so that it can be told that.
    ToRefuse(usize),
}

impl<'a> Judge<'a> {
    /// `policy` decides; what `known` has met is not verified again, and the rest only if `budget`
    /// says that it may be.
    pub(crate) fn new(
        policy: &'a dyn TrustPolicy,
        known: &'a KnownIdentities,
        budget: &'a dyn Fn(Work) -> bool,
    ) -> Self {
        Self { policy, known: Some(known), budget }
    }

    /// The history of an identity that was verified before.
    pub(super) fn verified_history(&self, identifier: &Identifier) -> Option<Identity> {
        self.known.and_then(|known| known.history_of(identifier))
    }

    pub(super) fn affords(&self, work: Work) -> bool {
        (self.budget)(work)
    }
}

impl<'a, P: TrustPolicy> From<&'a P> for Judge<'a> {
    fn from(policy: &'a P) -> Self {
        Self { policy, known: None, budget: &|_| true }
    }
}

impl<'a> From<&'a dyn TrustPolicy> for Judge<'a> {
    fn from(policy: &'a dyn TrustPolicy) -> Self {
        Self { policy, known: None, budget: &|_| true }
    }
}

impl fmt::Debug for Judge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}
