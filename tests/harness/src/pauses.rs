//! Times in which the machine ran nothing, as one does that shares its processors. A limit on how
//! long something may take is not meant for those.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        Arc, Mutex, MutexGuard, PoisonError,
    },
    thread::{park_timeout, spawn, JoinHandle},
    time::{Duration, Instant},
};

/// How often the watching thread wants to run.
const BEAT: Duration = Duration::from_millis(5);

/// A wait for a processor that is no pause: on a busy machine, threads have to wait for their turn.
const USUAL: Duration = Duration::from_millis(50);

/// A thread that wants to run every few milliseconds, and notes when it could not.
#[derive(Debug)]
pub struct Pauses {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    is_over: AtomicBool,
    noted: Mutex<Noted>,
}

#[derive(Debug)]
struct Noted {
    /// When the thread ran last.
    last: Instant,
    /// From when to when it could not.
    pauses: Vec<(Instant, Instant)>,
}

impl Pauses {
    /// Notes them from now on.
    pub fn watch() -> Self {
        let noted = Noted { last: Instant::now(), pauses: Vec::new() };
        let shared = Arc::new(Shared { is_over: AtomicBool::new(false), noted: Mutex::new(noted) });
        let watching = shared.clone();
        let thread = spawn(move || {
            while !watching.is_over.load(Relaxed) {
                park_timeout(BEAT);
                watching.noted().run_at(Instant::now());
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// How much of the time from `begin` to `end` the machine ran.
    pub fn running(&self, begin: Instant, end: Instant) -> Duration {
        let mut noted = self.shared.noted();
        // The thread may not have run yet after a pause.
        noted.run_at(Instant::now());
        noted.running(begin, end)
    }
}

impl Drop for Pauses {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does not panic.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    fn run_at(&mut self, now: Instant) {
        let last = std::mem::replace(&mut self.last, now);
        if now.saturating_duration_since(last) > USUAL {
            self.pauses.push((last, now));
        }
    }

    fn running(&self, begin: Instant, end: Instant) -> Duration {
        let within = |(from, to): &(Instant, Instant)| {
            (*to).min(end).saturating_duration_since((*from).max(begin))
        };
        let paused = self.pauses.iter().map(within).sum();
        end.saturating_duration_since(begin).saturating_sub(paused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_do_not_count_as_running() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut noted = Noted { last: start, pauses: Vec::new() };
        for millis in [10, 40, 1_040, 1_060, 1_260] {
            noted.run_at(at(millis));
        }
        for (begin, end, running) in [
            (0, 40, 40),
            (0, 1_060, 60),
            (500, 1_050, 10),
            (0, 5_000, 3_800),
            (100, 900, 0),
            (1_040, 1_050, 10),
        ] {
            let running = Duration::from_millis(running);
            assert_eq!(noted.running(at(begin), at(end)), running, "{begin} to {end}");
        }
    }

    #[test]
    fn a_quiet_machine_runs() {
        let (pauses, begin) = (Pauses::watch(), Instant::now());
        park_timeout(Duration::from_millis(20));
        let end = Instant::now();
        assert!(pauses.running(begin, end) <= end - begin);
    }
}
