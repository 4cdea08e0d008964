//! A policy that can be replaced while it is in use.

use std::sync::Arc;

use ockam_actix_runtime::{lock::SharedLock, Identifier};

use crate::identity::policy::{Decision, TrustContext, TrustPolicy};

/// The policy in force, shared by all clones.
#[derive(Clone)]
pub(crate) struct CurrentPolicy(Arc<SharedLock<Arc<dyn TrustPolicy>>>);

impl CurrentPolicy {
    pub(crate) fn new(policy: impl TrustPolicy) -> Self {
        Self(Arc::new(SharedLock::new(Arc::new(policy))))
    }

    /// Has `policy` decide from now on.
    pub(crate) fn replace(&self, policy: impl TrustPolicy) {
        *self.0.write() = Arc::new(policy);
    }

    /// The policy of this moment; no lock is held while it decides.
    fn now(&self) -> Arc<dyn TrustPolicy> {
        self.0.read().clone()
    }
}

impl TrustPolicy for CurrentPolicy {
    fn precheck(&self, context: &TrustContext) -> Decision {
        self.now().precheck(context)
    }

    fn check(&self, context: &TrustContext) -> Decision {
        self.now().check(context)
    }

    fn trusts_everyone(&self) -> bool {
        self.now().trusts_everyone()
    }

    fn pin(&self) -> Option<Identifier> {
        self.now().pin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::policy::{TrustEveryonePolicy, TrustIdentifierPolicy};

    #[test]
    fn a_replaced_policy_decides_for_all_clones() {
        let (own, peer) = (Identifier::from_bytes([1; 32]), Identifier::from_bytes([2; 32]));
        let context = TrustContext::new(own, peer);
        let policy = CurrentPolicy::new(TrustEveryonePolicy);
        let pinned = policy.clone().pinned(peer);
        assert!(pinned.check(&context).is_trusted() && policy.trusts_everyone());
        policy.replace(TrustIdentifierPolicy::new(own));
        assert!(!pinned.check(&context).is_trusted() && !policy.trusts_everyone());
        assert_eq!(pinned.pin(), Some(peer));
    }
}
