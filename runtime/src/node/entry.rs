//! Workers as the router sees them: entries of the routing table, each with a [`Deliver`] that
//! takes its messages.
//!
//! An entry knows no node and no actor. A delivery that routes further, such as an alias, holds its
//! own reference to the node.

use std::{
    collections::{btree_map::Entry as Slot, BTreeMap},
    fmt,
    panic::{catch_unwind, AssertUnwindSafe},
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc, Weak,
    },
};

use tokio::sync::oneshot;

use crate::{
    address::{route::Route, Address},
    edge::{
        budget::Budget,
        first_hop::{FirstHop, LinkState},
        link_budgets::LinkBudgets,
    },
    limits::EDGE_BUDGET_BYTES,
    lock::Lock,
    message::{
        notice::UndeliverableReason, payload::Payload, undelivered::Undelivered, Message,
        MessageKind,
    },
    node::life::Life,
    trust::{origin::Origin, reachability::Class},
    watched,
};

/// Takes messages for one address. It is called on the arbiter of its entry, if that has one.
pub trait Deliver: Send + Sync {
    /// Takes the message; the entry's address is already off its onward route.
    ///
    /// # Errors
    /// Gives the message back with the reason.
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>>;

    /// Called when the worker at the address is asked to stop, by name or because its node ends.
    fn stop(&self) {}

    /// How many messages it has taken that nobody has handled yet, where it counts them.
    fn queue_length(&self) -> usize {
        0
    }

    /// Whether it is known that nobody takes messages any more, although the address has not been
    /// freed.
    fn has_ended(&self) -> bool {
        false
    }
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

    fn stop(&self) {
        self.inbox.stop();
    }

    fn queue_length(&self) -> usize {
        self.inbox.queue_length()
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
    pub(crate) state: Option<watched::Receiver<LinkState>>,
    pub(crate) life: Arc<Life>,
    /// For an alias: the worker that it stands for, and the ingress that it belongs to.
    pub(crate) alias_of: Option<Pair>,
    /// The aliases that end with this entry, as that of their worker or of their ingress.
    pub(crate) aliases: Aliases,
}

impl Entry {
    /// The entry of a worker as described, with its delivery.
    pub(crate) fn new(description: Description, delivery: impl Deliver + 'static) -> Self {
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
            alias_of: None,
            aliases: Aliases::default(),
        }
    }

    /// The entry as the first hop of a source's route, which goes on to `next` from there.
    pub fn first_hop(&self, next: Option<&Address>) -> FirstHop {
        FirstHop {
            address: self.address.clone(),
            budget: match &self.budgets {
                Budgets::One(budget) => budget.clone(),
                Budgets::ByNext(budgets) => budgets.to(next.unwrap_or(&self.address)),
                Budgets::Single => Budget::new(EDGE_BUDGET_BYTES),
            },
            budgets: self.link_budgets(),
            arbiter: self.arbiter,
            state: self.state.clone(),
        }
    }

    /// The budgets of those who send over this entry, if it is a connection.
    pub(crate) fn link_budgets(&self) -> Option<LinkBudgets> {
        match &self.budgets {
            Budgets::One(_) | Budgets::Single => None,
            Budgets::ByNext(budgets) => Some(budgets.clone()),
        }
    }

    /// Has a message wait in this worker's own budget for the worker to read it. While that is full
    /// it stays on its lane, so that the peer waits.
    pub(crate) fn keep(&self, message: &mut Message) {
        let Budgets::One(budget) = &self.budgets else { return };
        let bytes = message.payload.len();
        if let Some(permit) = &mut message.permit {
            permit.move_on_to(budget, bytes);
        }
    }

    /// Whether a watch that has come here has come to its worker: not one that goes on along its
    /// route, nor where the address stands for another one.
    pub(crate) fn ends_watch(&self, watch: &Message) -> bool {
        let passes_on = self.alias_of.is_some() || self.class == Class::Forwarder;
        watch.onward_route.is_empty() && !passes_on
    }

    /// Delivers a message. A panic in the delivery is contained here: it is this worker's fault,
    /// not that of the connection, router or worker that delivers. The message is lost then, but
    /// who has asked a question is told.
    pub(crate) fn take(&self, message: Message) -> Result<(), Box<Undelivered>> {
        let is_asked = message.kind == MessageKind::Request;
        let asker = is_asked.then(|| message.return_route.clone());
        let delivering = AssertUnwindSafe(|| self.delivery.deliver(self, message));
        catch_unwind(delivering).unwrap_or_else(|_| {
            log::error!("a message was lost: its delivery to \"{}\" panicked", self.address);
            let Some(asker) = asker else { return Ok(()) };
            let lost = Message::new(Route::new(), asker, Payload::default());
            Err(Undelivered::new(lost, &self.address, UndeliverableReason::Unanswered))
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

/// What an alias belongs to. `node/alias.rs` makes aliases, the directory ends them.
pub(crate) struct Pair {
    worker: Weak<Entry>,
    ingress: Weak<Entry>,
    /// The address of the ingress.
    via: Address,
}

impl Pair {
    pub(crate) fn new(worker: &Arc<Entry>, ingress: &Arc<Entry>) -> Self {
        let via = ingress.address.clone();
        Self { worker: Arc::downgrade(worker), ingress: Arc::downgrade(ingress), via }
    }

    /// The worker and the ingress, while both are there.
    pub(crate) fn both(&self) -> Option<(Arc<Entry>, Arc<Entry>)> {
        Some((self.worker.upgrade()?, self.ingress.upgrade()?))
    }

    /// Whether a message of this origin may use the alias: one from outside comes in by its
    /// ingress.
    pub(crate) fn admits(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Local => true,
            Origin::Remote(ingress) => ingress.via == self.via,
        }
    }
}

/// The aliases that end with an entry, by the address of the other one of their pair.
#[derive(Default)]
pub(crate) struct Aliases(Lock<BTreeMap<Address, Arc<Entry>>>);

impl Aliases {
    /// The address of the alias that is listed for `other`.
    pub(crate) fn find(&self, other: &Address) -> Option<Address> {
        let all = self.0.lock();
        all.get(other).map(|alias| alias.address.clone())
    }

    /// Lists an alias, unless one is listed for `other`, which it returns.
    pub(crate) fn add(&self, other: &Address, alias: &Arc<Entry>) -> Option<Arc<Entry>> {
        match self.0.lock().entry(other.clone()) {
            Slot::Occupied(found) => Some(found.get().clone()),
            Slot::Vacant(slot) => {
                slot.insert(alias.clone());
                None
            }
        }
    }

    /// Lists an alias, in place of that of an earlier entry with the address `other`.
    pub(crate) fn replace(&self, other: &Address, alias: &Arc<Entry>) {
        self.0.lock().insert(other.clone(), alias.clone());
    }

    /// Takes an alias off the list, but no later one that is listed for `other`.
    pub(crate) fn forget(&self, other: &Address, alias: &Arc<Entry>) {
        let mut all = self.0.lock();
        if all.get(other).is_some_and(|listed| Arc::ptr_eq(listed, alias)) {
            all.remove(other);
        }
    }

    /// All of them, which are no longer listed.
    pub(crate) fn take(&self) -> Vec<Arc<Entry>> {
        let mut all = self.0.lock();
        match all.is_empty() {
            true => Vec::new(),
            false => std::mem::take(&mut *all).into_values().collect(),
        }
    }
}

/// The bytes that may wait for a worker.
#[derive(Clone, Debug)]
pub enum Budgets {
    /// All its sources share them.
    One(Budget),
    /// It is a connection: those who send to the same address at its far end share them.
    ByNext(LinkBudgets),
    /// It takes a single message, for which each source has room.
    Single,
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
    pub state: Option<watched::Receiver<LinkState>>,
    /// The worker's own access rule.
    pub access: Option<AccessRule>,
    /// Its interceptor, and the count of the messages in its inbox.
    interceptor: Option<(Arc<dyn Interceptor>, InboxCount)>,
    pub(crate) life: Arc<Life>,
}

impl Description {
    /// A worker of `class` with a budget of its own and no further rules.
    pub fn new(address: impl Into<Address>, class: Class) -> Self {
        Self::of(address.into(), class, Budgets::One(Budget::new(EDGE_BUDGET_BYTES)))
    }

    fn of(address: Address, class: Class, budgets: Budgets) -> Self {
        Self {
            address,
            class,
            arbiter: None,
            budgets,
            state: None,
            access: None,
            interceptor: None,
            life: Arc::default(),
        }
    }

    /// A mailbox, at an address that never leaves the node: whoever is to answer from outside gets
    /// an address for reply in its place, which admits only the connection or channel that it was
    /// given to.
    pub fn mailbox() -> Self {
        Self::new(Address::mailbox(), Class::Internal)
    }

    /// A [`mailbox`](Self::mailbox) for one answer.
    pub(crate) fn answer() -> Self {
        Self::of(Address::mailbox(), Class::Internal, Budgets::Single)
    }

    /// The address of a stream whose messages go over `first_hop`. It takes only what comes in
    /// where they go: over a connection or a channel that is known beforehand, and costs no
    /// replacement of the address in each message. Where a worker of this node sends them on, it is
    /// known once they leave, as for a [`mailbox`](Self::mailbox).
    pub fn answered_over(first_hop: &FirstHop) -> Self {
        match first_hop.answers() {
            Some(answers) => Self::new(Address::random(), Class::Reply).with_access(answers),
            None => Self::mailbox(),
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
    pub fn with_state(mut self, state: watched::Receiver<LinkState>) -> Self {
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
