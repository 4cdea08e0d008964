//! The key histories that a node has met, so that a replaced key does not come back.
//!
//! | idea | module |
//! |---|---|
//! | what is known, and what makes room | `table` |
//! | who is told of news | `shared` |
//! | the bytes of its file | `codec` |
//! | the file, and the thread that keeps it | `file` |
//!
//! An identity keeps its identifier when its keys change, and the holder of an old key can still
//! show the history that ends with it, or appoint another successor. A node that has met the longer
//! history refuses the shorter one: an old key is used by somebody who should no longer have it.
//! Two histories that branch off each other prove that, but not who is who: the node refuses
//! *both*, says so as an error, and goes on doing so until its operator has decided.
//!
//! Two kinds are not remembered: histories of one key, as none is shorter, so that identities made
//! up by the thousand take no room here; and those of peers that neither passed a policy nor
//! registered. With a [`HistoryFile`] it lasts over restarts; a vault in a file has one beside it.

use std::{fmt, path::Path, sync::Arc};

use ockam_actix_runtime::{lock::Lock, Host, Identifier, Node};

use crate::identity::{
    policy::{Decision, TrustContext, TrustPolicy},
    Identity,
};

mod codec;
mod file;
mod shared;
mod table;
#[cfg(test)]
mod tests;

pub use self::{
    file::HistoryFile,
    table::{KeyRefused, KnownHistory, MetBy, MAX_KNOWN},
};
use self::{file::Wake, shared::Shared};

/// The histories that a node has met: one of its extensions, see
/// [`Node::extension`](ockam_actix_runtime::Node::extension).
#[derive(Default)]
pub struct KnownIdentities {
    shared: Arc<Shared>,
    refusals: Lock<u64>,
    keeping: Lock<Option<(Box<Path>, Wake)>>,
}

impl KnownIdentities {
    /// As [`KnownIdentities::meet_by`], by a policy that trusts everybody.
    ///
    /// # Errors
    /// As [`KnownIdentities::meet_by`].
    pub fn meet(&self, identity: &Identity) -> Result<(), KeyRefused> {
        self.meet_by(identity, MetBy::Anyone)
    }

    /// Compares an identity that has proved itself with what is known of it, and remembers what is
    /// new.
    ///
    /// # Errors
    /// If its history is older than the known one, or two exclude each other.
    pub fn meet_by(&self, identity: &Identity, by: MetBy) -> Result<(), KeyRefused> {
        let met = self.shared.table.lock().meet(identity, by);
        if met.is_news {
            self.wake();
            self.shared.tell(&identity.identifier());
        }
        if met.result.is_err() {
            *self.refusals.lock() += 1;
        }
        met.result
    }

    /// Compares an identity with what is known of it, and remembers nothing.
    ///
    /// # Errors
    /// As [`KnownIdentities::meet_by`].
    pub fn check(&self, identity: &Identity) -> Result<(), KeyRefused> {
        self.shared.table.lock().check(identity)
    }

    /// Calls `watcher` whenever something else is known about an identity than before: what was
    /// accepted until then may be refused now. There is one watcher, the first.
    pub fn on_change(&self, watcher: impl Fn(&Identifier) + Send + Sync + 'static) {
        // Nobody sets another one.
        let _ = self.shared.watcher.set(Box::new(watcher));
    }

    /// The longest history of an identity that was met and verified since the node was started.
    pub fn history_of(&self, identifier: &Identifier) -> Option<Identity> {
        self.shared.table.lock().shown(identifier).cloned()
    }

    /// What is known of an identity, also from a file.
    pub fn known(&self, identifier: &Identifier) -> Option<KnownHistory> {
        self.shared.table.lock().known(identifier).cloned()
    }

    /// How often an identity was refused for its history.
    pub fn refusals(&self) -> u64 {
        *self.refusals.lock()
    }

    fn wake(&self) {
        if let Some((_, wake)) = &*self.keeping.lock() {
            // An error means that it was told already.
            let _ = wake.try_send(());
        }
    }
}

impl HistoryFile {
    /// From now on `node` knows what is in the file, and adds to it what it meets. A node has one
    /// file, the first; what others hold is added to that.
    pub fn keep_for(&self, node: &impl AsRef<Node>) {
        let known = node.as_ref().extension(KnownIdentities::default);
        let mut keeping = known.keeping.lock();
        match &*keeping {
            Some((path, _)) if **path == *self.path() => {}
            Some(_) => self.add_to(&known.shared, false),
            None => {
                self.add_to(&known.shared, true);
                *keeping = Some((self.path().into(), self.start_keeping(known.shared.clone())));
            }
        }
        drop(keeping);
        known.wake();
    }
}

impl fmt::Debug for KnownIdentities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownIdentities({} histories)", self.shared.table.lock().len())
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
    fn precheck(&self, context: &TrustContext) -> Decision {
        self.policy.precheck(context)
    }

    fn check(&self, context: &TrustContext) -> Decision {
        let decision = self.policy.check(context);
        let (Decision::Trusted, Some(identity)) = (&decision, &context.identity) else {
            return decision;
        };
        let by = if self.policy.trusts_everyone() { MetBy::Anyone } else { MetBy::Name };
        match self.known.meet_by(identity, by) {
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
