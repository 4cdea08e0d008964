//! The key histories that a node has met, so that a replaced key does not come back.
//!
//! | idea | module |
//! |---|---|
//! | what is known, and what makes room | `table` |
//! | the bytes of its file | `codec` |
//! | the file, and the thread that keeps it | `file` |
//!
//! An identity keeps its identifier when its keys change, and whoever has an old key can still show
//! the history that ends with it, or appoint another successor. A node that has met the longer
//! history refuses the shorter one: an old key is used by somebody who should no longer have it.
//! Two histories that branch off each other prove that, but not who is who: the node refuses
//! *both*, says so as an error, and goes on doing so until its operator has decided.
//!
//! Two kinds are not remembered: histories of one key, as none is shorter, so that identities made
//! up by the thousand take no room here; and those of peers that neither passed a policy nor
//! registered. With a [`HistoryFile`] it lasts over restarts; a vault in a file has one beside it.

use std::{fmt, path::Path, sync::Arc};

use ockam_actix_runtime::{lock::Lock, trust::refusal_log::RefusalLog, Host, Identifier, Node};

use crate::identity::{
    key_history::KeyHistory,
    policy::{Decision, TrustContext, TrustPolicy},
    Identity,
};

mod codec;
mod file;
mod table;
#[cfg(test)]
mod tests;

pub use self::{
    file::HistoryFile,
    table::{KeyRefused, KnownHistory, MetBy, MAX_KNOWN},
};
use self::{
    file::Wake,
    table::{fork_warning, Table},
};

/// The histories that a node has met: one of its extensions, see
/// [`Node::extension`](ockam_actix_runtime::Node::extension).
#[derive(Default)]
pub struct KnownIdentities {
    table: Arc<Lock<Table>>,
    refusals: Lock<u64>,
    log: RefusalLog,
    keeping: Lock<Option<(Box<Path>, Wake)>>,
}

impl KnownIdentities {
    /// Compares an identity that has proved itself with what is known of it, and remembers what is
    /// new.
    ///
    /// # Errors
    /// If its history is older than the known one, or two exclude each other.
    pub fn meet(&self, identity: &Identity, by: MetBy) -> Result<(), KeyRefused> {
        let met = self.table.lock().meet(identity, by);
        if met.is_news {
            self.wake();
        }
        if met.result.is_err() {
            *self.refusals.lock() += 1;
        }
        if met.is_news && met.result == Err(KeyRefused::Forked) {
            let warning = fork_warning(&identity.identifier());
            self.log.error("identity-forked", format_args!("{warning}"));
        }
        met.result
    }

    /// Compares an identity with what is known of it, and remembers nothing.
    ///
    /// # Errors
    /// As [`KnownIdentities::meet`].
    pub fn check(&self, identity: &Identity) -> Result<(), KeyRefused> {
        self.table.lock().check(identity)
    }

    /// The history of an identity, if it is remembered; the first of two that exclude each other.
    pub fn history_of(&self, identifier: &Identifier) -> Option<KeyHistory> {
        self.table.lock().known(identifier).map(|known| known.history().clone())
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
            Some(_) => self.add_to(&known.table, false),
            None => {
                self.add_to(&known.table, true);
                *keeping = Some((self.path().into(), self.start_keeping(known.table.clone())));
            }
        }
        drop(keeping);
        known.wake();
    }
}

impl fmt::Debug for KnownIdentities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownIdentities({} histories)", self.table.lock().len())
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
        let by = if self.policy.trusts_everyone() { MetBy::Anyone } else { MetBy::Name };
        match self.known.meet(identity, by) {
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
