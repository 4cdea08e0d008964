//! The shutdown of a node: how far it has come, and the work that it lets finish.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Duration,
};

use crate::{lock::Lock, watched};

/// How far a node's shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Running,
    Evacuating,
    Draining,
    Resetting,
    Leaving,
    Stopped,
}

/// The stage that a node has reached, and how many streams it lets finish when it stops.
#[derive(Debug)]
pub(super) struct Shutdown {
    stage: watched::Sender<Stage>,
    busy: Arc<watched::Sender<usize>>,
    alive: Arc<watched::Sender<usize>>,
    links: Arc<watched::Sender<usize>>,
    moving: Arc<watched::Sender<usize>>,
    /// How long what is to move to other nodes may take.
    move_limit: Lock<Duration>,
    stop_called: AtomicBool,
}

impl Shutdown {
    pub(super) fn new() -> Self {
        Self {
            stage: watched::Sender::new(Stage::Running),
            busy: Arc::new(watched::Sender::new(0)),
            alive: Arc::new(watched::Sender::new(0)),
            links: Arc::new(watched::Sender::new(0)),
            moving: Arc::new(watched::Sender::new(0)),
            move_limit: Lock::default(),
            stop_called: AtomicBool::new(false),
        }
    }

    /// Whether this is the first call.
    pub(super) fn is_first_call(&self) -> bool {
        !self.stop_called.swap(true, Ordering::AcqRel)
    }

    /// Whether `stage` has been reached.
    pub(super) fn has_reached(&self, stage: Stage) -> bool {
        *self.stage.borrow() >= stage
    }

    /// Enters `stage` and wakes all who wait for it.
    pub(super) fn enter(&self, stage: Stage) {
        self.stage.send_replace(stage);
    }

    /// Waits until `stage` has been reached.
    pub(super) async fn wait_for(&self, stage: Stage) {
        // The sender lives as long as `self`, so there is no error.
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }

    /// Marks work that a stopping node lets finish, until the guard is dropped.
    pub(super) fn busy(&self) -> Busy {
        Busy::one_of(&self.busy)
    }

    /// Marks a worker that a stopping node lets end, until the guard is dropped.
    pub(super) fn alive(&self) -> Busy {
        Busy::one_of(&self.alive)
    }

    /// Marks a connection that a stopping node lets tell its peer, until the guard is dropped.
    pub(super) fn link(&self) -> Busy {
        Busy::one_of(&self.links)
    }

    /// Marks something that a stopping node lets move to another node, until the guard is dropped.
    pub(super) fn moving(&self) -> Busy {
        Busy::one_of(&self.moving)
    }

    /// Sets how long that may take.
    pub(super) fn evacuates(&self, limit: Duration) {
        *self.move_limit.lock() = limit;
    }

    /// How long that may take: no time, unless it was set.
    pub(super) fn move_limit(&self) -> Duration {
        *self.move_limit.lock()
    }

    /// The number of guards that [`moving`](Self::moving) has given out.
    pub(super) fn moving_count(&self) -> usize {
        *self.moving.borrow()
    }

    /// Waits until nothing is to move any more; false if that takes longer than `limit`.
    pub(super) async fn moved_within(&self, limit: Duration) -> bool {
        is_zero_within(&self.moving, limit).await
    }

    /// The number of guards that [`busy`](Self::busy) has given out.
    pub(super) fn busy_count(&self) -> usize {
        *self.busy.borrow()
    }

    /// The number of guards that [`alive`](Self::alive) has given out.
    pub(super) fn alive_count(&self) -> usize {
        *self.alive.borrow()
    }

    /// Waits until nothing is busy; false if that takes longer than `limit`.
    pub(super) async fn drained_within(&self, limit: Duration) -> bool {
        is_zero_within(&self.busy, limit).await
    }

    /// Waits until no worker is alive; false if that takes longer than `limit`.
    pub(super) async fn ended_within(&self, limit: Duration) -> bool {
        is_zero_within(&self.alive, limit).await
    }

    /// Waits until no connection is left, or `limit` has passed.
    pub(super) async fn left_within(&self, limit: Duration) -> bool {
        is_zero_within(&self.links, limit).await
    }
}

async fn is_zero_within(count: &watched::Sender<usize>, limit: Duration) -> bool {
    let mut count = count.subscribe();
    let is_zero = count.wait_for(|count| *count == 0);
    let in_time = tokio::time::timeout(limit, is_zero).await.is_ok();
    in_time
}

/// Work that a stopping node lets finish, until this is dropped.
#[derive(Debug)]
pub struct Busy {
    count: Arc<watched::Sender<usize>>,
}

impl Busy {
    fn one_of(count: &Arc<watched::Sender<usize>>) -> Self {
        // Waiters wait for a count of 0, so there is nobody to wake.
        count.send_if_modified(|count| {
            *count += 1;
            false
        });
        Self { count: count.clone() }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.count.send_if_modified(|count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}
