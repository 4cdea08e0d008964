//! The key histories that a node has met, so that a replaced key does not come back.
//!
//! An identity keeps its identifier when its keys change, and whoever has an old key can still show
//! the history that ends with it. A node that has met the longer history refuses the shorter one,
//! and one that branches off: both mean that an old key is used by somebody who should no longer
//! have it.
//!
//! Two kinds are not remembered: histories of one key, as none is shorter, so that identities made
//! up by the thousand take no room here; and those of peers that the policy refused. The rest is
//! kept in memory for as long as the node runs.

use std::{collections::HashMap, fmt, sync::Arc};

use ockam_actix_runtime::{lock::Lock, Identifier};
use thiserror::Error;

use crate::identity::{
    policy::{Decision, TrustContext, TrustPolicy},
    HistoryRelation, Identity,
};

/// Histories that a node remembers, at most 2.7 KiB each and so 11 MiB in all. Beyond that, the one
/// that was not met for the longest time makes room; each costs its peer a whole handshake that the
/// policy accepts.
pub const MAX_KNOWN: usize = 4_096;

/// The histories that a node has met: one of its extensions, see
/// [`Node::extension`](ockam_actix_runtime::Node::extension).
#[derive(Default)]
pub struct KnownIdentities(Lock<Known>);

#[derive(Default)]
struct Known {
    histories: HashMap<Identifier, Met>,
    /// Counts meetings.
    clock: u64,
    refusals: u64,
}

struct Met {
    identity: Identity,
    last: u64,
}

/// Why an identity is refused although the policy trusts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyRefused {
    /// It shows the beginning of a longer history.
    #[error(
        "its key was replaced: it shows a history of {shown} keys, and {known} are known; \
         whoever uses it may have stolen it"
    )]
    Replaced {
        /// Keys in the history that was shown.
        shown: usize,
        /// Keys in the one that was met before.
        known: usize,
    },
    /// Its history and the known one begin alike and continue differently.
    #[error(
        "its history branches off the one that is known: an old key has appointed a second \
         successor"
    )]
    Forked,
}

impl KnownIdentities {
    /// Compares an identity that has proved itself with what is known of it, and remembers it if
    /// its history is longer.
    ///
    /// # Errors
    /// If its history is older than the known one, or branches off it.
    pub fn meet(&self, identity: &Identity) -> Result<(), KeyRefused> {
        let mut known = self.0.lock();
        let checked = known.check(identity);
        match checked {
            Ok(()) => known.remember(identity),
            Err(_) => known.refusals += 1,
        }
        checked
    }

    /// The history of an identity, if it is remembered.
    pub fn history_of(&self, identifier: &Identifier) -> Option<Identity> {
        let known = self.0.lock();
        known.histories.get(identifier).map(|met| met.identity.clone())
    }

    /// How often an identity was refused for its history.
    pub fn refusals(&self) -> u64 {
        self.0.lock().refusals
    }
}

impl Known {
    fn check(&self, identity: &Identity) -> Result<(), KeyRefused> {
        let Some(met) = self.histories.get(&identity.identifier()) else { return Ok(()) };
        match identity.relation_to(&met.identity) {
            HistoryRelation::Same | HistoryRelation::Newer | HistoryRelation::Unrelated => Ok(()),
            HistoryRelation::Older => Err(KeyRefused::Replaced {
                shown: identity.key_count(),
                known: met.identity.key_count(),
            }),
            HistoryRelation::Forked => Err(KeyRefused::Forked),
        }
    }

    fn remember(&mut self, identity: &Identity) {
        if identity.key_count() == 1 {
            return;
        }
        let identifier = identity.identifier();
        if self.histories.len() >= MAX_KNOWN && !self.histories.contains_key(&identifier) {
            let longest_ago = self.histories.iter().min_by_key(|(_, met)| met.last);
            if let Some(forgotten) = longest_ago.map(|(identifier, _)| *identifier) {
                self.histories.remove(&forgotten);
            }
        }
        self.clock += 1;
        self.histories.insert(identifier, Met { identity: identity.clone(), last: self.clock });
    }
}

impl fmt::Debug for KnownIdentities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.lock();
        write!(f, "KnownIdentities({} histories)", known.histories.len())
    }
}

/// A policy, and in addition the rule that no replaced key comes back.
#[derive(Clone)]
pub(crate) struct WithHistory {
    policy: Arc<dyn TrustPolicy>,
    known: Arc<KnownIdentities>,
}

impl WithHistory {
    pub(crate) fn new(policy: Arc<dyn TrustPolicy>, known: Arc<KnownIdentities>) -> Self {
        Self { policy, known }
    }
}

impl TrustPolicy for WithHistory {
    fn check(&self, context: &TrustContext) -> Decision {
        let decision = self.policy.check(context);
        let (Decision::Trusted, Some(identity)) = (&decision, &context.identity) else {
            return decision;
        };
        match self.known.meet(identity) {
            Ok(()) => Decision::Trusted,
            Err(refused) => Decision::reject(refused.to_string()),
        }
    }

    fn trusts_everyone(&self) -> bool {
        self.policy.trusts_everyone()
    }

    fn pin(&self) -> Option<Identifier> {
        self.policy.pin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{local_identity::LocalIdentity, policy::TrustEveryonePolicy};
    use ring::rand::SystemRandom;

    fn new() -> LocalIdentity {
        LocalIdentity::generate(&SystemRandom::new()).unwrap()
    }

    fn rotated(identity: &LocalIdentity) -> LocalIdentity {
        identity.rotated(&SystemRandom::new()).unwrap().unwrap()
    }

    #[test]
    fn longer_histories_are_remembered_and_shorter_ones_refused() {
        let known = KnownIdentities::default();
        let first = new();
        let second = rotated(&first);
        let third = rotated(&second);
        for identity in [&first, &first, &second, &second, &third] {
            assert_eq!(known.meet(identity.identity()), Ok(()));
        }
        for (shown, identity) in [(1, &first), (2, &second)] {
            let refused = Err(KeyRefused::Replaced { shown, known: 3 });
            assert_eq!(known.meet(identity.identity()), refused);
        }
        assert_eq!(known.meet(third.identity()), Ok(()));
        assert_eq!(known.refusals(), 2);
    }

    #[test]
    fn a_second_successor_is_refused_and_changes_nothing() {
        let known = KnownIdentities::default();
        let first = new();
        let (one, other) = (rotated(&first), rotated(&first));
        known.meet(one.identity()).unwrap();
        assert_eq!(known.meet(other.identity()), Err(KeyRefused::Forked));
        assert_eq!(known.meet(rotated(&other).identity()), Err(KeyRefused::Forked));
        assert_eq!(known.history_of(&first.identifier()).as_ref(), Some(one.identity()));
    }

    #[test]
    fn one_key_histories_are_skipped_and_others_capped() {
        let known = KnownIdentities::default();
        let old = new();
        known.meet(old.identity()).unwrap();
        assert_eq!(known.history_of(&old.identifier()), None);
        let (first, recent) = (rotated(&new()), rotated(&new()));
        known.meet(first.identity()).unwrap();
        known.meet(recent.identity()).unwrap();
        for _ in 2..MAX_KNOWN {
            known.meet(rotated(&new()).identity()).unwrap();
        }
        known.meet(first.identity()).unwrap();
        known.meet(rotated(&new()).identity()).unwrap();
        assert_eq!(known.0.lock().histories.len(), MAX_KNOWN);
        assert!(known.history_of(&first.identifier()).is_some());
        assert!(known.history_of(&recent.identifier()).is_none());
    }

    #[test]
    fn who_the_policy_refuses_is_not_remembered() {
        let known = Arc::new(KnownIdentities::default());
        let identity = rotated(&new());
        let context = TrustContext::of(new().identifier(), identity.identity().clone());
        let nobody = |_: &TrustContext| false;
        let refusing = WithHistory::new(Arc::new(nobody), known.clone());
        assert!(!refusing.check(&context).is_trusted());
        assert_eq!(known.history_of(&identity.identifier()), None);
        let trusting = WithHistory::new(Arc::new(TrustEveryonePolicy), known.clone());
        assert!(trusting.check(&context).is_trusted() && trusting.trusts_everyone());
        assert!(known.history_of(&identity.identifier()).is_some());
    }
}
