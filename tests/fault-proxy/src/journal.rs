//! What a proxy's directions share: whether there are faults, and the log of them.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use crate::{
    fault::Fault,
    script::{Operation, Script},
};

/// The log of a proxy.
#[derive(Debug)]
pub(crate) struct Journal {
    fault: Fault,
    seed: u64,
    begun: Instant,
    entries: Mutex<(usize, String)>,
    /// Whether the proxy passes everything on unchanged.
    pub(crate) calm: watch::Sender<bool>,
}

impl Journal {
    pub(crate) fn new(fault: Fault, seed: u64) -> Arc<Self> {
        let (entries, calm) = (Mutex::default(), watch::Sender::new(false));
        Arc::new(Self { fault, seed, begun: Instant::now(), entries, calm })
    }

    fn entries(&self) -> MutexGuard<'_, (usize, String)> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the fault is a reset.
    pub(crate) fn is_reset(&self) -> bool {
        self.fault == Fault::Reset
    }

    /// How many faults there were.
    pub(crate) fn faults(&self) -> usize {
        self.entries().0
    }

    /// A line for each of them.
    pub(crate) fn log(&self) -> String {
        self.entries().1.clone()
    }

    /// Waits until there are no more faults.
    pub(crate) async fn wait_for_calm(&self) {
        // It ends with an error when the sender is gone, which is `self`.
        let _ = self.calm.subscribe().wait_for(|calm| *calm).await;
    }
}

/// One direction of one connection.
pub(crate) struct Direction {
    label: String,
    script: Script,
    count: usize,
    is_faulty: bool,
    journal: Arc<Journal>,
}

impl Direction {
    pub(crate) fn new(journal: &Arc<Journal>, connection: u64, up: bool) -> Self {
        let seed = journal.seed ^ ((2 * connection + u64::from(up)) << 40);
        Self {
            label: format!("{connection} {}", if up { "up" } else { "down" }),
            script: Script::new(journal.fault, seed),
            count: 0,
            is_faulty: false,
            journal: journal.clone(),
        }
    }

    /// Whether it has met a fault.
    pub(crate) fn is_faulty(&self) -> bool {
        self.is_faulty
    }

    /// What happens to what comes next. What `is_exempt` meets no fault.
    pub(crate) fn handle(&mut self, unit: Vec<u8>, is_exempt: bool) -> Vec<Operation> {
        self.count += 1;
        if is_exempt || *self.journal.calm.borrow() {
            return vec![Operation::Send(unit)];
        }
        let length = unit.len();
        let (operations, due) = self.script.handle_frame(unit);
        if due {
            self.is_faulty = true;
            self.note(length);
        }
        operations
    }

    fn note(&self, length: usize) {
        let Self { label, count, journal, .. } = self;
        let (after, fault) = (journal.begun.elapsed().as_micros(), journal.fault);
        let (faults, log) = &mut *journal.entries();
        *faults += 1;
        let _ = writeln!(log, "{after} {label} number {count} {length} bytes {fault}");
    }
}
