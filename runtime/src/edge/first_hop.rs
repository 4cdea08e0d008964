//! Paths: what a source of data needs to know about the first hop of its route.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{address::Address, edge::budget::Budget, trust::origin::Origin};

/// The state of a connection or a channel, told to all who send through it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkState {
    /// Grows each time that what was established is lost: what was sent before may be lost too.
    pub epoch: u64,
    /// Whether it is established now.
    pub up: bool,
    /// While it is not: why the last attempt to establish it failed, if there was one.
    pub failure: Option<Arc<str>>,
}

/// The first hop of a route as its sources see it: the budget that they wait for, and word of
/// its loss.
#[derive(Clone, Debug)]
pub struct FirstHop {
    /// The address of the first hop.
    pub address: Address,
    /// The bytes that may be under way over it.
    pub budget: Budget,
    /// The arbiter on which the first hop lives; its sources belong there too.
    pub arbiter: Option<usize>,
    pub(crate) state: Option<watch::Receiver<LinkState>>,
}

impl FirstHop {
    /// Decides whether a message can be an answer to what goes out here: over a connection or a
    /// channel only what comes in there. Where a worker of this node sends things on to is known
    /// to it alone, so then it is any message for an address that only the other end was told.
    pub fn answers(&self) -> impl Fn(&Origin) -> bool + Send + Sync + 'static {
        let link = self.state.as_ref().map(|_| self.address.clone());
        move |origin| link.as_ref().is_none_or(|link| origin.came_through(link))
    }

    /// Whether the loss of the first hop is told at all: of a connection or a channel, but not of
    /// a worker of this node.
    pub fn is_watched(&self) -> bool {
        self.state.is_some()
    }

    /// What is known of the first hop at this moment.
    pub fn state(&self) -> LinkState {
        let local = LinkState { epoch: 0, up: true, failure: None };
        self.state.as_ref().map_or(local, |state| state.borrow().clone())
    }

    /// Waits until what was established in `epoch` is lost. Never, for a worker of this node.
    pub async fn lost(&mut self, epoch: u64) {
        self.wait(|state| state.epoch != epoch).await;
    }

    /// Waits until the first hop is established. At once, for a worker of this node.
    pub async fn up(&mut self) {
        if self.state.is_some() {
            self.wait(|state| state.up).await;
        }
    }

    /// Waits until the first hop is established, or an attempt to do so has failed.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn attempted(&mut self) -> Result<(), Arc<str>> {
        if self.state.is_some() {
            self.wait(|state| state.up || state.failure.is_some()).await;
        }
        let state = self.state();
        match state.failure {
            Some(failure) if !state.up => Err(failure),
            _ => Ok(()),
        }
    }

    /// Waits until `condition` holds, or the first hop is gone for good.
    async fn wait(&mut self, mut condition: impl FnMut(&LinkState) -> bool) {
        match &mut self.state {
            Some(state) => {
                // An error says that the first hop is gone.
                let _ = state.wait_for(|state| condition(state)).await;
            }
            None => std::future::pending().await,
        }
    }
}
