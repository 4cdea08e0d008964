//! The actor that keeps a forwarder at a hub registered.
//!
//! * Owns: the right of the hub to reach the destination; the first hop to the hub, which keeps the
//!   connection being made again.
//! * States: registered (renewing within the lease, watching for a loss, for a newer registration,
//!   and for the hub's farewell), left (the hub stops; waiting for the loss), lost (registering
//!   again, with growing pauses, whenever the hub is connected), displaced (nothing, until it is
//!   stopped: a newer instance has the address).
//! * Inbox: [`Stop`], [`Leave`].
//! * Started by [`RemoteForwarder::create`](super::RemoteForwarder::create) once the first
//!   registration has succeeded, on the arbiter of the connection to the hub; stops on [`Stop`], or
//!   when its node begins to stop, and tells the hub.
//! * A panic ends it for a moment: it is [`Supervised`], and the next actor begins by registering
//!   again, which replaces the existing forwarder. The hub may reach the destination throughout.

use std::{
    future::pending,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture,
};
use ockam_actix_runtime::{
    edge::first_hop::FirstHop,
    metrics::{
        link::{Link, Opener},
        listing::Recorded,
        Metrics,
    },
    node::routing::NextHop,
    watched,
    worker::supervision::{Restartable, Restarting, Supervised},
    Address, Error, Host, Message, Node, Result, Route,
};
use tokio::time::{sleep, timeout};

use crate::{
    forwarder::{
        limits::{MOVE_PAUSE, STOPPING_HUB_PATIENCE},
        protocol::Request,
        remote::{
            attempts::{is_for_caller, Attempts},
            inbox::Told,
            registrar::{Failure, Granted, Registrar},
            registration::{Forwarded, RegistrationState},
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
    /// The work of its task, taken when the actor starts.
    keeping: Option<Keeping>,
    /// Taken when the forwarder is given up. It also holds the hub's right to reach the
    /// destination.
    supervised: Option<Supervised>,
}

/// What a keeper's one task works with.
#[derive(Clone)]
struct Keeping {
    registrar: Registrar,
    first_hop: FirstHop,
    epoch: u64,
    granted: Granted,
    state: Arc<watched::Sender<RegistrationState>>,
    /// Whether the hub forwards at the start.
    registered: bool,
    record: Arc<Recorded<Link>>,
}

/// What is needed to tell the hub that the forwarder is no longer wanted.
#[derive(Clone)]
struct Release {
    node: Node,
    hub: Route,
    state: Arc<watched::Sender<RegistrationState>>,
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
    ) -> Result<(Restarting<Self>, watched::Receiver<RegistrationState>)> {
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
        let first = RegistrationState {
            address: granted.address.clone(),
            registered: true,
            displaced: false,
            registrations: 1,
            id: granted.id,
            is_leaving: false,
        };
        let (state, watched) = watched::channel(first);
        let state = Arc::new(state);
        let release = Release { node: node.clone(), hub, state: state.clone() };
        let (registered, record) = (true, record.into());
        let keeping = Keeping { registrar, first_hop, epoch, granted, state, registered, record };
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
        let mut keeping = self.keeping.clone();
        keeping.registered = !self.begun.swap(true, Ordering::AcqRel);
        let (release, supervised) = (self.release.clone(), Some(supervised));
        let keeper = RegistrationKeeper { release, keeping: Some(keeping), supervised };
        Ok(self.node.start_on(self.arbiter, move |_| keeper))
    }

    fn stop(&self, keeper: Addr<RegistrationKeeper>) {
        // One control message for each actor.
        #[allow(clippy::disallowed_methods)]
        keeper.do_send(Stop);
    }

    fn ended_in_pause(&self) {
        self.release.send();
    }
}

impl Actor for RegistrationKeeper {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        if let Some(keeping) = self.keeping.take() {
            context.spawn(keeping.keep().into_actor(self));
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
        self.release.send();
    }

    /// Releases the forwarder, which has the task that keeps it wait for the hub's end.
    fn leave(&mut self, is_elsewhere: bool, context: &mut Context<Self>) {
        let Some(first_hop) = self.release.hub.first().cloned() else { return };
        self.release.send();
        if !is_elsewhere {
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
    fn send(&self) {
        let state = self.state.borrow().clone();
        if !state.registered {
            return;
        }
        self.state.send_modify(|state| state.registered = false);
        let service = self.hub.then(FORWARDING_SERVICE);
        // Nobody waits for an answer: there is none, and a hub that is gone needs no message.
        let request =
            Message::new(service, Address::random().into(), Request::Release(state.id).encode());
        if let Err(undelivered) = self.node.try_route(request, NextHop::Chosen) {
            log::debug!(
                "a hub was not told that its forwarder was released: {}",
                undelivered.notice
            );
        }
    }
}

/// A newer instance has the address.
struct Displaced;

impl Keeping {
    async fn keep(mut self) {
        loop {
            let lost = match std::mem::replace(&mut self.registered, true) {
                true => self.while_registered().await,
                false => Error::Bug("its keeper panicked".into()).into(),
            };
            self.state.send_modify(|state| state.registered = false);
            match lost {
                Failure::Leaving => {
                    self.record.down("the hub stops");
                    self.left().await;
                }
                Failure::Failed(reason) => {
                    self.record.down(reason.one_line());
                    self.log_loss(&reason);
                }
                Failure::Displaced => return self.displaced(),
            }
            if let Err(Displaced) = self.register_again().await {
                return self.displaced();
            }
        }
    }

    /// Renews until the forwarder is lost, and says how.
    async fn while_registered(&mut self) -> Failure {
        let (inbox, mut released) = (self.granted.inbox.clone(), self.state.subscribe());
        loop {
            let renewal = async {
                sleep(self.granted.lease / 3).await;
                self.registrar.in_time(self.registrar.renew(&self.granted)).await
            };
            tokio::select! {
                biased;
                told = inbox.told() => match told {
                    Told::Displaced => return Failure::Displaced,
                    Told::Leaving => self.note_leaving(),
                },
                _ = released.wait_for(|state| !state.registered) => return Failure::Leaving,
                renewed = renewal => if let Err(error) = renewed { return Failure::Failed(error) },
                () = self.first_hop.lost(self.epoch) => {
                    let failure = self.first_hop.state().failure;
                    let why = failure.as_deref().unwrap_or("the connection was lost");
                    return self.registrar.unreachable(why).into();
                }
            }
        }
    }

    /// The hub stops soon. Whoever knows the other hubs says when to leave.
    fn note_leaving(&self) {
        if !self.state.borrow().is_leaving {
            log::info!("the hub {} stops soon", self.registrar.hub());
            self.state.send_modify(|state| state.is_leaving = true);
        }
    }

    /// Waits until the hub that was left has ended.
    async fn left(&mut self) {
        // An error says that it goes on after all.
        let _ = timeout(STOPPING_HUB_PATIENCE, self.first_hop.lost(self.epoch)).await;
    }

    /// Logs that the hub no longer forwards, which is no reason for an alarm where it has said that
    /// it stops.
    fn log_loss(&self, reason: &Error) {
        let state = self.first_hop.state();
        let planned = state.announced;
        let level = if planned { log::Level::Info } else { log::Level::Warn };
        let (hub, reason) = (
            self.registrar.hub(),
            state.failure.map_or_else(|| reason.one_line(), |why| why.to_string()),
        );
        log::log!(level, "the hub {hub} no longer forwards here: {reason}; registering again");
    }

    /// Tries until the hub forwards again. Whatever fails may be mended, so that only the end of the
    /// keeper ends this.
    ///
    /// # Errors
    /// If a newer instance has the address.
    async fn register_again(&mut self) -> Result<(), Displaced> {
        let mut attempts = Attempts::new();
        loop {
            match self.try_again().await {
                Ok(granted) => {
                    self.regained(granted);
                    return Ok(());
                }
                // The keeper is about to end.
                Err(Failure::Failed(_)) if self.registrar.node().is_stopping() => pending().await,
                Err(Failure::Failed(error)) => {
                    self.record.down(error.one_line());
                    sleep(attempts.pause_after(&error)).await;
                }
                Err(Failure::Leaving) => self.left().await,
                Err(Failure::Displaced) => return Err(Displaced),
            }
        }
    }

    /// Gives the address up to the instance that has it.
    fn displaced(&self) {
        log::error!(
            "another program has registered this identity and service with the hub {}, and this \
             one stays away",
            self.registrar.hub()
        );
        log::error!("end one of the two programs, or give them different service names");
        self.record.down("another program has the address now");
        self.state.send_modify(|state| state.displaced = true);
    }

    async fn try_again(&mut self) -> Result<Granted, Failure> {
        // The connection may have another actor by now; asking for the first hop dials if it must.
        self.first_hop = self.registrar.node().first_hop(self.registrar.hub())?;
        self.first_hop.up().await;
        self.epoch = self.first_hop.state().epoch;
        register(&mut self.registrar, &mut self.first_hop, self.epoch).await
    }

    fn regained(&mut self, granted: Granted) {
        let (hub, address) = (self.registrar.hub(), &granted.address);
        if *address == self.granted.address {
            log::info!("the hub {hub} forwards here again, at the same address");
        } else {
            log::warn!(
                "the hub {hub} forwards here again, at a NEW address: {address} \
                 (the destination has no identity that could claim the old one)"
            );
        }
        self.record.up("", Some(address.to_string()));
        self.granted = granted;
        self.state.send_modify(|state| {
            state.address = self.granted.address.clone();
            state.id = self.granted.id;
            (state.registered, state.is_leaving) = (true, false);
            state.registrations += 1;
        });
    }
}

/// The first registration, over a link that is still to be made.
async fn register_first(registrar: &mut Registrar, first_hop: &mut FirstHop) -> Result<Granted> {
    let connecting = async {
        let attempted = first_hop.attempted().await;
        attempted.map_err(|failure| registrar.unreachable(&failure))
    };
    registrar.in_time(connecting).await?;
    let epoch = first_hop.state().epoch;
    register(registrar, first_hop, epoch).await.map_err(|failure| match failure {
        Failure::Failed(error) => error,
        Failure::Displaced => registrar.unreachable("a newer registration has its address"),
        Failure::Leaving => registrar.unreachable("it stops"),
    })
}

/// One registration over a link that is up; it fails at once when the link is lost.
async fn register(
    registrar: &mut Registrar,
    first_hop: &mut FirstHop,
    epoch: u64,
) -> Result<Granted, Failure> {
    let hub = registrar.hub().clone();
    let lost = registrar.unreachable("the connection was lost");
    tokio::select! {
        biased;
        granted = super::registrar::in_time(&hub, registrar.register()) => granted,
        () = first_hop.lost(epoch) => Err(lost.into()),
    }
}
