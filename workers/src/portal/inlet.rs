//! The inlet: accepts clients and tunnels each connection to an outlet.
//!
//! * Owns: the listening socket.
//! * Inbox: none that workers use; it accepts until it is stopped or the node begins to stop.
//! * Started by [`Inlet::start`], on the arbiter of its route's first hop, so that clients of a
//!   channel begin where the channel lives; where the first hop is a worker of this node, clients
//!   go to the arbiters in turn.
//! * A panic ends accepting for a moment: it is [`Supervised`], the socket stays open, and clients
//!   wait in its queue. Streams go on.

use std::{io, net::SocketAddr, time::Duration};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture,
};
use ockam_actix_runtime::{
    edge::first_hop::FirstHop,
    node::{directory::Registration, entry::Description},
    random,
    socket::{accept::accept_all, listener::Listener, stream::Socket},
    trust::{refusal_log::RefusalLog, source::SourceAddress},
    worker::{
        mailbox::Registered,
        supervision::{Restartable, Restarting, Supervised},
    },
    Address, Class, Error, Host, Node, Payload, Result, Route, Routed,
};
use socket2::SockRef;
use tokio::time::timeout;

use crate::portal::{
    end::{
        config::{Side, StreamConfig},
        worker::StreamWorker,
    },
    known_outlet::{Known, KnownOutlet},
    limits::{PATH_PATIENCE, RESUME_FOR},
    pool::{StreamPool, StreamSlot},
    protocol::{resumption::StreamSecret, stream::Stream},
    target::prepare,
};

/// A running inlet. Dropping this does not stop it; [`Inlet::stop`] does.
#[derive(Clone, Debug)]
pub struct Inlet {
    node: Node,
    worker: Address,
    actor: Restarting<InletWorker>,
    address: SocketAddr,
}

/// Along which route an inlet's streams go, and for how long they outlive it. A route alone
/// converts into one.
///
/// ```
/// use std::time::Duration;
/// use ockam_actix_workers::portal::InletOptions;
///
/// let options = InletOptions::along("outlet").resume_for(Duration::from_secs(600));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct InletOptions {
    route: Route,
    resume_for: Duration,
}

impl InletOptions {
    /// Streams go along `route`, to an outlet.
    pub fn along(route: impl Into<Route>) -> Self {
        Self { route: route.into(), resume_for: RESUME_FOR }
    }

    /// Keeps a stream whose path is lost, and its client, for up to `limit` until there is a path
    /// again; [`RESUME_FOR`] if this is not called. Zero has streams end with their paths.
    pub const fn resume_for(mut self, limit: Duration) -> Self {
        self.resume_for = limit;
        self
    }
}

impl<T: Into<Route>> From<T> for InletOptions {
    fn from(route: T) -> Self {
        Self::along(route)
    }
}

impl Inlet {
    /// Accepts clients on `listener` and tunnels them to an outlet: along a route, or as
    /// [`InletOptions`] say.
    ///
    /// # Errors
    /// If the route is invalid or empty, or its first hop does not exist and cannot be dialled.
    pub fn start(
        node: &impl AsRef<Node>,
        listener: impl Into<Listener>,
        options: impl Into<InletOptions>,
    ) -> Result<Self> {
        let (node, listener) = (node.as_ref(), listener.into());
        let InletOptions { route, resume_for } = options.into();
        let first_hop = node.first_hop(&route)?;
        let failed = |source| Error::transport("cannot use the inlet's listening socket", source);
        let address = listener.local_address().map_err(failed)?;
        for listener in listener.system() {
            listener.set_nonblocking(true).map_err(failed)?;
            // Each accepted socket inherits this, so that there is no moment at which SIGKILL looks
            // like an end.
            prepare(&SockRef::from(listener)).map_err(failed)?;
        }
        let worker = Address::random();
        let arbiter = first_hop.arbiter.unwrap_or(0);
        log::info!("inlet on {address} for clients of {route}");
        let spec = InletSpec {
            node: node.clone(),
            worker: worker.clone(),
            arbiter,
            listener,
            accept: Accept {
                address,
                route,
                resume_for,
                outlet: KnownOutlet::default(),
                first_hop,
            },
        };
        let actor = Restarting::start(node, format!("the inlet on {address}"), spec)?;
        Ok(Self { node: node.clone(), worker, actor, address })
    }

    /// The address that clients connect to, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting clients; open streams go on.
    ///
    /// # Errors
    /// If it has been stopped before.
    pub fn stop(&self) -> Result<()> {
        let stopped = || Error::WorkerEnded(self.worker.clone());
        self.actor.end().ok_or_else(stopped)?;
        // In the pause before a restart there is no actor to stop.
        let _ = self.node.stop_worker(self.worker.clone());
        Ok(())
    }
}

/// What every actor of one inlet is started with.
struct InletSpec {
    node: Node,
    worker: Address,
    arbiter: usize,
    listener: Listener,
    accept: Accept,
}

impl Restartable for InletSpec {
    type Actor = InletWorker;

    fn start(&self, supervised: Supervised) -> Result<Addr<InletWorker>> {
        let failed = |source| Error::transport("cannot use the listening socket", source);
        let inlet = InletWorker {
            node: self.node.clone(),
            listener: Some(self.listener.try_clone().map_err(failed)?),
            accept: self.accept.clone(),
            registration: None,
            supervised,
        };
        let description = Description::new(self.worker.clone(), Class::Internal);
        self.node.launch(description.on(self.arbiter), move |_| inlet)
    }

    fn stop(&self, _: Addr<InletWorker>) {
        // An error means that it has ended already.
        let _ = self.node.stop_worker(self.worker.clone());
    }
}

struct InletWorker {
    node: Node,
    listener: Option<Listener>,
    accept: Accept,
    registration: Option<Registration>,
    supervised: Supervised,
}

/// What is needed to start a stream for a client.
#[derive(Clone)]
struct Accept {
    address: SocketAddr,
    route: Route,
    resume_for: Duration,
    outlet: KnownOutlet,
    /// Watching it keeps the connection to the first hop up.
    first_hop: FirstHop,
}

impl Accept {
    /// Whether streams outlive their path over `first_hop`. What goes straight to an outlet of this
    /// node has none to lose.
    fn is_resuming(&self, first_hop: &FirstHop) -> bool {
        let is_local = self.route.len() == 1 && !first_hop.is_watched();
        !self.resume_for.is_zero() && !is_local
    }

    /// Never ends. Where the first hop is a worker of this node, nobody tells when the path was
    /// made again: the first stream learns what there is to know.
    async fn learn_of_outlet(&self, node: &Node) {
        if self.is_resuming(&self.first_hop) && self.first_hop.is_watched() {
            self.outlet.keep_asking(node, &self.route).await;
        }
        std::future::pending().await
    }
}

impl Actor for InletWorker {
    type Context = Context<Self>;
}

impl Handler<Registered> for InletWorker {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, context: &mut Context<Self>) {
        let gone = registration.entry().stop_signal();
        self.registration = Some(registration);
        let Some(listener) = self.listener.take() else { return };
        let (node, accept) = (self.node.clone(), self.accept.clone());
        let accepting = async move {
            tokio::select! {
                biased;
                () = accept_clients(&node, listener, &accept) => {}
                () = accept.learn_of_outlet(&node) => {}
                () = node.stopping() => {}
                _ = gone => {}
            }
        };
        context.spawn(accepting.into_actor(self).map(|(), inlet, context| {
            inlet.supervised.end();
            context.stop();
        }));
    }
}

impl Handler<Routed<Payload>> for InletWorker {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        log::debug!("an inlet takes no messages, but one came from {}", message.return_route());
    }
}

async fn accept_clients(node: &Node, listener: Listener, accept: &Accept) {
    let refusal_log = node.refusals();
    let who = format!("the inlet on {}", accept.address);
    let error = accept_all(listener, &who, &refusal_log, |socket, client| {
        open(node, socket, client, accept)
            .unwrap_or_else(|error| log_reset(&refusal_log, client, &error));
    })
    .await;
    log::error!("{who} ended: {error}");
}

/// Starts the stream of one client: at once, or when the path that is lost is there again. Longer
/// than [`PATH_PATIENCE`] nobody waits; the first hop then says what is wrong.
fn open(node: &Node, socket: Socket, client: SocketAddr, accept: &Accept) -> Result<()> {
    // Clients that connected between `listen` and `prepare` have inherited nothing, and this option
    // matters.
    socket.set_resets_on_close(true).map_err(unusable)?;
    let slot = StreamPool::of(node).enter_client(SourceAddress::of(client.ip()));
    let slot = slot.map_err(|full| Error::Usage(full.to_string()))?;
    // The first hop may have another actor than when the inlet began: a peer may have been dialled
    // anew.
    let mut first_hop = node.first_hop(&accept.route)?;
    let opening =
        OpeningClient { node: node.clone(), socket, client, slot, accept: accept.clone() };
    if !is_lost(&first_hop) {
        return opening.start(first_hop);
    }
    tokio::task::spawn_local(async move {
        // An error says that the time is over.
        let _ = timeout(PATH_PATIENCE, first_hop.up()).await;
        let refusal_log = opening.node.refusals();
        let again = opening.node.first_hop(&opening.accept.route);
        let started = again.and_then(|first_hop| opening.start(first_hop));
        started.unwrap_or_else(|error| log_reset(&refusal_log, client, &error));
    });
    Ok(())
}

/// Whether the last attempt to make the path has failed.
fn is_lost(first_hop: &FirstHop) -> bool {
    let state = first_hop.state();
    !state.up && state.failure.is_some()
}

fn unusable(source: io::Error) -> Error {
    Error::transport("its socket cannot be used", source)
}

fn log_reset(refusal_log: &RefusalLog, client: SocketAddr, error: &Error) {
    let what = format_args!("reset the client {client}: {}", error.one_line());
    refusal_log.warn("client-reset", what);
}

/// A client whose stream has not begun.
struct OpeningClient {
    node: Node,
    socket: Socket,
    client: SocketAddr,
    slot: StreamSlot,
    accept: Accept,
}

impl OpeningClient {
    fn start(self, first_hop: FirstHop) -> Result<()> {
        let Self { node, socket, client, slot, accept } = self;
        let description = Description::answered_over(&first_hop);
        // A client that has waited for a lost path in vain is reset, and waits no longer.
        let is_resuming = accept.is_resuming(&first_hop) && !is_lost(&first_hop);
        let Accept { route, resume_for, outlet, .. } = accept;
        let mut stream = Stream::inlet(slot.first_window());
        let known = match outlet.get() {
            _ if !is_resuming => None,
            Known::Nothing => Some(None),
            Known::Keeps(life) => Some(Some(life)),
            Known::KeepsNothing => None,
        };
        if let Some(known) = known {
            stream = stream.resumable_by(StreamSecret::from_bytes(random::bytes()), known);
        }
        let side = Side::Inlet { client, outlet };
        let arbiter = first_hop.arbiter.unwrap_or_else(|| node.next_arbiter());
        let config =
            StreamConfig { node: node.clone(), stream, first_hop, route, side, slot, resume_for };
        if node.current_arbiter() == Some(arbiter) {
            node.launch_here(description, StreamWorker::new(config, Some(socket)))?;
            return Ok(());
        }
        let socket = socket.detach().map_err(unusable)?;
        node.launch(description.on(arbiter), move |_| match socket.attach() {
            Ok(socket) => StreamWorker::new(config, Some(socket)),
            Err(_) => StreamWorker::without_socket(config),
        })?;
        Ok(())
    }
}
