//! Clients that never rest, except when they are told to.

use crate::{
    exchange::Order,
    traffic::Traffic,
    verdict::{Figure, Violation},
};
use ockam_actix_harness::random::Random;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Clients at a time.
const CLIENTS: usize = 6;

/// One stream in so many carries much.
const LARGE_ONE_IN: u64 = 3;

/// How long all streams may take to end once no new ones begin: each of them moves or ends within 5
/// s, and none has much left.
const END_WITHIN: Duration = Duration::from_secs(30);

/// The clients' threads; they end when this is dropped.
pub(crate) struct Load {
    gate: Arc<Gate>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts the clients, of which some carry up to `large` bytes each way.
    pub(crate) fn start(traffic: &Arc<Traffic>, random: &mut Random, large: u64) -> Self {
        let gate = Arc::new(Gate::default());
        let threads = (0..CLIENTS).map(|_| {
            let (traffic, gate) = (Arc::clone(traffic), Arc::clone(&gate));
            let random = Random::new(random.number());
            thread::spawn(move || client(&traffic, &gate, random, large))
        });
        let threads = threads.collect();
        Self { gate, threads }
    }

    /// Begins no more streams, and waits until there are none.
    pub(crate) fn pause(&self) -> Result<(), Violation> {
        let mut state = self.gate.lock();
        state.closed = true;
        let waited =
            self.gate.changed.wait_timeout_while(state, END_WITHIN, |state| state.streams > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.streams {
            0 => Ok(()),
            left => {
                let text = format!("{left} streams have not ended after {END_WITHIN:?}");
                Err(Violation::new(Figure::Orders, text))
            }
        }
    }

    /// Lets the clients go on.
    pub(crate) fn resume(&self) {
        self.gate.lock().closed = false;
        self.gate.changed.notify_all();
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.gate.lock().over = true;
        self.gate.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A client that panicked has printed why.
            let _ = thread.join();
        }
    }
}

fn client(traffic: &Traffic, gate: &Gate, mut random: Random, large: u64) {
    while gate.enter() {
        let outcome = match random.below(LARGE_ONE_IN) {
            0 => {
                let order = random.pick(&[Order::ClientFirst, Order::TargetFirst, Order::Both]);
                traffic.carry(order, random.below(large), random.below(large))
            }
            _ => traffic.compare(&mut random),
        };
        gate.leave();
        if let Err(violation) = outcome {
            return traffic.verdict.violated(violation);
        }
    }
}

/// The gate where clients wait while they are to rest.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    over: bool,
    streams: usize,
}

impl Gate {
    /// Waits until a stream may begin; false when there are to be no more.
    fn enter(&self) -> bool {
        let rests = |state: &mut State| state.closed && !state.over;
        let waited = self.changed.wait_while(self.lock(), rests);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.streams += usize::from(!state.over);
        !state.over
    }

    fn leave(&self) {
        self.lock().streams -= 1;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
