//! What a command starts: a hub, an outlet or an inlet whose options have been checked.

use std::{future::Future, path::PathBuf, pin::Pin};

use ockam::{Context, Result};

use crate::command::{doubts::Doubts, node_address::NodeAddress};

/// The parts of a start that is under way.
pub(crate) type Start<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// A hub, an outlet or an inlet. There is one only where its options are right: what still fails
/// then is a matter of what they name.
pub(crate) trait Startable: Send + Sync {
    /// What tells it from others of its kind, for people.
    fn name(&self) -> &str;

    /// The addresses that it listens on: for nodes, for clients, and for who asks its console.
    fn listens(&self) -> Vec<String>;

    /// What it registers at hubs, which nothing else may have there.
    fn service(&self) -> Option<HubService<'_>> {
        None
    }

    /// Whether it may take long until it has started, and others need not wait for it.
    fn waits_for_others(&self) -> bool {
        false
    }

    /// Looks at the files and hosts that it names.
    ///
    /// # Errors
    /// If it cannot start with them.
    fn probe(&self, doubts: &mut Doubts) -> Result<()>;

    /// Starts it on a node of its own, as the one with this number, from 0, among those of its kind
    /// in the process.
    fn start(&self, ctx: Context, number: u16) -> Start<'_>;
}

/// A service at hubs.
pub(crate) struct HubService<'a> {
    /// Whose it is.
    pub(crate) owner: KeptIdentity<'a>,
    /// Empty if it has none.
    pub(crate) name: &'a str,
    pub(crate) hubs: &'a [NodeAddress],
}

/// An identity that a vault keeps.
#[derive(PartialEq, Eq)]
pub(crate) struct KeptIdentity<'a> {
    pub(crate) name: &'a str,
    pub(crate) vault: PathBuf,
}
