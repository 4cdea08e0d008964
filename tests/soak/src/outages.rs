//! Outages of the tunnel: streams may only break while a program that they need is down.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// From each kill until a new connection came through again.
#[derive(Default)]
pub(crate) struct Outages(Mutex<Vec<(Instant, Option<Instant>)>>);

impl Outages {
    /// To be called just before a program is killed.
    pub(crate) fn begin(&self) -> Instant {
        let now = Instant::now();
        self.lock().push((now, None));
        now
    }

    /// To be called when a connection has come through again.
    pub(crate) fn end(&self) {
        if let Some((_, end)) = self.lock().last_mut() {
            *end = Some(Instant::now());
        }
    }

    /// Whether there was one at any time since `begun`.
    pub(crate) fn since(&self, begun: Instant) -> bool {
        self.lock().iter().any(|(_, end)| end.is_none_or(|end| end >= begun))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Option<Instant>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
