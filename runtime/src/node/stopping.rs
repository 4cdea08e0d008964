//! How a node stops: what is open may finish, users' workers end with their `stopped` hooks, then
//! connections tell their peers, and all else ends.

use std::time::Duration;

use crate::{
    error::{Error, Result},
    limits::{FAREWELL_TIMEOUT, RESET_BEFORE_END},
    node::{
        shutdown::{Busy, Stage},
        Node,
    },
    trust::reachability::Class,
};

/// A drain that is complete within this time is not worth a line in the log.
const SHORT_DRAIN: Duration = Duration::from_millis(100);

impl Node {
    /// See [`Host::busy`](crate::host::Host::busy).
    pub(crate) fn busy(&self) -> Busy {
        self.shared.shutdown.busy()
    }

    /// Marks a worker of users that lives, until the guard is dropped after its `stopped` hook.
    pub(crate) fn alive(&self) -> Busy {
        self.shared.shutdown.alive()
    }

    /// See [`Host::stopping`](crate::host::Host::stopping).
    pub(crate) async fn stopping(&self) {
        self.shared.shutdown.wait_for(Stage::Draining).await;
    }

    /// See [`Host::link`](crate::host::Host::link).
    pub(crate) fn link(&self) -> Busy {
        self.shared.shutdown.link()
    }

    /// See [`Host::resetting`](crate::host::Host::resetting).
    pub(crate) async fn resetting(&self) {
        self.shared.shutdown.wait_for(Stage::Resetting).await;
    }

    /// See [`Host::leaving`](crate::host::Host::leaving).
    pub(crate) async fn leaving(&self) {
        self.shared.shutdown.wait_for(Stage::Leaving).await;
    }

    /// Waits until the node has stopped, also where nobody has called [`stop`](Self::stop): it ends
    /// with the actix `System` that it was started in.
    pub async fn stopped(&self) {
        self.shared.shutdown.wait_for(Stage::Stopped).await;
    }

    /// Whether the node has begun to stop.
    pub fn is_stopping(&self) -> bool {
        self.shared.shutdown.has_reached(Stage::Draining)
    }

    /// Checks that the node has not ended.
    pub(crate) fn check_running(&self) -> Result<()> {
        match self.shared.shutdown.has_reached(Stage::Stopped) {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }

    /// Stops accepting, lets open streams finish for a few seconds, stops the workers, tells the
    /// peers of its connections, and ends the arbiters. The `stopped` hooks of the program's own
    /// workers have run when this returns, unless one of them takes longer than
    /// [`NodeLimits::drain_timeout`](crate::NodeLimits::drain_timeout). The actix `System` keeps
    /// running.
    pub async fn stop(&self) {
        let shutdown = &self.shared.shutdown;
        if !shutdown.is_first_call() {
            return self.stopped().await;
        }
        let _end = EndOnDrop(self);
        shutdown.enter(Stage::Draining);
        let limit = self.limits().drain_timeout;
        if !shutdown.drained_within(SHORT_DRAIN).await {
            log::info!("stopping: open streams have {limit:?} to finish");
            let last = RESET_BEFORE_END.min(limit / 2);
            if !shutdown.drained_within(limit.saturating_sub(last)).await {
                log::info!("{} streams were still open and are reset", shutdown.busy_count());
                shutdown.enter(Stage::Resetting);
                // Peers that are not told in time find it out when they ask.
                let _ = shutdown.drained_within(last).await;
            }
        }
        // What they send in their hooks still finds the others and the connections.
        self.shared.directory.stop_class(Class::User);
        if !shutdown.ended_within(limit).await {
            log::warn!("{} workers have not stopped within {limit:?}", shutdown.alive_count());
        }
        shutdown.enter(Stage::Leaving);
        if !shutdown.left_within(FAREWELL_TIMEOUT).await {
            log::debug!("some peers were not told that this node stops");
        }
    }
}

/// Ends the node, also where the future that stops it is dropped half way, perhaps with the worker
/// that has called it.
struct EndOnDrop<'a>(&'a Node);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.shared.end();
    }
}
