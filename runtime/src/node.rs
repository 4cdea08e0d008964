//! The node: its arbiters, what its workers share, and its shutdown.
//!
//! # What keeps a node running
//!
//! A node runs while a program or a component holds it: a program's [`Node`] or
//! [`Context`](crate::Context), a listener, an inlet, an opened channel. It ends when it is
//! stopped, when nothing holds it any more, or when one of its arbiters ends, as happens when the
//! actix `System` is stopped. Components inside a node, such as inboxes and aliases, have
//! references that do not hold it, so that its own workers do not keep a node running that its
//! owner has dropped.

mod alias;
pub(crate) mod answers;
mod arbiter;
pub mod builder;
pub(crate) mod current;
pub mod directory;
mod doors;
pub mod entry;
#[cfg(feature = "faults")]
pub(crate) mod faults;
pub mod life;
mod router;
pub mod routing;
mod shutdown;
mod stopping;
pub mod strays;
#[cfg_attr(not(internals), doc(hidden))]
pub mod table;
mod threads;

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    future::Future,
    sync::{
        atomic::{AtomicU64, AtomicUsize, Ordering},
        Arc, OnceLock, Weak,
    },
};

use actix::{Actor, Addr, Context as ActorContext};

use crate::{
    address::Address,
    edge::first_hop::FirstHop,
    error::{Error, Result},
    limits::{NodeLimits, ANNOUNCE_AFTER},
    lock::{Lock, SharedLock},
    node::{
        arbiter::{Arbiter, Started},
        directory::{Directory, Registration},
        doors::Doors,
        entry::{Deliver, Description, Entry},
        life::Life,
        router::Router,
        shutdown::{Shutdown, Stage},
        strays::Strays,
        threads::OwnSystem,
    },
    socket::network::Network,
    trust::{
        origin::HubGrants,
        reachability::{
            listing::{Facts, Listed},
            Class, Listening, Reachability,
        },
        refusal_log::RefusalLog,
    },
};

pub use self::shutdown::Busy;

/// A node: cheap to clone, and safe to use from any thread.
///
/// It is made by [`NodeBuilder`](crate::NodeBuilder), or by `#[ockam::node]`. It ends when
/// [`stop`](Self::stop) is called, when the last clone is dropped and no server, such as a listener
/// or an inlet, holds one, and, at once, when the actix `System` that it was started in is stopped.
/// From then on [`stopped`](Self::stopped) is ready, and what needs the node is
/// [`Error::Stopped`].
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
    /// `None` in a reference that does not keep the node running.
    _hold: Option<Arc<Hold>>,
}

/// What all clones of a [`Node`] share.
struct Shared {
    id: u64,
    limits: NodeLimits,
    network: Network,
    directory: Arc<Directory>,
    arbiters: Vec<Arbiter>,
    next_arbiter: AtomicUsize,
    dialers: SharedLock<HashMap<String, Arc<dyn Dialer>>>,
    strays: OnceLock<Arc<dyn Strays>>,
    extensions: Lock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    doors: Doors,
    shutdown: Shutdown,
    own_system: Lock<Option<OwnSystem>>,
}

/// Shared by everything that keeps the node running; dropping the last one ends the node.
struct Hold(Arc<Shared>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A router's reference to its node, which does not keep the node alive.
struct WeakNode(Weak<Shared>);

impl WeakNode {
    fn upgrade(&self) -> Option<Node> {
        self.0.upgrade().map(|shared| Node { shared, _hold: None })
    }

    /// A router, which tells the node of undelivered messages and of its own end.
    fn router(shared: &Weak<Shared>) -> Router {
        let (bouncing, ending) = (Self(shared.clone()), Self(shared.clone()));
        Router {
            bounce: Box::new(move |undelivered| {
                if let Some(node) = bouncing.upgrade() {
                    node.bounce(undelivered);
                }
            }),
            on_end: Box::new(move || {
                if let Some(node) = ending.upgrade() {
                    node.shared.arbiter_ended();
                }
            }),
        }
    }
}

/// Makes connections for routes that start with an address such as `tcp#host:port`.
pub trait Dialer: Send + Sync {
    /// Registers a worker at `address` that stands for the peer and queues its messages until it is
    /// connected. Called again for the same address only when that worker is gone.
    ///
    /// # Errors
    /// If the transport cannot dial the address.
    fn dial(&self, node: &Node, address: &Address) -> Result<()>;
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Shared {
    /// Ends all workers and arbiters at once.
    fn end(&self) {
        // First, so that nothing is registered that the next line does not stop.
        self.shutdown.enter(Stage::Stopped);
        self.directory.stop_all();
        self.arbiters.iter().for_each(Arbiter::stop);
        drop(self.own_system.lock().take());
    }

    /// An arbiter has ended: of a node that runs, because its `System` was stopped.
    fn arbiter_ended(&self) {
        if !self.shutdown.has_reached(Stage::Stopped) {
            log::info!("the node has ended with its arbiter: was the actix System stopped?");
            self.end();
        }
    }
}

impl Node {
    /// The number of a node that is about to be started.
    fn next_id() -> u64 {
        NEXT_ID.fetch_add(1, Ordering::Relaxed)
    }

    /// A node with this number, on arbiters that were started for it.
    fn start(id: u64, mut started: Started, network: Network, limits: NodeLimits) -> Self {
        let system = started.take_system();
        let shared = Arc::new_cyclic(|shared: &Weak<Shared>| Shared {
            id,
            limits,
            network,
            directory: Arc::default(),
            arbiters: started.with_routers(|| WeakNode::router(shared)),
            next_arbiter: AtomicUsize::new(0),
            dialers: SharedLock::default(),
            strays: OnceLock::new(),
            extensions: Lock::default(),
            doors: Doors::default(),
            shutdown: Shutdown::new(),
            own_system: Lock::new(system),
        });
        // One whose arbiter ended before this has not been told.
        if shared.arbiters.iter().any(Arbiter::has_ended) {
            shared.arbiter_ended();
        }
        Self { shared: shared.clone(), _hold: Some(Arc::new(Hold(shared))) }
    }

    /// See [`Host::unheld`](crate::host::Host::unheld).
    #[must_use]
    pub(crate) fn unheld(&self) -> Self {
        Self { shared: self.shared.clone(), _hold: None }
    }

    // ----- arbiters --------------------------------------------------------------------------

    /// The limits that the site has chosen for the node, as far as the process has descriptors.
    pub fn limits(&self) -> &NodeLimits {
        &self.shared.limits
    }

    /// How many arbiters the node owns.
    pub fn arbiter_count(&self) -> usize {
        self.shared.arbiters.len()
    }

    /// See [`Host::current_arbiter`](crate::host::Host::current_arbiter).
    pub(crate) fn current_arbiter(&self) -> Option<usize> {
        current::current().and_then(|(id, index)| (id == self.shared.id).then_some(index))
    }

    /// See [`Host::next_arbiter`](crate::host::Host::next_arbiter).
    pub(crate) fn next_arbiter(&self) -> usize {
        self.shared.next_arbiter.fetch_add(1, Ordering::Relaxed) % self.arbiter_count()
    }

    /// See [`Host::arbiter_for`](crate::host::Host::arbiter_for).
    pub(crate) fn arbiter_for(&self, first_hop: &FirstHop) -> usize {
        first_hop.arbiter.or_else(|| self.current_arbiter()).unwrap_or_else(|| self.next_arbiter())
    }

    /// See [`Host::spawn_on`](crate::host::Host::spawn_on).
    pub(crate) fn spawn_on<F>(&self, arbiter: usize, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.shared.arbiters[arbiter % self.arbiter_count()].spawn(task);
    }

    /// See [`Host::start_on`](crate::host::Host::start_on).
    pub(crate) fn start_on<A, F>(&self, arbiter: usize, make: F) -> Addr<A>
    where
        A: Actor<Context = ActorContext<A>>,
        F: FnOnce(&mut ActorContext<A>) -> A + Send + 'static,
    {
        #[cfg(feature = "faults")]
        let make = crate::node::faults::with_fuse(&self.extension(faults::Fuses::default), make);
        if self.current_arbiter() == Some(arbiter) {
            return A::create(make);
        }
        self.shared.arbiters[arbiter % self.arbiter_count()].start(make)
    }

    /// See [`Host::network`](crate::host::Host::network).
    pub(crate) fn network(&self) -> &Network {
        &self.shared.network
    }

    // ----- shared by transports and services ---------------------------------------------------

    /// See [`Host::add_dialer`](crate::host::Host::add_dialer).
    pub(crate) fn add_dialer(&self, transport: &str, dialer: Arc<dyn Dialer>) {
        let mut dialers = self.shared.dialers.write();
        dialers.entry(transport.to_owned()).or_insert(dialer);
    }

    /// See [`Host::hub_grants`](crate::host::Host::hub_grants).
    pub(crate) fn hub_grants(&self, dialled: &Address) -> Arc<HubGrants> {
        self.shared.doors.hub_grants(dialled)
    }

    /// See [`Host::forget_hub_grants`](crate::host::Host::forget_hub_grants).
    pub(crate) fn forget_hub_grants(&self, dialled: &Address) {
        self.shared.doors.forget(dialled);
    }

    /// See [`Host::extension`](crate::host::Host::extension).
    pub(crate) fn extension<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut all = self.shared.extensions.lock();
        let value = all.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(make()));
        value.clone().downcast::<T>().expect("each value is kept under its own type")
    }

    /// See [`Host::remove_listener`](crate::host::Host::remove_listener).
    pub(crate) fn remove_listener(&self, bound: &str) {
        self.shared.doors.remove_listener(bound);
    }

    /// See [`Host::add_listener`](crate::host::Host::add_listener).
    pub(crate) fn add_listener(&self, listening: Listening) {
        self.shared.doors.add_listener(listening);
        self.announce();
    }

    /// Which workers can be reached from where at this moment, and the refusals so far.
    pub fn reachability(&self) -> Reachability {
        let listed = |entry: Arc<Entry>| Listed {
            address: entry.address.clone(),
            class: entry.class,
            narrowed: entry.access.is_some(),
        };
        let facts = Facts {
            guarded: self.is_guarded(),
            listeners: self.shared.doors.listeners(),
            grants: self.shared.doors.dialled(),
            workers: self.shared.directory.workers().into_iter().map(listed).collect(),
            reply_addresses: self.shared.directory.alias_count(),
        };
        Reachability::new(facts, &self.shared.doors.refusals)
    }

    /// Logs once what can be reached from outside, after the program has had time to start its
    /// workers.
    fn announce(&self) {
        if !self.shared.doors.is_first_opened() {
            return;
        }
        let node = self.unheld();
        self.spawn_on(0, async move {
            tokio::time::sleep(ANNOUNCE_AFTER).await;
            for part in node.reachability().outside() {
                log::info!("reached from outside: {part}");
            }
        });
    }

    /// See [`Host::is_guarded`](crate::host::Host::is_guarded).
    pub(crate) fn is_guarded(&self) -> bool {
        self.shared.directory.has_channel_listener()
    }

    /// The refusals of strangers, counted by rule: the rules of reachability and those of services.
    pub fn refusals(&self) -> Arc<RefusalLog> {
        self.shared.doors.refusals.clone()
    }

    // ----- workers -----------------------------------------------------------------------------

    /// See [`Host::register_delivery`](crate::host::Host::register_delivery).
    pub(crate) fn register_delivery(
        &self,
        description: Description,
        delivery: impl Deliver + 'static,
    ) -> Result<Registration> {
        self.register_entry(Entry::new(description, delivery))
    }

    fn register_entry(&self, entry: Entry) -> Result<Registration> {
        self.check_running()?;
        let opens = entry.class == Class::ChannelListener;
        let registration = self.shared.directory.register(entry)?;
        // If it ended meanwhile, it may not have seen this entry.
        self.check_running().inspect_err(|_| self.shared.directory.stop(registration.entry()))?;
        if opens {
            self.announce();
        }
        Ok(registration)
    }

    /// Whether a worker has the address.
    pub fn is_registered(&self, address: &Address) -> bool {
        self.check_free(address).is_err()
    }

    /// Checks that the address is free now.
    pub(crate) fn check_free(&self, address: &Address) -> Result<()> {
        self.shared.directory.check_free(address)
    }

    /// Stops the worker at `address` and frees the address.
    ///
    /// # Errors
    /// If there is no such worker, or the node has ended.
    pub fn stop_worker(&self, address: impl Into<Address>) -> Result<()> {
        let address = address.into();
        self.check_running()?;
        let entry = self.shared.directory.find(&address).ok_or(Error::NoWorker(address))?;
        self.shared.directory.stop(&entry);
        Ok(())
    }

    /// Stops the worker at `address` if it has this life.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn stop_life(&self, address: &Address, life: &Arc<Life>) -> Result<()> {
        let entry = self.shared.directory.find(address);
        let entry = entry.filter(|entry| Arc::ptr_eq(&entry.life, life));
        self.shared.directory.stop(&entry.ok_or_else(|| Error::WorkerEnded(address.clone()))?);
        Ok(())
    }

    /// The addresses of all workers, sorted, each with its class.
    pub fn workers(&self) -> Vec<(Address, Class)> {
        let entries = self.shared.directory.workers();
        let mut workers: Vec<_> = entries.iter().map(|e| (e.address.clone(), e.class)).collect();
        workers.sort_by(|one, other| one.0.cmp(&other.0));
        workers
    }

    /// The number of workers, not counting the reply addresses that stand for them.
    pub fn worker_count(&self) -> usize {
        self.shared.directory.worker_count()
    }
}

#[cfg(feature = "testing")]
impl Node {
    /// Runs `task` in a simulated node; nothing happens on other nodes.
    #[cfg_attr(not(internals), doc(hidden))]
    pub fn spawn_local(&self, task: impl Future<Output = ()> + 'static) {
        self.shared.arbiters[0].spawn_local(Box::pin(task));
    }

    /// Ends a simulated node as a signal ends a process: none of its code runs any more.
    #[cfg_attr(not(internals), doc(hidden))]
    pub fn kill(&self) {
        self.shared.shutdown.enter(Stage::Stopped);
        self.shared.arbiters.iter().for_each(Arbiter::stop);
        self.shared.directory.stop_all();
    }
}

#[cfg(feature = "faults")]
impl Node {
    /// Makes every actor of the node whose type is named `kind` panic; returns their number.
    pub fn panic_in(&self, kind: &str) -> usize {
        self.extension(faults::Fuses::default).light(kind)
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
