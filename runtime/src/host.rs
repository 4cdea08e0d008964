//! What a node does for the transports and the workers that are built on it.

use std::{future::Future, sync::Arc, time::Duration};

use actix::{Actor, Addr, Context as ActorContext, Handler};

use crate::{
    address::{route::Route, Address},
    edge::first_hop::FirstHop,
    error::Result,
    message::{body::Body, payload::Payload, undelivered::Undelivered, Message},
    node::{
        directory::Registration,
        entry::{Deliver, Description},
        routing::NextHop,
        strays::Strays,
        Busy, Dialer, Node,
    },
    socket::network::Network,
    trust::{origin::HubGrants, reachability::Listening},
    watch::probe::Probed,
    worker::{mailbox::Registered, routed::Routed},
};

/// What authors of transports, and of workers that handle envelopes, need of a [`Node`] beyond what
/// programs use.
///
/// A worker that handles [`Routed`] bodies needs none of it. It is for those who put a connection,
/// a channel or a tunnel on a node: they register deliveries and internal actors, route envelopes,
/// and watch the first hops that they send over.
pub trait Host {
    // ----- arbiters ------------------------------------------------------------------------------

    /// The arbiter that this thread is, if it is one of this node's.
    fn current_arbiter(&self) -> Option<usize>;

    /// The next arbiter in turn, for a new connection or a worker that belongs to none yet.
    fn next_arbiter(&self) -> usize;

    /// Where actors that send over `first_hop` belong: on its arbiter, else here, else anywhere.
    fn arbiter_for(&self, first_hop: &FirstHop) -> usize;

    /// Runs `task` on an arbiter. It ends when the node stops.
    fn spawn_on<F>(&self, arbiter: usize, task: F)
    where
        F: Future<Output = ()> + Send + 'static;

    /// Starts an internal actor on an arbiter.
    fn start_on<A, F>(&self, arbiter: usize, make: F) -> Addr<A>
    where
        A: Actor<Context = ActorContext<A>>,
        F: FnOnce(&mut ActorContext<A>) -> A + Send + 'static;

    /// The network that the node's sockets are on: the system's, unless the node is simulated.
    fn network(&self) -> &Network;

    // ----- registering ---------------------------------------------------------------------------

    /// Registers a delivery; the registration that is returned keeps the address.
    ///
    /// # Errors
    /// If the address is invalid or already in use, or the node is stopped.
    fn register_delivery(
        &self,
        description: Description,
        delivery: impl Deliver + 'static,
    ) -> Result<Registration>;

    /// Gives a worker one more address, which the returned registration keeps: messages to either
    /// wait in the one inbox, in the order in which they came.
    ///
    /// # Errors
    /// As [`register_delivery`](Self::register_delivery).
    fn register_again(
        &self,
        description: Description,
        worker: &Registration,
    ) -> Result<Registration>;

    /// Starts an internal actor on the described arbiter and registers it; the actor begins when it
    /// gets its registration with [`Registered`].
    ///
    /// # Errors
    /// As [`register_delivery`](Self::register_delivery); the actor ends without having begun.
    fn launch<A, F>(&self, description: Description, make: F) -> Result<Addr<A>>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<Payload>> + Handler<Registered>,
        F: FnOnce(&mut ActorContext<A>) -> A + Send + 'static;

    /// As [`launch`](Self::launch), on this thread, for actors that cannot be sent to another.
    ///
    /// # Errors
    /// As [`launch`](Self::launch).
    fn launch_here<A>(&self, description: Description, actor: A) -> Result<Addr<A>>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<Payload>> + Handler<Registered>;

    // ----- routing -------------------------------------------------------------------------------

    /// Moves a message to the next address of its onward route; if it cannot be delivered, its
    /// sender gets a notice. Every message from outside goes through here.
    fn route(&self, message: Message);

    /// Moves a message to the next address of its onward route.
    ///
    /// # Errors
    /// Gives the message back with the hop that it could not pass and the reason.
    fn try_route(&self, message: Message, next_hop: NextHop) -> Result<(), Box<Undelivered>>;

    /// Tells the sender of a message that it could not be delivered, or only the log if the message
    /// has no return route.
    fn bounce(&self, undelivered: Box<Undelivered>);

    /// Sends `payload` from `sender` back to where `question` came from.
    ///
    /// # Errors
    /// Gives the answer back if its first hop does not take it, or if it is a plain connection on
    /// which very much waits for peers that do not read.
    fn answer(
        &self,
        question: Message,
        sender: Address,
        payload: Payload,
    ) -> Result<(), Box<Undelivered>>;

    /// What a source needs to know about the first hop of `route`; dials it if nobody has yet.
    ///
    /// # Errors
    /// If the route is invalid, or its first hop does not exist and cannot be dialled.
    fn first_hop(&self, route: &Route) -> Result<FirstHop>;

    /// Asks whether the worker at the end of `route` can be reached from here, without a message to
    /// the worker, and waits for the answer for up to `limit`.
    ///
    /// # Errors
    /// If the route is invalid, its first hop does not exist, or no answer comes in time.
    fn probe(&self, route: &Route, limit: Duration) -> impl Future<Output = Result<Probed>>;

    /// Sends `body` along `route` from the address `sender`, and waits for room on the first edge.
    ///
    /// # Errors
    /// If the body is too large or has no MessagePack form, or the first hop does not exist.
    fn send_from<M: Body>(
        &self,
        sender: &Address,
        route: impl Into<Route>,
        body: M,
    ) -> impl Future<Output = Result<()>>;

    /// Prepares a message that leaves the node by the ingress with the address `via`, which is put
    /// before the return route of everything that comes in there. Names of workers at the front of
    /// the message's own return route become unguessable addresses that lead to the same workers,
    /// so that answers are let in and names stay at home. They admit only what comes in at `via`,
    /// and end with it. Every egress calls it when a message leaves.
    fn conceal_names(&self, return_route: &mut Route, via: &Address);

    // ----- shared by transports and services -----------------------------------------------------

    /// Makes `dialer` responsible for addresses that start with `transport#`.
    fn add_dialer(&self, transport: &str, dialer: Arc<dyn Dialer>);

    /// Has `strays` take messages to addresses that nobody has, from now on. Returns whether it
    /// does: a node has one at most.
    fn keep_strays(&self, strays: Arc<dyn Strays>) -> bool;

    /// Adds a listener that accepts connections of other nodes.
    fn add_listener(&self, listening: Listening);

    /// Notes that the listener that was bound to `bound` accepts no more connections.
    fn remove_listener(&self, bound: &str);

    /// The workers that the peer that was dialled at `dialled` may deliver to.
    fn hub_grants(&self, dialled: &Address) -> Arc<HubGrants>;

    /// Drops what [`hub_grants`](Self::hub_grants) keeps for an address that nobody uses again.
    fn forget_hub_grants(&self, dialled: &Address);

    /// Whether the node has a secure channel listener, so that its named workers are reached only
    /// through secure channels.
    fn is_guarded(&self) -> bool;

    /// The node's one value of a type, made by `make` on first use: the state that a crate on top
    /// keeps for each node.
    fn extension<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T>;

    // ----- shutdown ------------------------------------------------------------------------------

    /// Marks work that a stopping node lets finish, until the guard is dropped.
    fn busy(&self) -> Busy;

    /// Has the node, when it stops, first let its peers move to other nodes, for at most `limit`: a
    /// hub does.
    fn evacuates(&self, limit: Duration);

    /// Whether it does, if it is stopped as it is now.
    fn will_evacuate(&self) -> bool;

    /// Marks what a stopping node lets move to another node, until the guard is dropped.
    fn moving(&self) -> Busy;

    /// Waits until the node is evacuated, or stops: its listeners accept nothing from then on.
    fn evacuating(&self) -> impl Future<Output = ()> + Send;

    /// Whether the node is evacuated, or has begun to stop.
    fn is_evacuating(&self) -> bool;

    /// Waits until the node begins to stop: inlets accept nothing from then on.
    fn stopping(&self) -> impl Future<Output = ()> + Send;

    /// Waits until the node, which is stopping, has waited long enough for open streams: what is
    /// still busy is to end now, and to tell the other end.
    fn resetting(&self) -> impl Future<Output = ()> + Send;

    /// Waits until all work of a stopping node is done or given up: its connections then tell their
    /// peers, and end.
    fn leaving(&self) -> impl Future<Output = ()> + Send;

    /// Marks a connection, until the guard is dropped: a stopping node waits a moment for those
    /// that tell their peers.
    fn link(&self) -> Busy;

    /// A reference for components inside the node: it does not keep the node running.
    #[must_use]
    fn unheld(&self) -> Self;
}

impl Host for Node {
    #[inline]
    fn current_arbiter(&self) -> Option<usize> {
        Node::current_arbiter(self)
    }

    #[inline]
    fn next_arbiter(&self) -> usize {
        Node::next_arbiter(self)
    }

    #[inline]
    fn arbiter_for(&self, first_hop: &FirstHop) -> usize {
        Node::arbiter_for(self, first_hop)
    }

    #[inline]
    fn spawn_on<F>(&self, arbiter: usize, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Node::spawn_on(self, arbiter, task)
    }

    #[inline]
    fn start_on<A, F>(&self, arbiter: usize, make: F) -> Addr<A>
    where
        A: Actor<Context = ActorContext<A>>,
        F: FnOnce(&mut ActorContext<A>) -> A + Send + 'static,
    {
        Node::start_on(self, arbiter, make)
    }

    #[inline]
    fn network(&self) -> &Network {
        Node::network(self)
    }

    #[inline]
    fn register_delivery(
        &self,
        description: Description,
        delivery: impl Deliver + 'static,
    ) -> Result<Registration> {
        Node::register_delivery(self, description, delivery)
    }

    #[inline]
    fn register_again(
        &self,
        description: Description,
        worker: &Registration,
    ) -> Result<Registration> {
        Node::register_again(self, description, worker)
    }

    #[inline]
    fn launch<A, F>(&self, description: Description, make: F) -> Result<Addr<A>>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<Payload>> + Handler<Registered>,
        F: FnOnce(&mut ActorContext<A>) -> A + Send + 'static,
    {
        Node::launch(self, description, make)
    }

    #[inline]
    fn launch_here<A>(&self, description: Description, actor: A) -> Result<Addr<A>>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<Payload>> + Handler<Registered>,
    {
        Node::launch_here(self, description, actor)
    }

    #[inline]
    fn route(&self, message: Message) {
        Node::route(self, message)
    }

    #[inline]
    fn try_route(&self, message: Message, next_hop: NextHop) -> Result<(), Box<Undelivered>> {
        Node::try_route(self, message, next_hop)
    }

    #[inline]
    fn bounce(&self, undelivered: Box<Undelivered>) {
        Node::bounce(self, undelivered)
    }

    #[inline]
    fn answer(
        &self,
        question: Message,
        sender: Address,
        payload: Payload,
    ) -> Result<(), Box<Undelivered>> {
        Node::answer(self, question, sender, payload)
    }

    #[inline]
    fn first_hop(&self, route: &Route) -> Result<FirstHop> {
        Node::first_hop(self, route)
    }

    #[inline]
    fn probe(&self, route: &Route, limit: Duration) -> impl Future<Output = Result<Probed>> {
        Node::probe(self, route, limit)
    }

    #[inline]
    fn send_from<M: Body>(
        &self,
        sender: &Address,
        route: impl Into<Route>,
        body: M,
    ) -> impl Future<Output = Result<()>> {
        Node::send_from(self, sender, route, body)
    }

    #[inline]
    fn conceal_names(&self, return_route: &mut Route, via: &Address) {
        Node::conceal_names(self, return_route, via)
    }

    #[inline]
    fn add_dialer(&self, transport: &str, dialer: Arc<dyn Dialer>) {
        Node::add_dialer(self, transport, dialer)
    }

    #[inline]
    fn keep_strays(&self, strays: Arc<dyn Strays>) -> bool {
        Node::keep_strays(self, strays)
    }

    #[inline]
    fn remove_listener(&self, bound: &str) {
        Node::remove_listener(self, bound)
    }

    #[inline]
    fn add_listener(&self, listening: Listening) {
        Node::add_listener(self, listening)
    }

    #[inline]
    fn hub_grants(&self, dialled: &Address) -> Arc<HubGrants> {
        Node::hub_grants(self, dialled)
    }

    #[inline]
    fn forget_hub_grants(&self, dialled: &Address) {
        Node::forget_hub_grants(self, dialled)
    }

    #[inline]
    fn is_guarded(&self) -> bool {
        Node::is_guarded(self)
    }

    #[inline]
    fn extension<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        Node::extension(self, make)
    }

    #[inline]
    fn busy(&self) -> Busy {
        Node::busy(self)
    }

    #[inline]
    fn evacuates(&self, limit: Duration) {
        Node::evacuates(self, limit);
    }

    #[inline]
    fn will_evacuate(&self) -> bool {
        Node::will_evacuate(self)
    }

    #[inline]
    fn moving(&self) -> Busy {
        Node::moving(self)
    }

    #[inline]
    fn evacuating(&self) -> impl Future<Output = ()> + Send {
        Node::evacuating(self)
    }

    #[inline]
    fn is_evacuating(&self) -> bool {
        Node::is_evacuating(self)
    }

    #[inline]
    fn stopping(&self) -> impl Future<Output = ()> + Send {
        Node::stopping(self)
    }

    #[inline]
    fn resetting(&self) -> impl Future<Output = ()> + Send {
        Node::resetting(self)
    }

    #[inline]
    fn leaving(&self) -> impl Future<Output = ()> + Send {
        Node::leaving(self)
    }

    #[inline]
    fn link(&self) -> Busy {
        Node::link(self)
    }

    #[inline]
    fn unheld(&self) -> Self {
        Node::unheld(self)
    }
}
