//! Forwarders at several hubs, which all have the same address for the destination.
//!
//! A client whose route has the list of hubs connects to whichever of them answers, and finds the
//! destination there.

use std::sync::Arc;

use ockam_actix_runtime::{
    lock::Lock, watched, worker::supervision::Restarting, Error, Host, Result, Route,
};
use tokio::{
    sync::mpsc::{self, UnboundedSender},
    time::sleep,
};

use crate::forwarder::remote::{
    attempts::Attempts,
    keeper::{Leave, RegistrationKeeper, Stop},
    registrar::Registrar,
    registration::{AtHub, Forwarded, RegistrationPhase, RegistrationState},
};

/// The routes of a list such as `tcp#a:4000,b:4000`, each to one of its hubs.
pub(super) fn each_of(hubs: &Route) -> Vec<Route> {
    let Some(first) = hubs.first() else { return vec![hubs.clone()] };
    let to = |hub| std::iter::once(hub).chain(hubs.iter().skip(1).cloned()).collect();
    first.alternatives().map(to).collect()
}

/// The registrations with all hubs, each kept by a task of its own. Clones share them.
#[derive(Clone)]
pub(super) struct Registrations {
    shared: Arc<Shared>,
    /// Nobody is left to send when the last of the tasks has ended.
    tasks: watched::Receiver<()>,
}

struct Shared {
    /// The number of hubs in the list.
    hubs: usize,
    all: Lock<All>,
    phase: watched::Sender<Phase>,
}

/// What the keepers say of themselves, and what it comes to. One lock has both, so that what is
/// published last is the newest.
#[derive(Default)]
struct All {
    kept: Vec<Kept>,
    /// From the first registration on.
    together: Option<watched::Sender<RegistrationState>>,
}

/// The keeper at one hub, and what it says of itself.
type Kept = (Restarting<RegistrationKeeper>, watched::Receiver<AtHub>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No hub forwards yet, and whoever has started the registrations waits for one.
    Starting,
    /// One hub forwards or has forwarded: the others may take their time.
    Running,
    Stopped,
}

/// What the first attempt at a hub has come to: what the registrations come to with it.
type Attempted = Result<watched::Receiver<RegistrationState>>;

impl Registrations {
    /// Registers with all hubs, and returns when the first one forwards, with what the
    /// registrations come to. The other hubs are tried again until they forward too.
    ///
    /// # Errors
    /// That of the last hub, if none forwards; with `keep_trying`, only what the caller can mend.
    pub(super) async fn start(
        hubs: Vec<Registrar>,
        keep_trying: bool,
    ) -> Result<(Self, watched::Receiver<RegistrationState>)> {
        let phase = watched::Sender::new(Phase::Starting);
        let shared = Arc::new(Shared { hubs: hubs.len(), all: Lock::default(), phase });
        let starting = Starting(&shared);
        let (attempted, mut attempts) = mpsc::unbounded_channel();
        let (ended, tasks) = watched::channel(());
        let ended = Arc::new(ended);
        for hub in hubs {
            let (shared, attempted, ended) = (shared.clone(), attempted.clone(), ended.clone());
            let node = hub.node().clone();
            node.spawn_on(node.next_arbiter(), async move {
                shared.keep(hub, keep_trying, attempted).await;
                drop(ended);
            });
        }
        drop((attempted, ended));
        // Nobody tells anything where the node ends.
        let mut failure = Error::Stopped;
        while let Some(attempt) = attempts.recv().await {
            match attempt {
                Ok(state) => {
                    starting.done();
                    return Ok((Self { shared, tasks }, state));
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Gives up all forwarders: tells the hubs, which may no longer reach the destination when this
    /// returns.
    pub(super) async fn stop(&self) {
        self.shared.phase.send_replace(Phase::Stopped);
        // Nothing is sent: an error says that the last task has ended.
        let _ = self.tasks.clone().changed().await;
    }
}

impl Shared {
    /// Registers with one hub and keeps that until all are stopped, or the node.
    async fn keep(
        self: Arc<Self>,
        registrar: Registrar,
        keep_trying: bool,
        attempted: UnboundedSender<Attempted>,
    ) {
        let kept = tokio::select! {
            biased;
            () = self.stopped() => None,
            kept = self.register(registrar, keep_trying, attempted) => kept,
        };
        let Some((keeper, mut hub)) = kept else { return };
        tokio::select! {
            biased;
            () = self.stopped() => {}
            () = self.follow(&mut hub) => return,
        }
        if let Some(keeper) = keeper.end() {
            // An error means that it has stopped already.
            let _ = keeper.send(Stop).await;
        }
        // It also says that the hub forwards no more. When nobody can say anything, the right of
        // the hub to reach the destination is gone.
        self.follow(&mut hub).await;
    }

    async fn stopped(&self) {
        // The sender is here.
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::Stopped).await;
    }

    /// Registers with one hub, and tells whether the first attempt has succeeded; once another hub
    /// forwards, goes on until one does.
    async fn register(
        &self,
        registrar: Registrar,
        keep_trying: bool,
        attempted: UnboundedSender<Attempted>,
    ) -> Option<Kept> {
        match keep(&registrar, keep_trying).await {
            Ok(kept) => {
                if let Some(together) = self.list(kept.clone()) {
                    let _ = attempted.send(Ok(together));
                }
                return Some(kept);
            }
            // Nobody hears it once another hub forwards.
            Err(error) => drop(attempted.send(Err(error))),
        }
        drop(attempted);
        // As all end with it, it is not awaited that they are stopped.
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::Running).await;
        let mut attempts = Attempts::new();
        loop {
            match keep(&registrar, true).await {
                Ok(kept) => {
                    self.list(kept.clone());
                    return Some(kept);
                }
                Err(_) if registrar.node().is_stopping() => return None,
                // Whoever has to mend it may do so at any time.
                Err(error) => sleep(attempts.pause_after(&error)).await,
            }
        }
    }

    /// Lists a keeper; returns what the registrations come to from now on.
    fn list(&self, kept: Kept) -> Option<watched::Receiver<RegistrationState>> {
        let mut all = self.all.lock();
        all.kept.push(kept);
        all.publish(self.hubs);
        all.together.as_ref().map(watched::Sender::subscribe)
    }

    /// Publishes what a keeper says until it has ended.
    async fn follow(&self, hub: &mut watched::Receiver<AtHub>) {
        while hub.changed().await.is_ok() {
            self.all.lock().publish(self.hubs);
        }
    }
}

/// Registers with one hub, and keeps the registration.
async fn keep(hub: &Registrar, keep_trying: bool) -> Result<Kept> {
    let forwarded = Forwarded::claim(hub.node(), hub.hub(), hub.destination())?;
    RegistrationKeeper::launch(hub.clone(), forwarded, keep_trying).await
}

impl All {
    fn publish(&mut self, hubs: usize) {
        let states: Vec<_> = self.kept.iter().map(|(_, hub)| hub.borrow().clone()).collect();
        self.leave(&states, hubs);
        let Some(now) = RegistrationState::together(&states) else { return };
        match &self.together {
            None => self.together = Some(watched::Sender::new(now)),
            Some(together) => {
                together.send_if_modified(|before| {
                    let is_new = *before != now;
                    *before = now;
                    is_new
                });
            }
        }
    }

    /// Has the hubs that stop be left as soon as another one forwards, or at once if there is no
    /// other one to wait for.
    fn leave(&self, states: &[AtHub], hubs: usize) {
        let is_elsewhere = states.iter().any(|hub| hub.phase == RegistrationPhase::Registered);
        if !is_elsewhere && hubs > 1 {
            return;
        }
        for ((keeper, _), hub) in self.kept.iter().zip(states) {
            let is_due = hub.phase == RegistrationPhase::HubLeaving;
            if let (true, Some(keeper)) = (is_due, keeper.actor()) {
                // One control message for each change at another hub until this one is left.
                #[allow(clippy::disallowed_methods)]
                keeper.do_send(Leave { is_elsewhere });
            }
        }
    }
}

/// Ends all attempts if whoever starts them waits no longer, or none has succeeded.
struct Starting<'a>(&'a Shared);

impl Starting<'_> {
    fn done(self) {
        self.0.phase.send_replace(Phase::Running);
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.0.phase.send_if_modified(|phase| {
            let is_starting = *phase == Phase::Starting;
            *phase = if is_starting { Phase::Stopped } else { *phase };
            is_starting
        });
    }
}
