//! Outages of the tunnel: streams may only break while a program that they need is down, and those
//! that were open not even then if it was the hub.

use crate::nodes::Program;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// From a client's decision to open a stream until the stream is open.
const OPENING: Duration = Duration::from_millis(500);

/// From each kill until a new connection came through again.
#[derive(Default)]
pub(crate) struct Outages(Mutex<Vec<Outage>>);

struct Outage {
    begin: Instant,
    end: Option<Instant>,
    killed: Program,
}

impl Outages {
    /// To be called just before a program is killed.
    pub(crate) fn begin(&self, killed: Program) -> Instant {
        let begin = Instant::now();
        self.lock().push(Outage { begin, end: None, killed });
        begin
    }

    /// To be called when a connection has come through again.
    pub(crate) fn end(&self) {
        if let Some(outage) = self.lock().last_mut() {
            outage.end = Some(Instant::now());
        }
    }

    /// Whether a stream that was begun then may have broken by now.
    pub(crate) fn may_break(&self, begun: Instant) -> bool {
        self.lock().iter().any(|outage| {
            let was_open = begun + OPENING < outage.begin;
            let spared = was_open && outage.killed == Program::Hub;
            !spared && outage.end.is_none_or(|end| end >= begun)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Outage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
