//! The node: its arbiters, its routing table, and the one function that every message passes.

use std::{
    any::{Any, TypeId},
    cell::Cell,
    collections::HashMap,
    fmt,
    future::Future,
    sync::{
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        Arc, Mutex, OnceLock, PoisonError, RwLock,
    },
};

use actix::{Actor, Addr, AsyncContext, Context as ActorContext, Handler};
use actix_rt::ArbiterHandle;
use tokio::sync::{oneshot, watch};

use crate::{
    address::Address,
    body::Body,
    error::{Error, Result},
    limits::{ANNOUNCE_AFTER, DRAIN_TIMEOUT},
    message::Message,
    notice::{Notice, Reason},
    origin::{Destinations, Origin},
    path::Path,
    payload::Payload,
    reachability::{
        admit,
        listing::{Facts, Listed},
        Class, Listening, Reachability, Refusals, Rule,
    },
    route::Route,
    routed::{encode, Routed},
    router::{Forward, Router},
    table::SharedTable,
    worker::{Adopt, Alias, Description, Entry, Guard, Mailbox, Registration, Sink, Undelivered},
};

/// A node: cheap to clone, and safe to use from any thread.
///
/// It is made by [`NodeBuilder`](crate::NodeBuilder), or by `#[ockam::node]`.
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

/// What all clones of a [`Node`] share.
struct Shared {
    id: u64,
    table: SharedTable<Entry>,
    arbiters: Vec<Arbiter>,
    next_arbiter: AtomicUsize,
    dialers: RwLock<HashMap<String, Arc<dyn Dialer>>>,
    destinations: Mutex<HashMap<Address, Arc<Destinations>>>,
    extensions: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    channel_listeners: AtomicUsize,
    refusals: Refusals,
    listeners: Mutex<Vec<Listening>>,
    announced: AtomicBool,
    busy: watch::Sender<usize>,
    stopping: watch::Sender<Stage>,
    stop_called: AtomicBool,
}

/// One thread of the node, and its router actor.
struct Arbiter {
    handle: ArbiterHandle,
    router: Addr<Router>,
}

/// How far a node is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Running,
    Draining,
    Stopped,
}

/// Makes connections for routes that start with an address such as `tcp#host:port`.
pub trait Dialer: Send + Sync {
    /// Registers a worker at `address`, which stands for the peer; it queues what it gets until
    /// it is connected. Called again for the same address only when that worker is gone.
    ///
    /// # Errors
    /// If the address is none that the transport can dial.
    fn dial(&self, node: &Node, address: &Address) -> Result<()>;
}

thread_local! {
    /// Which node's arbiter this thread is, and which of them.
    static CURRENT: Cell<Option<(u64, usize)>> = const { Cell::new(None) };
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Node {
    /// Starts a node with `arbiters` threads inside the current actix `System`.
    pub(crate) async fn start(arbiters: usize) -> Result<Self> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let mut started = Vec::with_capacity(arbiters);
        for index in 0..arbiters {
            let thread = actix_rt::Arbiter::try_new()
                .map_err(|source| Error::transport("cannot start an arbiter's thread", source))?;
            let handle = thread.handle();
            handle.spawn_fn(move || CURRENT.set(Some((id, index))));
            let router = Router::start_in_arbiter(&handle, |_| Router);
            started.push(Arbiter { handle, router });
        }
        let shared = Shared {
            id,
            table: SharedTable::default(),
            arbiters: started,
            next_arbiter: AtomicUsize::new(0),
            dialers: RwLock::default(),
            destinations: Mutex::default(),
            extensions: Mutex::default(),
            channel_listeners: AtomicUsize::new(0),
            refusals: Refusals::default(),
            listeners: Mutex::default(),
            announced: AtomicBool::new(false),
            busy: watch::Sender::new(0),
            stopping: watch::Sender::new(Stage::Running),
            stop_called: AtomicBool::new(false),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    // ----- routing ---------------------------------------------------------------------------

    /// Moves a message to the next address of its onward route; if it cannot be delivered, its
    /// sender is told. This is the path of everything that comes from outside.
    pub fn route(&self, message: Message) {
        if let Err(undelivered) = self.try_route(message) {
            self.bounce(undelivered);
        }
    }

    /// Moves a message to the next address of its onward route.
    ///
    /// # Errors
    /// Gives the message back with the hop that it could not pass and the reason.
    pub fn try_route(&self, message: Message) -> Result<(), Box<Undelivered>> {
        self.deliver(message, true)
    }

    /// As [`Node::try_route`], for a message whose next hop was chosen by this node: the rules of
    /// reachability do not apply to that hop.
    ///
    /// # Errors
    /// As [`Node::try_route`].
    pub fn try_route_chosen(&self, message: Message) -> Result<(), Box<Undelivered>> {
        self.deliver(message, false)
    }

    fn deliver(&self, mut message: Message, check: bool) -> Result<(), Box<Undelivered>> {
        let Some(address) = message.onward_route.pop_front() else {
            let notice = Notice::new("end-of-route".into(), Reason::Unreachable);
            return Err(Box::new(Undelivered { message, notice }));
        };
        let checked = check && !message.origin.is_local();
        let Some(entry) = self.find_or_dial(&address, checked) else {
            message.onward_route.push_front(address.clone());
            return Err(Undelivered::new(message, &address, Reason::Unreachable));
        };
        if checked {
            if let Err(rule) = self.admit(&entry, &message.origin) {
                self.refuse(rule, &address, &message.origin);
                message.onward_route.push_front(address.clone());
                return Err(Undelivered::new(message, &address, Reason::Unreachable));
            }
        }
        self.hand_over(entry, message)
    }

    /// On the worker's own arbiter that is a call; from elsewhere it goes through the mailbox of
    /// the router there.
    pub(crate) fn hand_over(
        &self,
        entry: Arc<Entry>,
        message: Message,
    ) -> Result<(), Box<Undelivered>> {
        match entry.arbiter {
            Some(index) if self.current_arbiter() != Some(index) => {
                let forward = Forward { entry, message };
                // The permit in the message bounds what is under way between arbiters.
                #[allow(clippy::disallowed_methods)]
                self.shared.arbiters[index].router.do_send(forward);
                Ok(())
            }
            _ => entry.sink.deliver(&entry, message),
        }
    }

    /// Prepares a message that leaves the node: names of workers at the front of its return route
    /// become unguessable addresses that lead to the same workers, so that answers are let in and
    /// names stay at home. Every egress calls it.
    pub fn conceal_names(&self, return_route: &mut Route) {
        let Some(first) = return_route.first() else { return };
        if first.is_random() {
            return;
        }
        let Some(entry) = self.shared.table.find(first).filter(|e| e.class == Class::User) else {
            return;
        };
        let Some(reply) = self.reply_address(&entry) else { return };
        return_route.pop_front();
        self.conceal_names(return_route);
        return_route.push_front(reply);
    }

    fn reply_address(&self, entry: &Arc<Entry>) -> Option<Address> {
        if let Some(made) = entry.reply.get() {
            return Some(made.address().clone());
        }
        let mut description = Description::new(Address::random(), Class::Reply);
        description.access.clone_from(&entry.access);
        let alias = Alias(Arc::downgrade(entry));
        let registration = self.register_entry(description, alias, true).ok()?;
        Some(entry.reply.get_or_init(|| registration).address().clone())
    }

    fn find_or_dial(&self, address: &Address, remote: bool) -> Option<Arc<Entry>> {
        if let Some(entry) = self.shared.table.find(address) {
            return Some(entry);
        }
        address.dial_parts()?;
        if remote {
            self.shared.refusals.count(Rule::OnlyLocalRoutesDial);
            log::warn!(
                "refused to dial {address} for a message from outside ({})",
                Rule::OnlyLocalRoutesDial
            );
            return None;
        }
        self.dial(address).map_err(|error| log::warn!("{}", error.one_line())).ok()?;
        self.shared.table.find(address)
    }

    fn dial(&self, address: &Address) -> Result<()> {
        address.validate()?;
        let (transport, _) =
            address.dial_parts().ok_or_else(|| Error::NoWorker(address.clone()))?;
        let dialers = self.shared.dialers.read().unwrap_or_else(PoisonError::into_inner);
        let dialer = dialers.get(transport).cloned();
        drop(dialers);
        dialer.ok_or_else(|| Error::NoTransport(address.clone()))?.dial(self, address)
    }

    fn admit(&self, entry: &Entry, origin: &Origin) -> Result<(), Rule> {
        admit(&entry.address, entry.class, origin, self.is_guarded())?;
        match &entry.access {
            Some(rule) if !rule(origin) => Err(Rule::WorkerRefused),
            _ => Ok(()),
        }
    }

    fn refuse(&self, rule: Rule, address: &Address, origin: &Origin) {
        self.shared.refusals.count(rule);
        log::warn!("refused a message from {origin} to \"{address}\" ({rule})");
    }

    /// Tells the sender of a message that it could not be delivered; if there is no way back, the log.
    // It comes as the error that it was.
    #[allow(clippy::boxed_local)]
    pub fn bounce(&self, undelivered: Box<Undelivered>) {
        let Undelivered { message, notice } = *undelivered;
        let Some(reply) = notice.about(message) else {
            log::debug!("dropped a message that nobody waits for: {notice}");
            return;
        };
        if let Err(undelivered) = self.try_route_chosen(reply) {
            let lost = undelivered.notice;
            log::debug!("nobody could be told of {notice}, because of {lost}");
        }
    }

    /// Sends a message made here.
    pub(crate) fn send_message(&self, message: Message) -> Result<()> {
        self.try_route(message).map_err(|undelivered| self.report(undelivered))
    }

    /// Sends on a message that somebody else made, `chosen` as in [`Node::try_route_chosen`]. Its
    /// sender is told when it cannot be delivered, on this node too; the caller gets an error.
    pub(crate) fn forward_message(&self, message: Message, chosen: bool) -> Result<()> {
        self.deliver(message, !chosen).map_err(|undelivered| {
            let notice = undelivered.notice.clone();
            self.bounce(undelivered);
            Error::Undeliverable(notice)
        })
    }

    /// Tells the sender, and makes an error for the caller too.
    fn report(&self, undelivered: Box<Undelivered>) -> Error {
        let notice = undelivered.notice.clone();
        if !undelivered.message.origin.is_local() {
            self.bounce(undelivered);
        }
        Error::Undeliverable(notice)
    }

    // ----- sending ---------------------------------------------------------------------------

    /// Sends `body` along `route` from the address `sender`, and waits for room on the first edge.
    ///
    /// # Errors
    /// If the body is too large or has no MessagePack form, or the first hop does not exist.
    pub async fn send_from<M: Body>(
        &self,
        sender: &Address,
        route: impl Into<Route>,
        body: M,
    ) -> Result<()> {
        let route = route.into();
        let payload = encode(body)?;
        let path = self.path(&route)?;
        let permit = path.budget.acquire(payload.len()).await.ok_or(Error::Stopped)?;
        let message = Message::new(route, Route::from(sender.clone()), payload);
        self.send_message(message.with_permit(permit))
    }

    /// What a source needs to know about the first hop of `route`; dials it if nobody has yet.
    ///
    /// # Errors
    /// If the route is none, or its first hop does not exist and cannot be dialled.
    pub fn path(&self, route: &Route) -> Result<Path> {
        route.validate()?;
        let first = route.first().ok_or(Error::EmptyRoute)?;
        if let Some(entry) = self.shared.table.find(first) {
            return Ok(entry.path());
        }
        self.dial(first)?;
        let entry = self.shared.table.find(first);
        Ok(entry.ok_or_else(|| Error::NoWorker(first.clone()))?.path())
    }

    // ----- workers ---------------------------------------------------------------------------

    /// Starts an actor on one of the node's arbiters, as the worker at `address`.
    ///
    /// It handles [`Routed<M>`](Routed) for one type `M`; where it does for several, say which:
    /// `node.start_worker::<_, MyMessage>("name", actor)`.
    ///
    /// # Errors
    /// If the address is none or taken.
    pub fn start_worker<A, M>(&self, address: impl Into<Address>, actor: A) -> Result<()>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<M>> + Send,
        M: Body,
    {
        self.start_worker_on(self.next_arbiter(), address, actor)
    }

    /// As [`Node::start_worker`], on the arbiter of that number: for workers that talk to each
    /// other more than to others.
    ///
    /// # Errors
    /// As [`Node::start_worker`].
    pub fn start_worker_on<A, M>(
        &self,
        arbiter: usize,
        address: impl Into<Address>,
        actor: A,
    ) -> Result<()>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<M>> + Send,
        M: Body,
    {
        let arbiter = arbiter % self.arbiter_count();
        self.start_described(Description::new(address, Class::User).on(arbiter), arbiter, actor)
    }

    /// As [`Node::start_worker`], reached from outside only as `rule` permits on top of the
    /// rules for all.
    ///
    /// # Errors
    /// As [`Node::start_worker`].
    pub fn start_worker_with_access<A, M>(
        &self,
        address: impl Into<Address>,
        actor: A,
        rule: impl Fn(&Origin) -> bool + Send + Sync + 'static,
    ) -> Result<()>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<M>> + Send,
        M: Body,
    {
        let arbiter = self.next_arbiter();
        let description = Description::new(address, Class::User).on(arbiter).with_access(rule);
        self.start_described(description, arbiter, actor)
    }

    fn start_described<A, M>(
        &self,
        description: Description,
        arbiter: usize,
        actor: A,
    ) -> Result<()>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<M>> + Send,
        M: Body,
    {
        self.check_free(&description.address)?;
        let (hand_over, registration) = oneshot::channel();
        let addr = A::start_in_arbiter(&self.shared.arbiters[arbiter].handle, move |context| {
            context.spawn(Guard::new(registration));
            actor
        });
        let registration = self.register_sink(description, Mailbox::<A, M>::new(addr))?;
        // An actor that has ended meanwhile gives the registration back, which unregisters it.
        drop(hand_over.send(registration));
        Ok(())
    }

    /// Gives an actor that already runs somewhere, also outside the node, the address `address`.
    ///
    /// The node holds a strong `Addr` to it from now on.
    ///
    /// # Errors
    /// If the address is none or taken.
    pub fn register<A, M>(&self, address: impl Into<Address>, actor: Addr<A>) -> Result<()>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<M>>,
        M: Body,
    {
        let description = Description::new(address, Class::User);
        let registration = self.register_sink(description, Mailbox::<A, M>::new(actor))?;
        // Nobody on the actor's side can own it.
        registration.detach();
        Ok(())
    }

    /// Registers a sink; the registration that is returned keeps the address.
    ///
    /// # Errors
    /// If the address is none or taken, or the node is stopped.
    pub fn register_sink(
        &self,
        description: Description,
        sink: impl Sink + 'static,
    ) -> Result<Registration> {
        self.register_entry(description, sink, false)
    }

    fn register_entry(
        &self,
        description: Description,
        sink: impl Sink + 'static,
        is_alias: bool,
    ) -> Result<Registration> {
        description.address.validate()?;
        if self.is_stopped() {
            return Err(Error::Stopped);
        }
        let entry = Arc::new(Entry {
            address: description.address,
            class: description.class,
            arbiter: description.arbiter,
            budget: description.budget,
            node: self.clone(),
            sink: Box::new(sink),
            access: description.access,
            state: description.state,
            gone: AtomicBool::new(false),
            stop: Mutex::new(None),
            is_alias,
            reply: OnceLock::new(),
        });
        self.check_free(&entry.address)?;
        let taken = self.shared.table.insert(entry.address.clone(), entry.clone());
        taken.map_err(|entry| Error::AddressInUse(entry.address.clone()))?;
        if entry.class == Class::Listener {
            self.shared.channel_listeners.fetch_add(1, Ordering::AcqRel);
            self.announce();
        }
        Ok(Registration::new(entry))
    }

    /// Starts an internal actor on the described arbiter and registers it; the actor begins when it
    /// gets its registration with [`Adopt`].
    ///
    /// # Errors
    /// As [`Node::register_sink`]; the actor ends without having begun.
    pub fn launch<A, F>(&self, description: Description, make: F) -> Result<Addr<A>>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<Payload>> + Handler<Adopt>,
        F: FnOnce(&mut ActorContext<A>) -> A + Send + 'static,
    {
        let arbiter = description.arbiter.unwrap_or_else(|| self.next_arbiter());
        self.adopt(description.on(arbiter), self.start_on(arbiter, make))
    }

    /// As [`Node::launch`], on this thread, for actors that cannot be sent to another.
    ///
    /// # Errors
    /// As [`Node::launch`].
    pub fn launch_here<A>(&self, mut description: Description, actor: A) -> Result<Addr<A>>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<Payload>> + Handler<Adopt>,
    {
        description.arbiter = self.current_arbiter();
        self.adopt(description, actor.start())
    }

    fn adopt<A>(&self, description: Description, actor: Addr<A>) -> Result<Addr<A>>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<Payload>> + Handler<Adopt>,
    {
        let registration = self.register_actor(description, actor.clone())?;
        // One control message for each actor.
        #[allow(clippy::disallowed_methods)]
        actor.do_send(Adopt(registration));
        Ok(actor)
    }

    /// Gives an internal actor one more address; it owns the registration that is returned.
    ///
    /// # Errors
    /// As [`Node::register_sink`].
    pub fn register_actor<A>(
        &self,
        description: Description,
        actor: Addr<A>,
    ) -> Result<Registration>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<Payload>>,
    {
        self.register_sink(description, Mailbox::<A, Payload>::new(actor))
    }

    /// Whether a worker has the address.
    pub fn is_registered(&self, address: &Address) -> bool {
        self.check_free(address).is_err()
    }

    fn check_free(&self, address: &Address) -> Result<()> {
        let Some(entry) = self.shared.table.find(address) else { return Ok(()) };
        if entry.gone.load(Ordering::Acquire) {
            self.unregister(&entry);
            return Ok(());
        }
        Err(Error::AddressInUse(address.clone()))
    }

    pub(crate) fn unregister(&self, entry: &Arc<Entry>) {
        let same = |found: &Entry| std::ptr::eq(found, Arc::as_ptr(entry));
        let removed = self.shared.table.remove(&entry.address, same);
        if removed.is_some() && entry.class == Class::Listener {
            self.shared.channel_listeners.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Stops the worker at `address` and frees the address.
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn stop_worker(&self, address: impl Into<Address>) -> Result<()> {
        let address = address.into();
        let entry = self.shared.table.find(&address).ok_or(Error::NoWorker(address))?;
        entry.gone.store(true, Ordering::Release);
        self.unregister(&entry);
        entry.ask_to_stop();
        Ok(())
    }

    /// The addresses of all workers, sorted, with what they are to those outside.
    pub fn workers(&self) -> Vec<(Address, Class)> {
        let entries = self.shared.table.entries();
        let own = entries.iter().filter(|entry| !entry.is_alias);
        let mut workers: Vec<_> = own.map(|e| (e.address.clone(), e.class)).collect();
        workers.sort_by(|one, other| one.0.cmp(&other.0));
        workers
    }

    /// The number of workers, without the addresses that only stand for one of them.
    pub fn worker_count(&self) -> usize {
        self.shared.table.count(|entry| !entry.is_alias)
    }

    // ----- arbiters --------------------------------------------------------------------------

    /// How many arbiters the node owns.
    pub fn arbiter_count(&self) -> usize {
        self.shared.arbiters.len()
    }

    /// The arbiter that this thread is, if it is one of this node's.
    pub fn current_arbiter(&self) -> Option<usize> {
        CURRENT.get().and_then(|(id, index)| (id == self.shared.id).then_some(index))
    }

    /// The next arbiter in turn, for a new connection or a worker that belongs nowhere yet.
    pub fn next_arbiter(&self) -> usize {
        self.shared.next_arbiter.fetch_add(1, Ordering::Relaxed) % self.arbiter_count()
    }

    /// Where the actors of a path belong: on the arbiter of its first hop, else here, else anywhere.
    pub fn arbiter_for(&self, path: &Path) -> usize {
        path.arbiter.or_else(|| self.current_arbiter()).unwrap_or_else(|| self.next_arbiter())
    }

    /// Runs `task` on an arbiter. It ends when the node stops.
    pub fn spawn_on<F>(&self, arbiter: usize, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.shared.arbiters[arbiter % self.arbiter_count()].handle.spawn(task);
    }

    /// Starts an internal actor on an arbiter.
    pub fn start_on<A, F>(&self, arbiter: usize, make: F) -> Addr<A>
    where
        A: Actor<Context = ActorContext<A>>,
        F: FnOnce(&mut ActorContext<A>) -> A + Send + 'static,
    {
        if self.current_arbiter() == Some(arbiter) {
            return A::create(make);
        }
        A::start_in_arbiter(&self.shared.arbiters[arbiter % self.arbiter_count()].handle, make)
    }

    // ----- what transports and services share --------------------------------------------------

    /// Makes `dialer` responsible for addresses that start with `transport#`.
    pub fn add_dialer(&self, transport: &str, dialer: Arc<dyn Dialer>) {
        let mut dialers = self.shared.dialers.write().unwrap_or_else(PoisonError::into_inner);
        dialers.entry(transport.to_owned()).or_insert(dialer);
    }

    /// The workers that the peer behind `dialled` may deliver to.
    pub fn destinations(&self, dialled: &Address) -> Arc<Destinations> {
        let mut all = self.shared.destinations.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(dialled.clone()).or_default().clone()
    }

    /// Drops what [`Node::destinations`] keeps for an address that nobody uses again.
    pub fn forget_destinations(&self, dialled: &Address) {
        let mut all = self.shared.destinations.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(dialled);
    }

    /// The node's one value of a type, made on first use: what a crate on top keeps for each node.
    pub fn extension<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut all = self.shared.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        let made = all.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        // Each value stands under its own type.
        made.clone().downcast::<T>().unwrap_or_default()
    }

    /// Notes that connections of other nodes are accepted.
    pub fn add_listener(&self, listening: Listening) {
        let mut listeners = self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.push(listening);
        drop(listeners);
        self.announce();
    }

    /// Which workers are reached from where at this moment, with the refusals so far.
    pub fn reachability(&self) -> Reachability {
        let destinations = self.shared.destinations.lock().unwrap_or_else(PoisonError::into_inner);
        let mut destinations: Vec<_> =
            destinations.iter().map(|(address, all)| (address.clone(), all.clone())).collect();
        destinations.sort_by(|one, other| one.0.cmp(&other.0));
        let listeners = self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = self.shared.table.entries();
        let own = entries.iter().filter(|entry| !entry.is_alias);
        let facts = Facts {
            guarded: self.is_guarded(),
            listeners: listeners.clone(),
            destinations,
            workers: own
                .map(|entry| Listed {
                    address: entry.address.clone(),
                    class: entry.class,
                    narrowed: entry.access.is_some(),
                })
                .collect(),
        };
        Reachability::new(facts, self.refusals())
    }

    /// Logs what is reached from outside, once, when the program has had the time to start what it starts.
    fn announce(&self) {
        if self.shared.announced.swap(true, Ordering::AcqRel) {
            return;
        }
        let node = self.clone();
        self.spawn_on(0, async move {
            tokio::time::sleep(ANNOUNCE_AFTER).await;
            log::info!("{}", node.reachability().summary());
        });
    }

    /// Whether the node has a secure channel listener, so that its named workers are reached
    /// through that alone.
    pub fn is_guarded(&self) -> bool {
        self.shared.channel_listeners.load(Ordering::Acquire) > 0
    }

    /// How often each rule of reachability refused.
    pub fn refusals(&self) -> &Refusals {
        &self.shared.refusals
    }

    // ----- the end -----------------------------------------------------------------------------

    /// Marks something that a stopping node lets finish, until the guard is dropped.
    pub fn busy(&self) -> Busy {
        self.shared.busy.send_modify(|count| *count += 1);
        Busy { node: self.clone() }
    }

    /// Waits until the node begins to stop: listeners and inlets accept nothing from then on.
    pub async fn stopping(&self) {
        self.wait_for(Stage::Draining).await;
    }

    /// Waits until the node has stopped.
    pub async fn stopped(&self) {
        self.wait_for(Stage::Stopped).await;
    }

    async fn wait_for(&self, stage: Stage) {
        let mut stopping = self.shared.stopping.subscribe();
        // The sender lives as long as this node, so there is no error.
        let _ = stopping.wait_for(|now| *now >= stage).await;
    }

    /// Whether the node has begun to stop.
    pub fn is_stopping(&self) -> bool {
        *self.shared.stopping.borrow() >= Stage::Draining
    }

    fn is_stopped(&self) -> bool {
        *self.shared.stopping.borrow() == Stage::Stopped
    }

    /// Stops accepting, lets what is open finish for a few seconds, and ends all workers and
    /// arbiters. The actix `System` goes on.
    pub async fn stop(&self) {
        if self.shared.stop_called.swap(true, Ordering::AcqRel) {
            return self.stopped().await;
        }
        self.shared.stopping.send_replace(Stage::Draining);
        let mut busy = self.shared.busy.subscribe();
        let drained = busy.wait_for(|count| *count == 0);
        if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
            log::info!("{} streams were still open and are reset", *self.shared.busy.borrow());
        }
        self.shared.stopping.send_replace(Stage::Stopped);
        for entry in self.shared.table.entries() {
            self.unregister(&entry);
            entry.ask_to_stop();
        }
        self.shared.arbiters.iter().for_each(|arbiter| {
            arbiter.handle.stop();
        });
    }
}

impl AsRef<Node> for Node {
    fn as_ref(&self) -> &Node {
        self
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.shared.id)
            .field("arbiters", &self.arbiter_count())
            .field("workers", &self.worker_count())
            .finish()
    }
}

/// Something that a stopping node lets finish.
#[derive(Debug)]
pub struct Busy {
    node: Node,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.node.shared.busy.send_modify(|count| *count = count.saturating_sub(1));
    }
}
