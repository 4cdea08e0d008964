//! Workers as the router sees them: entries of the routing table, each with a sink for messages.
//!
//! An entry knows no node and no actor. What routes further, such as an alias, brings its own
//! reference to the node.

use std::{
    fmt,
    panic::{catch_unwind, AssertUnwindSafe},
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        Arc, OnceLock,
    },
};

use tokio::sync::{oneshot, watch};

use crate::{
    address::Address,
    edge::{
        budget::Budget,
        first_hop::{FirstHop, LinkState},
    },
    limits::EDGE_BUDGET_BYTES,
    lock::Lock,
    message::{undelivered::Undelivered, Message},
    trust::{origin::Origin, reachability::Class},
};

/// Takes messages for one address. It is called on the arbiter of its entry, if that has one.
pub trait Deliver: Send + Sync {
    /// Takes the message, of which the entry's address was taken off the onward route.
    ///
    /// # Errors
    /// Gives the message back with the reason.
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>>;
}

/// Takes messages before they enter a worker's inbox, in the task of whoever delivers them and on
/// the arbiter of the worker's entry, where they need not wait for the worker's turn.
///
/// It is asked only while the inbox is empty, so no message overtakes another one. What it routes may
/// come back to it before it returns.
pub trait Interceptor: Send + Sync {
    /// Takes the message, or gives back one that is for the worker.
    fn intercept(&self, message: Message) -> Option<Message>;
}

/// How many messages wait in the inbox of a worker that has an interceptor. All who use it are on the
/// arbiter of the worker. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct InboxCount(Arc<AtomicUsize>);

impl InboxCount {
    /// Whether no message waits.
    fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// One more message waits.
    fn raise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The worker has taken a message, or its inbox has refused one.
    pub fn lower(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A delivery whose messages an interceptor sees first, unless others wait already.
struct Intercepted<S> {
    interceptor: Arc<dyn Interceptor>,
    waiting: InboxCount,
    inbox: S,
}

impl<S: Deliver> Deliver for Intercepted<S> {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        let waits = match self.waiting.is_empty() {
            true => self.interceptor.intercept(message),
            false => Some(message),
        };
        let Some(message) = waits else { return Ok(()) };
        self.waiting.raise();
        self.inbox.deliver(entry, message).inspect_err(|_| self.waiting.lower())
    }
}

/// Decides for one worker whether a message from an [`Origin`] may reach it, beyond what
/// [`reachability`](crate::trust::reachability) decides for all.
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
    pub(crate) sink: Box<dyn Deliver>,
    pub(crate) access: Option<AccessRule>,
    pub(crate) state: Option<watch::Receiver<LinkState>>,
    pub(crate) life: Arc<Life>,
    /// Whether it only stands for another entry.
    pub(crate) is_alias: bool,
    /// The unguessable address that stands for this one in routes that leave the node.
    pub(crate) reply: OnceLock<ReplyAddress>,
}

impl Entry {
    /// Puts a worker as described, with its sink, into an entry.
    pub(crate) fn new(
        description: Description,
        sink: impl Deliver + 'static,
        is_alias: bool,
    ) -> Self {
        let sink: Box<dyn Deliver> = match description.interceptor {
            Some((interceptor, waiting)) => {
                Box::new(Intercepted { interceptor, waiting, inbox: sink })
            }
            None => Box::new(sink),
        };
        Self {
            address: description.address,
            class: description.class,
            arbiter: description.arbiter,
            budget: description.budget,
            sink,
            access: description.access,
            state: description.state,
            life: description.life,
            is_alias,
            reply: OnceLock::new(),
        }
    }

    /// The entry as the first hop of a source's route.
    pub fn first_hop(&self) -> FirstHop {
        FirstHop {
            address: self.address.clone(),
            budget: self.budget.clone(),
            arbiter: self.arbiter,
            state: self.state.clone(),
        }
    }

    /// Has the sink take a message. A panic in there ends here: it is that worker's fault, and not
    /// that of the connection, the router or the worker that delivers.
    pub(crate) fn take(&self, message: Message) -> Result<(), Box<Undelivered>> {
        let taking = AssertUnwindSafe(|| self.sink.deliver(self, message));
        catch_unwind(taking).unwrap_or_else(|_| {
            log::error!("a message was lost: \"{}\" panicked when it took it", self.address);
            Ok(())
        })
    }

    /// Completes, with a value or an error, when the worker is asked to stop.
    pub fn stop_signal(&self) -> oneshot::Receiver<()> {
        self.life.stop_signal()
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

/// An address for answers to a worker.
pub(crate) struct ReplyAddress {
    pub(crate) address: Address,
    /// Its registration, which ends with the worker's entry.
    pub(crate) _registration: Box<dyn Send + Sync>,
}

/// Whether a worker is still there, as its entry and the messages that it holds know it.
#[derive(Debug, Default)]
pub(crate) struct Life {
    gone: AtomicBool,
    stop: Lock<Option<oneshot::Sender<()>>>,
}

impl Life {
    /// Notes that the worker has ended, or is to end.
    pub(crate) fn end(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Whether the worker has ended, or is to end.
    pub(crate) fn has_ended(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    fn stop_signal(&self) -> oneshot::Receiver<()> {
        let (sender, stop) = oneshot::channel();
        *self.stop.lock() = Some(sender);
        if self.has_ended() {
            self.ask_to_stop();
        }
        stop
    }

    /// Asks the worker to stop, where it waits for a stop signal.
    pub(crate) fn ask_to_stop(&self) {
        // Dropping the sender completes the signal.
        drop(self.stop.lock().take());
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
    pub state: Option<watch::Receiver<LinkState>>,
    /// The worker's own access rule.
    pub access: Option<AccessRule>,
    /// What sees its messages before they enter its inbox, and how many wait there.
    interceptor: Option<(Arc<dyn Interceptor>, InboxCount)>,
    pub(crate) life: Arc<Life>,
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
            interceptor: None,
            life: Arc::default(),
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
    pub fn with_state(mut self, state: watch::Receiver<LinkState>) -> Self {
        self.state = Some(state);
        self
    }

    /// The same with an interceptor. What waits in the inbox is counted from now on.
    #[must_use]
    pub fn intercepted_by(mut self, interceptor: Arc<dyn Interceptor>) -> Self {
        self.interceptor = Some((interceptor, InboxCount::default()));
        self
    }

    /// What counts the messages that wait, where there is an interceptor: whoever takes a message out
    /// of the inbox lowers it.
    pub fn inbox_count(&self) -> Option<InboxCount> {
        self.interceptor.as_ref().map(|(_, waiting)| waiting.clone())
    }

    /// The same with an access rule.
    #[must_use]
    pub fn with_access(mut self, rule: impl Fn(&Origin) -> bool + Send + Sync + 'static) -> Self {
        self.access = Some(Arc::new(rule));
        self
    }
}
