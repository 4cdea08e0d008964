//! The network, as a test that builds one sees it.

use std::{fmt, future::pending, sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::Notify, time::sleep_until};

use crate::{
    clock::Instant,
    lock::Lock,
    simulated::{link::LinkOptions, scope::Scope, state::State},
};

/// A simulated network. Clones share it.
#[derive(Clone)]
pub struct SimulatedNetwork {
    shared: Arc<Shared>,
}

struct Shared {
    seed: u64,
    began: Instant,
    state: Lock<State>,
    /// Tells the task that has things happen of an earlier event.
    earlier: Notify,
    runtime: Handle,
}

impl SimulatedNetwork {
    /// A network without hosts, in which all that is random follows from `seed`. Nothing happens in
    /// it until somebody [runs](Self::run) it.
    ///
    /// # Panics
    /// Outside of a tokio runtime, whose clock it follows.
    pub fn new(seed: u64) -> Self {
        let began = Instant::now();
        let state = Lock::new(State::new(seed, began));
        let (earlier, runtime) = (Notify::new(), Handle::current());
        Self { shared: Arc::new(Shared { seed, began, state, earlier, runtime }) }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// When it began.
    pub(super) fn began(&self) -> Instant {
        self.shared.began
    }

    /// What the network's own code runs in.
    pub fn scope(&self) -> Scope {
        Scope::new(self.shared.seed, self.shared.began)
    }

    /// Has things happen at their time, for as long as it is polled.
    pub async fn run(self) {
        loop {
            let next = self.with(|state| {
                state.run_due();
                state.next_event()
            });
            let due = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.shared.earlier.notified() => {}
                () = due => {}
            }
        }
    }

    /// How links are that nobody has set.
    pub fn set_default_link(&self, options: LinkOptions) {
        self.with(|state| state.default_link = options);
    }

    /// Adds a line to the log.
    pub fn note(&self, what: fmt::Arguments<'_>) {
        self.with(|state| state.note(what));
    }

    /// All that has happened, a line each: the seconds since the beginning, and what it was.
    pub fn log(&self) -> String {
        self.shared.state.lock().log.clone()
    }

    /// The connections that somebody knows of, a line each.
    pub fn connections(&self) -> Vec<String> {
        self.with(|state| state.describe())
    }

    /// The virtual time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.with(|state| state.now) - self.shared.began
    }

    /// Changes the state, and wakes whom that concerns.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Outside, the time would be the system's.
        let _inside = self.shared.runtime.enter();
        let (value, woken, is_earlier) = {
            let mut state = self.shared.state.lock();
            state.now = Instant::now();
            let before = state.next_event();
            let value = change(&mut state);
            let after = state.next_event();
            let is_earlier = after.is_some_and(|after| before.is_none_or(|before| after < before));
            (value, std::mem::take(&mut state.woken), is_earlier)
        };
        woken.into_iter().for_each(std::task::Waker::wake);
        if is_earlier {
            self.shared.earlier.notify_one();
        }
        value
    }
}

impl fmt::Debug for SimulatedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimulatedNetwork({})", self.shared.seed)
    }
}
