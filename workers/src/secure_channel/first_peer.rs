//! The identity that a channel keeps to: the first one with which it was established.

use std::sync::{Arc, OnceLock};

use ockam_actix_runtime::Identifier;

use crate::identity::policy::{Decision, TrustContext, TrustPolicy};

/// The first peer of a channel, once there was one. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirstPeer(Arc<OnceLock<Identifier>>);

impl FirstPeer {
    /// `policy`, for a channel that keeps to this peer.
    pub(crate) fn keep_to(&self, policy: impl TrustPolicy) -> impl TrustPolicy {
        Keeping { policy, first: self.clone() }
    }

    /// Notes with whom the channel was established.
    pub(super) fn established(&self, peer: Identifier) {
        self.0.get_or_init(|| peer);
    }
}

/// A policy that trusts nobody but the first peer, once there was one.
struct Keeping<P> {
    policy: P,
    first: FirstPeer,
}

impl<P> Keeping<P> {
    fn is_first(&self, context: &TrustContext) -> Decision {
        match self.first.0.get() {
            Some(first) if *first != context.peer => Decision::reject(format!(
                "the channel was established with {first} before, and {} has answered now; a new \
                 channel may be opened to it, or one that takes any trusted peer",
                context.peer
            )),
            _ => Decision::Trusted,
        }
    }
}

impl<P: TrustPolicy> TrustPolicy for Keeping<P> {
    fn precheck(&self, context: &TrustContext) -> Decision {
        match self.is_first(context) {
            Decision::Trusted => self.policy.precheck(context),
            rejected => rejected,
        }
    }

    fn check(&self, context: &TrustContext) -> Decision {
        match self.is_first(context) {
            Decision::Trusted => self.policy.check(context),
            rejected => rejected,
        }
    }

    fn trusts_everyone(&self) -> bool {
        self.policy.trusts_everyone()
    }

    fn pin(&self) -> Option<Identifier> {
        self.policy.pin()
    }
}
