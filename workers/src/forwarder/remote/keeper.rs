//! The actor that keeps a forwarder at a hub registered.
//!
//! * Owns: the right of the hub to reach the destination; the first hop to the hub, which keeps the
//!   connection being made again.
//! * States: those of [`RegistrationPhase`]. While the hub forwards, it renews within the lease,
//!   and watches for a loss, for a newer registration and for the hub's farewell. It leaves a hub
//!   that stops when it is told to, and waits for the loss. What was lost it registers again, with
//!   growing pauses, whenever the hub is connected.
//! * Inbox: [`Stop`], [`Leave`].
//! * Started by [`RemoteForwarder::create`](super::RemoteForwarder::create) once the first
//!   registration has succeeded, on the arbiter of the connection to the hub; stops on [`Stop`], or
//!   when its node begins to stop, and tells the hub.
//! * A panic ends it for a moment: it is [`Supervised`], and the next actor begins by registering
//!   again, which replaces the existing forwarder. The hub may reach the destination throughout.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    Arc,
};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture,
};
use ockam_actix_runtime::{
    metrics::{
        link::{Link, Opener},
        Metrics,
    },
    node::routing::NextHop,
    watched,
    worker::supervision::{Restartable, Restarting, Supervised},
    Address, Host, Message, Node, Result, Route,
};
use tokio::time::sleep;

use crate::{
    forwarder::{
        limits::MOVE_PAUSE,
        protocol::Request,
        remote::{
            attempts::{is_for_caller, Attempts},
            keeping::{register_first, Keeping},
            registrar::Registrar,
            registration::{AtHub, Forwarded, RegistrationPhase},
        },
        FORWARDING_SERVICE,
    },
    secure_channel::OpenSessions,
};

/// Tells a keeper to give up its forwarder.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Stop;

/// Tells a keeper whose hub stops to release the forwarder there, and to register again when the
/// hub is back.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Leave {
    /// Whether another hub forwards to the destination: then the channels that came through this
    /// one end after a moment, and are established again through that one.
    pub(super) is_elsewhere: bool,
}

pub(super) struct RegistrationKeeper {
    release: Release,
    /// The work of its task, and whether it begins as the one before panicked; taken when the actor
    /// starts.
    keeping: Option<(Keeping, bool)>,
    /// Taken when the forwarder is given up. It also holds the hub's right to reach the
    /// destination.
    supervised: Option<Supervised>,
}

/// What is needed to tell the hub that the forwarder is no longer wanted.
#[derive(Clone)]
struct Release {
    node: Node,
    hub: Route,
    state: Arc<watched::Sender<AtHub>>,
}

impl RegistrationKeeper {
    /// Registers for the first time and starts a keeper for what the hub has granted. With
    /// `keep_trying`, failures that the caller cannot mend are tried again.
    ///
    /// # Errors
    /// If the hub cannot be reached, refuses, or does not answer in time.
    pub(super) async fn launch(
        mut registrar: Registrar,
        forwarded: Forwarded,
        keep_trying: bool,
    ) -> Result<(Restarting<Self>, watched::Receiver<AtHub>)> {
        let node = registrar.node().clone();
        let hub = registrar.hub().clone();
        let mut first_hop = node.first_hop(&hub)?;
        let record = Link::along(Opener::Here, registrar.destination().clone(), &hub);
        let record = Metrics::of(&node).registrations.list(record);
        let mut attempts = Attempts::new();
        let granted = loop {
            match register_first(&mut registrar, &mut first_hop).await {
                Ok(granted) => break granted,
                Err(error) if !keep_trying || is_for_caller(&error) => return Err(error),
                Err(error) => {
                    record.down(error.one_line());
                    sleep(attempts.pause_after(&error)).await;
                }
            }
        };
        record.up("", Some(granted.address.to_string()));
        let epoch = first_hop.state().epoch;
        let first = AtHub {
            address: granted.address.clone(),
            id: granted.id,
            registrations: 1,
            phase: RegistrationPhase::Registered,
        };
        let (state, watched) = watched::channel(first);
        let state = Arc::new(state);
        let release = Release { node: node.clone(), hub, state: state.clone() };
        let record = record.into();
        let keeping = Keeping { registrar, first_hop, epoch, granted, state, record };
        let what = format!("the remote forwarder at {}", release.hub);
        let arbiter = node.arbiter_for(&keeping.first_hop);
        let begun = AtomicBool::new(false);
        let own = node.clone();
        let spec = KeeperSpec { _right: forwarded, node: own, arbiter, release, keeping, begun };
        Ok((Restarting::start(&node, what, spec)?, watched))
    }
}

/// What every keeper of one forwarder is started with.
struct KeeperSpec {
    /// The right of the hub to reach the destination, from the first keeper to the last. Dropped
    /// before the state, so that whoever sees that nobody can change that knows it taken back.
    _right: Forwarded,
    node: Node,
    arbiter: usize,
    release: Release,
    keeping: Keeping,
    /// Whether there was a keeper before.
    begun: AtomicBool,
}

impl Restartable for KeeperSpec {
    type Actor = RegistrationKeeper;

    fn start(&self, supervised: Supervised) -> Result<Addr<RegistrationKeeper>> {
        let begins_again = self.begun.swap(true, Ordering::AcqRel);
        let keeping = Some((self.keeping.clone(), begins_again));
        let (release, supervised) = (self.release.clone(), Some(supervised));
        let keeper = RegistrationKeeper { release, keeping, supervised };
        Ok(self.node.start_on(self.arbiter, move |_| keeper))
    }

    fn stop(&self, keeper: Addr<RegistrationKeeper>) {
        // One control message for each actor.
        #[allow(clippy::disallowed_methods)]
        keeper.do_send(Stop);
    }

    fn ended_in_pause(&self) {
        self.release.give_up();
    }
}

impl Actor for RegistrationKeeper {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        if let Some((keeping, begins_again)) = self.keeping.take() {
            context.spawn(keeping.keep(begins_again).into_actor(self));
        }
        // Otherwise new clients would begin handshakes with a node that ends meanwhile. Channels
        // that are open do not need the forwarder.
        let node = self.release.node.clone();
        let stopping = async move { node.stopping().await };
        context.spawn(stopping.into_actor(self).map(|(), keeper, context| keeper.end(context)));
    }
}

impl RegistrationKeeper {
    /// Ends keeping, and tells the hub.
    fn end(&mut self, context: &mut Context<Self>) {
        if let Some(mut supervised) = self.supervised.take() {
            supervised.end();
        }
        // The task ends with the context.
        context.stop();
        self.release.give_up();
    }

    /// Releases the forwarder, which has the task that keeps it wait for the hub's end.
    fn leave(&mut self, is_elsewhere: bool, context: &mut Context<Self>) {
        let Some(first_hop) = self.release.hub.first().cloned() else { return };
        if !self.release.leave() || !is_elsewhere {
            return;
        }
        let node = self.release.node.clone();
        context.run_later(MOVE_PAUSE, move |_, _| {
            let ended = OpenSessions::of(&node).leave(&first_hop);
            log::debug!("{ended} secure channels through {first_hop} are to move to another hub");
        });
    }
}

impl Handler<Leave> for RegistrationKeeper {
    type Result = ();

    fn handle(&mut self, Leave { is_elsewhere }: Leave, context: &mut Context<Self>) {
        self.leave(is_elsewhere, context);
    }
}

impl Handler<Stop> for RegistrationKeeper {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Context<Self>) {
        self.end(context);
    }
}

impl Release {
    /// Leaves a hub that stops. Returns false if it does not, or was left before.
    fn leave(&self) -> bool {
        self.send(RegistrationPhase::Left, |phase| phase == RegistrationPhase::HubLeaving)
    }

    fn give_up(&self) {
        self.send(RegistrationPhase::Released, RegistrationPhase::is_registered);
    }

    /// Tells the hub, and is in the phase `next`, if it is in one that is `due`. Returns whether it
    /// was.
    fn send(&self, next: RegistrationPhase, due: impl FnOnce(RegistrationPhase) -> bool) -> bool {
        let is_due = self.state.send_if_modified(|state| {
            let is_due = due(state.phase);
            state.phase = if is_due { next } else { state.phase };
            is_due
        });
        if !is_due {
            return false;
        }
        let service = self.hub.then(FORWARDING_SERVICE);
        let release = Request::Release(self.state.borrow().id).encode();
        // Nobody waits for an answer: there is none, and a hub that is gone needs no message.
        let request = Message::new(service, Address::random().into(), release);
        if let Err(undelivered) = self.node.try_route(request, NextHop::Chosen) {
            log::debug!(
                "a hub was not told that its forwarder was released: {}",
                undelivered.notice
            );
        }
        true
    }
}
