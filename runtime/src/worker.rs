//! Workers as the router sees them: an entry of the routing table with a sink for messages.
//!
//! # Who keeps what alive
//!
//! A worker that the node started lives because the future that empties its inbox never completes; of
//! an actor that was started elsewhere, the sink in the table's [`Entry`] holds a strong `Addr`. Either lives
//! until it stops itself, [`Node::stop_worker`] is called, or the node stops. The worker's side holds a [`Registration`], which takes the entry out of the table
//! when it is dropped. actix drops an actor whose handler panicked, and the registration with it,
//! so a panic leaves no address behind.

use std::{
    fmt,
    future::Future,
    panic::{catch_unwind, AssertUnwindSafe},
    pin::Pin,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, OnceLock, PoisonError, Weak,
    },
    task::{Context as TaskContext, Poll},
};

use actix::{dev::ToEnvelope, fut::ActorFuture, Actor, ActorContext, Addr, AsyncContext, Handler};
use tokio::sync::{oneshot, watch};

use crate::{
    address::Address,
    body::Body,
    budget::Budget,
    limits::EDGE_BUDGET_BYTES,
    message::{Kind, Message},
    node::Node,
    notice::{Notice, Reason},
    origin::Origin,
    path::{Path, PathState},
    reachability::Class,
    routed::Routed,
};

/// Takes messages for one address. It is called on the arbiter of its entry, if that has one.
pub trait Sink: Send + Sync {
    /// Takes the message, of which the entry's address was taken off the onward route.
    ///
    /// # Errors
    /// Gives the message back with the reason.
    fn deliver(&self, entry: &Arc<Entry>, message: Message) -> Result<(), Box<Undelivered>>;
}

/// Stands before a worker's inbox and takes what need not wait for the worker's turn, in the task of whoever delivers,
/// on the arbiter of the worker's entry.
///
/// What it routes may come back to it before it returns.
pub trait Front: Send + Sync {
    /// Takes the message, or gives back one that is for the worker.
    fn take(&self, message: Message) -> Option<Message>;
}

/// A front, and the sink behind it.
pub(crate) struct Fronted<S>(pub(crate) Arc<dyn Front>, pub(crate) S);

impl<S: Sink> Sink for Fronted<S> {
    fn deliver(&self, entry: &Arc<Entry>, message: Message) -> Result<(), Box<Undelivered>> {
        match self.0.take(message) {
            Some(message) => self.1.deliver(entry, message),
            None => Ok(()),
        }
    }
}

/// A message that could not be delivered.
#[derive(Debug)]
pub struct Undelivered {
    /// The message, with its onward route as it was at the hop that failed.
    pub message: Message,
    /// Which hop, and why.
    pub notice: Notice,
}

impl Undelivered {
    /// Says that `message` could not pass `hop`.
    pub fn new(message: Message, hop: &Address, reason: Reason) -> Box<Self> {
        Box::new(Self { message, notice: Notice::new(hop.clone(), reason) })
    }
}

/// Decides for one worker whether a message from an [`Origin`] may reach it, beyond what
/// [`reachability`](crate::reachability) decides for all.
pub type AccessRule = Arc<dyn Fn(&Origin) -> bool + Send + Sync>;

/// One address of the routing table.
pub struct Entry {
    /// The address.
    pub address: Address,
    /// What it is to those outside.
    pub class: Class,
    /// The arbiter that its messages are handed over on; `None` for any.
    pub arbiter: Option<usize>,
    /// The bytes that may wait for it.
    pub budget: Budget,
    pub(crate) node: Node,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) access: Option<AccessRule>,
    pub(crate) state: Option<watch::Receiver<PathState>>,
    pub(crate) gone: AtomicBool,
    pub(crate) stop: Mutex<Option<oneshot::Sender<()>>>,
    /// Whether it only stands for another entry.
    pub(crate) is_alias: bool,
    /// The unguessable address that stands for this one in routes that leave the node.
    pub(crate) reply: OnceLock<Registration>,
}

impl Entry {
    /// The entry as the first hop of a source's route.
    pub fn path(&self) -> Path {
        Path {
            first_hop: self.address.clone(),
            budget: self.budget.clone(),
            arbiter: self.arbiter,
            state: self.state.clone(),
        }
    }

    /// The node that the entry belongs to.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Has the sink take a message. A panic in there ends here: it is that worker's fault, and not
    /// that of the connection, the router or the worker that delivers.
    pub(crate) fn take(self: &Arc<Self>, message: Message) -> Result<(), Box<Undelivered>> {
        let taking = AssertUnwindSafe(|| self.sink.deliver(self, message));
        catch_unwind(taking).unwrap_or_else(|_| {
            log::error!("a message was lost: \"{}\" panicked when it took it", self.address);
            Ok(())
        })
    }

    /// Completes, with a value or an error, when the worker is asked to stop.
    pub fn stop_signal(&self) -> oneshot::Receiver<()> {
        let (sender, stop) = oneshot::channel();
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        if self.gone.load(Ordering::Acquire) {
            self.ask_to_stop();
        }
        stop
    }

    /// Asks the worker to stop, where it waits for a stop signal.
    pub(crate) fn ask_to_stop(&self) {
        // Dropping the sender completes the signal.
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("address", &self.address)
            .field("class", &self.class)
            .field("arbiter", &self.arbiter)
            .finish_non_exhaustive()
    }
}

/// How a worker is to be registered.
pub struct Description {
    /// Its address.
    pub address: Address,
    /// What it is to those outside.
    pub class: Class,
    /// The arbiter that it lives on; `None` for a sink that any thread may call.
    pub arbiter: Option<usize>,
    /// The bytes that may wait for it.
    pub budget: Budget,
    /// For connections and channels: their state as their sources watch it.
    pub state: Option<watch::Receiver<PathState>>,
    /// The worker's own access rule.
    pub access: Option<AccessRule>,
    /// What stands before its inbox.
    pub front: Option<Arc<dyn Front>>,
}

impl Description {
    /// A worker of `class` with a budget of its own and no further rules.
    pub fn new(address: impl Into<Address>, class: Class) -> Self {
        Self {
            address: address.into(),
            class,
            arbiter: None,
            budget: Budget::new(EDGE_BUDGET_BYTES),
            state: None,
            access: None,
            front: None,
        }
    }

    /// The same on a certain arbiter.
    #[must_use]
    pub fn on(mut self, arbiter: usize) -> Self {
        self.arbiter = Some(arbiter);
        self
    }

    /// The same with the budget of another edge.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// The same with a state that sources can watch.
    #[must_use]
    pub fn with_state(mut self, state: watch::Receiver<PathState>) -> Self {
        self.state = Some(state);
        self
    }

    /// The same with something before its inbox.
    #[must_use]
    pub fn behind(mut self, front: Arc<dyn Front>) -> Self {
        self.front = Some(front);
        self
    }

    /// The same with an access rule.
    #[must_use]
    pub fn with_access(mut self, rule: impl Fn(&Origin) -> bool + Send + Sync + 'static) -> Self {
        self.access = Some(Arc::new(rule));
        self
    }
}

/// Keeps an address in the routing table until it is dropped.
///
/// The worker owns it, so that the address ends with the worker however that ends.
#[derive(Debug)]
pub struct Registration {
    entry: Arc<Entry>,
    attached: bool,
}

impl Registration {
    pub(crate) fn new(entry: Arc<Entry>) -> Self {
        Self { entry, attached: true }
    }

    /// Leaves the address in the table until [`Node::stop_worker`] is called or the node stops.
    pub fn detach(mut self) {
        self.attached = false;
    }

    /// The address.
    pub fn address(&self) -> &Address {
        &self.entry.address
    }

    /// The entry in the table.
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if self.attached {
            self.entry.gone.store(true, Ordering::Release);
            self.entry.node.unregister(&self.entry);
        }
    }
}

/// The sink of one more address of a worker: what comes to it goes to the worker.
pub(crate) struct Alias(pub(crate) Weak<Entry>);

impl Sink for Alias {
    fn deliver(&self, entry: &Arc<Entry>, message: Message) -> Result<(), Box<Undelivered>> {
        match self.0.upgrade() {
            Some(worker) => entry.node.hand_over(worker, message),
            None => Err(Undelivered::new(message, &entry.address, Reason::WorkerStopped)),
        }
    }
}

/// Gives an internal actor its registration, and with it the word to begin. It keeps the
/// registration in its state, so that the address ends with the actor.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Adopt(pub Registration);

/// The sink of an actor that was started elsewhere: its mailbox, with the body decoded before.
pub(crate) struct Mailbox<A: Actor, M> {
    actor: Addr<A>,
    body: std::marker::PhantomData<fn(M)>,
}

impl<A: Actor, M> Mailbox<A, M> {
    pub(crate) fn new(actor: Addr<A>) -> Self {
        Self { actor, body: std::marker::PhantomData }
    }
}

impl<A, M> Sink for Mailbox<A, M>
where
    A: Actor + Handler<Routed<M>>,
    A::Context: ToEnvelope<A, Routed<M>>,
    M: Body,
{
    fn deliver(&self, entry: &Arc<Entry>, message: Message) -> Result<(), Box<Undelivered>> {
        if !self.actor.connected() {
            return Err(Undelivered::new(message, &entry.address, Reason::WorkerStopped));
        }
        if let Some(routed) = open_for::<M>(entry, message)? {
            // The permit in the message bounds the mailbox, which its own capacity would not.
            #[allow(clippy::disallowed_methods)]
            self.actor.do_send(routed);
        }
        Ok(())
    }
}

/// What the worker at `entry` handles, with the body decoded; `None` for notices to workers that
/// take none, which are logged.
pub(crate) fn open_for<M: Body>(
    entry: &Arc<Entry>,
    message: Message,
) -> Result<Option<Routed<M>>, Box<Undelivered>> {
    if message.kind == Kind::Notice && !M::RAW {
        if let Some(notice) = Notice::decode(&message.payload) {
            log::warn!("a message from {} could not be delivered: {notice}", entry.address);
        }
        return Ok(None);
    }
    Routed::receive(entry, message).map(Some)
}

/// Lives in a user actor's context: stops the actor on request, unregisters it when it is gone.
pub(crate) struct Guard {
    pub(crate) registration: oneshot::Receiver<Registration>,
    pub(crate) registered: Option<(Registration, oneshot::Receiver<()>)>,
}

impl Guard {
    pub(crate) fn new(registration: oneshot::Receiver<Registration>) -> Self {
        Self { registration, registered: None }
    }
}

impl<A: Actor> ActorFuture<A> for Guard
where
    A::Context: ActorContext + AsyncContext<A>,
{
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        _actor: &mut A,
        context: &mut A::Context,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let guard = self.get_mut();
        if guard.registered.is_none() {
            let Poll::Ready(registered) = Pin::new(&mut guard.registration).poll(task) else {
                return Poll::Pending;
            };
            let Ok(registration) = registered else {
                // It could not be registered, so it is no worker.
                context.stop();
                return Poll::Ready(());
            };
            let stop = registration.entry().stop_signal();
            guard.registered = Some((registration, stop));
        }
        let Some((_, stop)) = &mut guard.registered else { return Poll::Pending };
        Pin::new(stop).poll(task).map(|_| context.stop())
    }
}
