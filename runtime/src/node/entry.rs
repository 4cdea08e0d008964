//! Workers as the router sees them: entries of the routing table, each with a [`Deliver`] that
//! takes its messages.
//!
//! An entry knows no node and no actor. A delivery that routes further, such as an alias, holds its
//! own reference to the node.

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
        link_budgets::LinkBudgets,
    },
    limits::EDGE_BUDGET_BYTES,
    lock::Lock,
    message::{undelivered::Undelivered, Message},
    trust::{origin::Origin, reachability::Class},
};

/// Takes messages for one address. It is called on the arbiter of its entry, if that has one.
pub trait Deliver: Send + Sync {
    /// Takes the message; the entry's address is already off its onward route.
    ///
    /// # Errors
    /// Gives the message back with the reason.
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>>;
}

/// Takes messages before they enter a worker's inbox, so that they need not wait for the worker's
/// turn. It is called in the task that delivers them, on the arbiter of the worker's entry.
///
/// It is called only while the inbox is empty, so no message overtakes another. A message that it
/// routes may come back to it before it returns.
pub trait Interceptor: Send + Sync {
    /// Takes the message, or gives back one that is for the worker.
    fn intercept(&self, message: Message) -> Option<Message>;
}

/// How many messages wait in the inbox of a worker that has an interceptor. It is used only on the
/// worker's arbiter. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct InboxCount(Arc<AtomicUsize>);

impl InboxCount {
    /// Whether no message waits.
    fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Counts one message more.
    fn raise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one message less: the worker has taken it, or its inbox has refused it.
    pub fn lower(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A delivery whose messages an interceptor sees first, unless others are waiting already.
struct Intercepted<S> {
    interceptor: Arc<dyn Interceptor>,
    waiting: InboxCount,
    inbox: S,
}

impl<S: Deliver> Deliver for Intercepted<S> {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        let passed_on = match self.waiting.is_empty() {
            true => self.interceptor.intercept(message),
            false => Some(message),
        };
        let Some(message) = passed_on else { return Ok(()) };
        self.waiting.raise();
        self.inbox.deliver(entry, message).inspect_err(|_| self.waiting.lower())
    }
}

/// Decides for one worker whether a message from an [`Origin`] may reach it, in addition to what
/// [`reachability`](crate::trust::reachability) decides for all workers.
pub type AccessRule = Arc<dyn Fn(&Origin) -> bool + Send + Sync>;

/// One address of the routing table.
pub struct Entry {
    /// The address.
    pub address: Address,
    /// Its class, for reachability from outside.
    pub class: Class,
    /// The arbiter on which its messages are delivered; `None` for any.
    pub arbiter: Option<usize>,
    /// The bytes that may wait for it.
    pub budgets: Budgets,
    pub(crate) delivery: Box<dyn Deliver>,
    pub(crate) access: Option<AccessRule>,
    pub(crate) state: Option<watch::Receiver<LinkState>>,
    pub(crate) life: Arc<Life>,
    /// Whether it only stands for another entry.
    pub(crate) is_alias: bool,
    /// The unguessable address that stands for this one in routes that leave the node.
    pub(crate) reply: OnceLock<ReplyAddress>,
}

impl Entry {
    /// The entry of a worker as described, with its delivery.
    pub(crate) fn new(
        description: Description,
        delivery: impl Deliver + 'static,
        is_alias: bool,
    ) -> Self {
        let delivery: Box<dyn Deliver> = match description.interceptor {
            Some((interceptor, waiting)) => {
                Box::new(Intercepted { interceptor, waiting, inbox: delivery })
            }
            None => Box::new(delivery),
        };
        Self {
            address: description.address,
            class: description.class,
            arbiter: description.arbiter,
            budgets: description.budgets,
            delivery,
            access: description.access,
            state: description.state,
            life: description.life,
            is_alias,
            reply: OnceLock::new(),
        }
    }

    /// The entry as the first hop of a source's route, which goes on to `next` from there.
    pub fn first_hop(&self, next: Option<&Address>) -> FirstHop {
        FirstHop {
            address: self.address.clone(),
            budget: match &self.budgets {
                Budgets::One(budget) => budget.clone(),
                Budgets::ByNext(budgets) => budgets.to(next.unwrap_or(&self.address)),
            },
            budgets: self.link_budgets(),
            arbiter: self.arbiter,
            state: self.state.clone(),
        }
    }

    /// The budgets of those who send over this entry, if it is a connection.
    pub(crate) fn link_budgets(&self) -> Option<LinkBudgets> {
        match &self.budgets {
            Budgets::One(_) => None,
            Budgets::ByNext(budgets) => Some(budgets.clone()),
        }
    }

    /// Delivers a message. A panic in the delivery is contained here: it is this worker's fault,
    /// not that of the connection, router or worker that delivers.
    pub(crate) fn take(&self, message: Message) -> Result<(), Box<Undelivered>> {
        let delivering = AssertUnwindSafe(|| self.delivery.deliver(self, message));
        catch_unwind(delivering).unwrap_or_else(|_| {
            log::error!("a message was lost: its delivery to \"{}\" panicked", self.address);
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

/// Whether a worker still lives; shared by its entry and by the messages that it holds.
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

    /// Asks the worker to stop, if it waits for a stop signal.
    pub(crate) fn ask_to_stop(&self) {
        // Dropping the sender completes the signal.
        drop(self.stop.lock().take());
    }
}

/// The bytes that may wait for a worker.
#[derive(Clone, Debug)]
pub enum Budgets {
    /// All its sources share them.
    One(Budget),
    /// It is a connection: those who send to the same address at its far end share them.
    ByNext(LinkBudgets),
}

/// How a worker is to be registered.
pub struct Description {
    /// Its address.
    pub address: Address,
    /// Its class, for reachability from outside.
    pub class: Class,
    /// The arbiter that it lives on; `None` for a delivery that any thread may call.
    pub arbiter: Option<usize>,
    /// The bytes that may wait for it.
    pub budgets: Budgets,
    /// For connections and channels: the state that their sources watch.
    pub state: Option<watch::Receiver<LinkState>>,
    /// The worker's own access rule.
    pub access: Option<AccessRule>,
    /// Its interceptor, and the count of the messages in its inbox.
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
            budgets: Budgets::One(Budget::new(EDGE_BUDGET_BYTES)),
            state: None,
            access: None,
            interceptor: None,
            life: Arc::default(),
        }
    }

    /// The same on arbiter number `arbiter`.
    #[must_use]
    pub fn on(mut self, arbiter: usize) -> Self {
        self.arbiter = Some(arbiter);
        self
    }

    /// The same with the budget of another edge.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budgets = Budgets::One(budget);
        self
    }

    /// The same for a connection, with a budget for each address at its far end.
    #[must_use]
    pub fn with_link_budgets(mut self, budgets: LinkBudgets) -> Self {
        self.budgets = Budgets::ByNext(budgets);
        self
    }

    /// The same with a state that sources can watch.
    #[must_use]
    pub fn with_state(mut self, state: watch::Receiver<LinkState>) -> Self {
        self.state = Some(state);
        self
    }

    /// The same with an interceptor. The messages in the inbox are counted from now on.
    #[must_use]
    pub fn intercepted_by(mut self, interceptor: Arc<dyn Interceptor>) -> Self {
        self.interceptor = Some((interceptor, InboxCount::default()));
        self
    }

    /// The count of the messages in the inbox, if there is an interceptor: whoever takes a message
    /// out of the inbox lowers it.
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
