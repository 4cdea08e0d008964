//! How a node stops: peers that can move to another node do so, what is open may finish, users'
//! workers end with their `stopped` hooks, then connections tell their peers, and all else ends.

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

    /// See [`Host::evacuates`](crate::host::Host::evacuates).
    pub(crate) fn evacuates(&self, limit: Duration) {
        self.shared.shutdown.evacuates(limit);
    }

    /// See [`Host::will_evacuate`](crate::host::Host::will_evacuate).
    pub(crate) fn will_evacuate(&self) -> bool {
        !self.shared.shutdown.move_limit().is_zero()
    }

    /// See [`Host::moving`](crate::host::Host::moving).
    pub(crate) fn moving(&self) -> Busy {
        self.shared.shutdown.moving()
    }

    /// See [`Host::evacuating`](crate::host::Host::evacuating).
    pub(crate) async fn evacuating(&self) {
        self.shared.shutdown.wait_for(Stage::Evacuating).await;
    }

    /// See [`Host::is_evacuating`](crate::host::Host::is_evacuating).
    pub(crate) fn is_evacuating(&self) -> bool {
        self.shared.shutdown.has_reached(Stage::Evacuating)
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

    /// Stops accepting, has the peers of a hub move to other hubs, lets open streams finish for a
    /// few seconds, stops the workers, tells the peers of its connections, and ends the arbiters.
    /// The `stopped` hooks of the program's own workers have run when this returns, unless one of
    /// them takes longer than [`NodeLimits::drain_timeout`](crate::NodeLimits::drain_timeout). The
    /// actix `System` keeps running.
    pub async fn stop(&self) {
        let shutdown = &self.shared.shutdown;
        if !shutdown.is_first_call() {
            return self.stopped().await;
        }
        let _end = EndOnDrop(self);
        self.evacuate().await;
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

    /// Lets what can move to other nodes do so, if this node is one that is evacuated.
    async fn evacuate(&self) {
        let (shutdown, limit) = (&self.shared.shutdown, self.shared.shutdown.move_limit());
        if limit.is_zero() {
            return;
        }
        shutdown.enter(Stage::Evacuating);
        if shutdown.moved_within(SHORT_DRAIN.min(limit)).await {
            return;
        }
        log::info!("stopping: who can reach another hub has {limit:.0?} to move there");
        if !shutdown.moved_within(limit).await {
            log::info!("{} forwarders and connections have not moved", shutdown.moving_count());
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
