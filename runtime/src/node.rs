//! The node: its arbiters, what its workers share, and its end. How it moves messages is in
//! `routing`, how workers come and go in `workers`.

mod routing;
mod workers;

use std::{
    any::{Any, TypeId},
    cell::Cell,
    collections::HashMap,
    fmt,
    future::Future,
    sync::{
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        Arc, Mutex, PoisonError, RwLock,
    },
    time::Duration,
};

use actix::{Actor, Addr, Context as ActorContext};
use actix_rt::ArbiterHandle;
use tokio::sync::watch;

use crate::{
    address::Address,
    error::{Error, Result},
    limits::{ANNOUNCE_AFTER, DRAIN_TIMEOUT},
    origin::Destinations,
    path::Path,
    reachability::{
        listing::{Facts, Listed},
        Listening, Reachability, Refusals,
    },
    router::Router,
    table::SharedTable,
    worker::Entry,
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

/// What ends by itself within this time is not worth a line in the log.
const SHORT_DRAIN: Duration = Duration::from_millis(100);

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
        #[cfg(feature = "faults")]
        let make = crate::faults::with_fuse(self, make);
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
        // Who waits, waits for none.
        self.shared.busy.send_if_modified(|count| {
            *count += 1;
            false
        });
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

    async fn drained_within(&self, limit: Duration) -> bool {
        let mut busy = self.shared.busy.subscribe();
        let drained = busy.wait_for(|count| *count == 0);
        let in_time = tokio::time::timeout(limit, drained).await.is_ok();
        in_time
    }

    /// Stops accepting, lets what is open finish for a few seconds, and ends all workers and
    /// arbiters. The actix `System` goes on.
    pub async fn stop(&self) {
        if self.shared.stop_called.swap(true, Ordering::AcqRel) {
            return self.stopped().await;
        }
        self.shared.stopping.send_replace(Stage::Draining);
        if !self.drained_within(SHORT_DRAIN).await {
            log::info!("stopping: what is still open has {DRAIN_TIMEOUT:?} to end");
            if !self.drained_within(DRAIN_TIMEOUT).await {
                log::info!("{} streams were still open and are reset", *self.shared.busy.borrow());
            }
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
        self.node.shared.busy.send_if_modified(|count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}
