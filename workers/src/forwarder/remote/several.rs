//! Forwarders at several hubs, which all have the same address for the destination.
//!
//! A client whose route has the list of hubs connects to whichever of them answers, and finds the
//! destination there.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use ockam_actix_runtime::{
    lock::Lock, watched, worker::supervision::Restarting, Error, Host, Result, Route,
};
use tokio::sync::mpsc::{self, UnboundedSender};

use crate::forwarder::remote::{
    keeper::{Leave, RegistrationKeeper, Stop},
    registrar::Registrar,
    registration::{Forwarded, RegistrationState},
};

/// The routes of a list such as `tcp#a:4000,b:4000`, each to one of its hubs.
pub(super) fn each_of(hubs: &Route) -> Vec<Route> {
    let Some(first) = hubs.first() else { return vec![hubs.clone()] };
    let to = |hub| std::iter::once(hub).chain(hubs.iter().skip(1).cloned()).collect();
    first.alternatives().map(to).collect()
}

/// The keeper at one hub, and what it says of itself.
type Kept = (Restarting<RegistrationKeeper>, watched::Receiver<RegistrationState>);

/// The registrations with all hubs. Clones share them.
#[derive(Clone)]
pub(super) struct Registrations(Arc<Shared>);

struct Shared {
    /// The number of hubs in the list.
    hubs: usize,
    kept: Lock<Vec<Kept>>,
    /// What they come to, from the first registration on.
    state: OnceLock<watched::Sender<RegistrationState>>,
    phase: watched::Sender<Phase>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No hub forwards yet, and whoever has started the registrations waits for one.
    Starting,
    /// One hub forwards or has forwarded: the others may take their time.
    Running,
    Stopped,
}

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
        let registrations = Self(Arc::new(Shared {
            hubs: hubs.len(),
            kept: Lock::default(),
            state: OnceLock::new(),
            phase: watched::Sender::new(Phase::Starting),
        }));
        let starting = Starting(&registrations);
        let (tell, mut attempts) = mpsc::unbounded_channel();
        for hub in hubs {
            registrations.register(hub, keep_trying, tell.clone());
        }
        drop(tell);
        // Nobody tells anything where the node ends.
        let mut failure = Error::Stopped;
        while let Some(attempt) = attempts.recv().await {
            match (attempt, registrations.0.state.get()) {
                (Ok(()), Some(state)) => {
                    let state = state.subscribe();
                    starting.done();
                    return Ok((registrations, state));
                }
                (Ok(()), None) => {}
                (Err(error), _) => failure = error,
            }
        }
        Err(failure)
    }

    /// Registers with one hub, and tells whether the first attempt has succeeded; goes on until one
    /// does.
    fn register(&self, hub: Registrar, keep_trying: bool, tell: UnboundedSender<Result<()>>) {
        let (registrations, node) = (self.clone(), hub.node().clone());
        let registering = async move {
            match keep(&hub, keep_trying).await {
                Ok(kept) => {
                    let following = registrations.follow(kept);
                    let _ = tell.send(Ok(()));
                    return Some(following);
                }
                // Nobody hears it once another hub forwards.
                Err(error) => drop(tell.send(Err(error))),
            }
            drop(tell);
            let mut phase = registrations.0.phase.subscribe();
            let running = phase.wait_for(|phase| *phase != Phase::Starting).await;
            if !running.is_ok_and(|phase| *phase == Phase::Running) {
                return None;
            }
            let kept = keep(&hub, true).await;
            let kept = kept.inspect_err(|error| log::error!("{}", error.one_line())).ok()?;
            Some(registrations.follow(kept))
        };
        let mut phase = self.0.phase.subscribe();
        node.spawn_on(node.next_arbiter(), async move {
            let following = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase == Phase::Stopped) => None,
                following = registering => following,
            };
            // It also says that the hub forwards no more, once that has been stopped.
            if let Some(following) = following {
                following.await;
            }
        });
    }

    /// Lists a keeper, and publishes what it says until it has ended.
    fn follow(&self, kept: Kept) -> impl Future<Output = ()> + use<> {
        let (shared, mut state) = (self.0.clone(), kept.1.clone());
        shared.kept.lock().push(kept);
        shared.publish();
        async move {
            while state.changed().await.is_ok() {
                shared.publish();
            }
        }
    }

    /// Gives up all forwarders: tells the hubs, which may no longer reach the destination when this
    /// returns.
    pub(super) async fn stop(&self) {
        self.0.phase.send_replace(Phase::Stopped);
        // They stay listed: what they say of the release is still to be published.
        let keepers: Vec<_> = self.0.kept.lock().iter().map(|(keeper, _)| keeper.clone()).collect();
        for keeper in keepers {
            if let Some(keeper) = keeper.end() {
                // An error means that it has stopped already.
                let _ = keeper.send(Stop).await;
            }
        }
    }
}

/// Registers with one hub, and keeps the registration.
async fn keep(hub: &Registrar, keep_trying: bool) -> Result<Kept> {
    let forwarded = Forwarded::claim(hub.node(), hub.hub(), hub.destination())?;
    RegistrationKeeper::launch(hub.clone(), forwarded, keep_trying).await
}

impl Shared {
    fn publish(&self) {
        let states: Vec<_> =
            self.kept.lock().iter().map(|(_, state)| state.borrow().clone()).collect();
        self.leave(&states);
        if let Some(together) = RegistrationState::together(states) {
            let state = self.state.get_or_init(|| watched::Sender::new(together.clone()));
            state.send_replace(together);
        }
    }
}

impl Shared {
    /// Has the hubs that stop be left as soon as another one forwards, or at once if there is no
    /// other one to wait for.
    fn leave(&self, states: &[RegistrationState]) {
        let is_elsewhere = states.iter().any(|state| state.registered && !state.is_leaving);
        if !is_elsewhere && self.hubs > 1 {
            return;
        }
        for (keeper, state) in self.kept.lock().iter() {
            let is_due = {
                let state = state.borrow();
                state.registered && state.is_leaving
            };
            if let (true, Some(keeper)) = (is_due, keeper.actor()) {
                // One control message for each farewell of a hub.
                #[allow(clippy::disallowed_methods)]
                keeper.do_send(Leave { is_elsewhere });
            }
        }
    }
}

/// Ends all attempts if whoever starts them waits no longer, or none has succeeded.
struct Starting<'a>(&'a Registrations);

impl Starting<'_> {
    fn done(self) {
        self.0 .0.phase.send_replace(Phase::Running);
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.0 .0.phase.send_if_modified(|phase| {
            let is_starting = *phase == Phase::Starting;
            *phase = if is_starting { Phase::Stopped } else { *phase };
            is_starting
        });
    }
}
