//! The state that the node and the thread of its file share: the table, and the listeners for news.

use std::sync::OnceLock;

use ockam_actix_runtime::{lock::Lock, trust::refusal_log::RefusalLog, Identifier};

use crate::identity::known_identities::table::{KnownHistory, Table};

#[derive(Default)]
pub(super) struct Shared {
    pub(super) table: Lock<Table>,
    pub(super) watcher: OnceLock<Watcher>,
    log: RefusalLog,
}

/// Is told of whom something else is known than before.
pub(super) type Watcher = Box<dyn Fn(&Identifier) + Send + Sync>;

impl Shared {
    /// Tells the operator of a fork, and the watcher of everything. Strangers can make up forks of
    /// identities of their own, so few of them are logged.
    pub(super) fn tell(&self, identifier: &Identifier) {
        let is_forked = {
            let table = self.table.lock();
            matches!(table.known(identifier), Some(KnownHistory::Forked(..)))
        };
        if is_forked {
            self.log.error("identity-forked", format_args!("{}", fork_warning(identifier)));
        }
        if let Some(watcher) = self.watcher.get() {
            watcher(identifier);
        }
    }
}

/// What the operator has to know and to do.
fn fork_warning(identifier: &Identifier) -> String {
    format!(
        "{identifier} has shown two key histories that exclude each other: somebody else uses one \
         of its former keys. Both are refused from now on. Ask its owner for the output of \"ockam \
         identity export-public\", and accept that with \"ockam identity known accept\"; or trust \
         a new identity instead"
    )
}
