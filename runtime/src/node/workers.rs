//! How workers get their addresses, and how they lose them.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    Arc, Mutex, OnceLock,
};

use actix::{Actor, Addr, AsyncContext, Context as ActorContext, Handler};
use tokio::sync::oneshot;

use super::Node;
use crate::{
    address::Address,
    body::Body,
    error::{Error, Result},
    inbox::Inbox,
    origin::Origin,
    payload::Payload,
    reachability::Class,
    routed::Routed,
    worker::{Adopt, Alias, Description, Entry, Fronted, Guard, Mailbox, Registration, Sink},
};

impl Node {
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
        let (inbox, intake) = Inbox::<M>::new();
        self.start_on(arbiter, move |context| {
            context.spawn(intake);
            context.spawn(Guard::new(registration));
            actor
        });
        let registration = self.register_sink(description, inbox)?;
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

    pub(super) fn register_entry(
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
            sink: match description.front {
                Some(front) => Box::new(Fronted(front, sink)),
                None => Box::new(sink),
            },
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
        let (inbox, intake) = Inbox::new();
        let actor = self.start_on(arbiter, move |context| {
            context.spawn(intake);
            make(context)
        });
        self.adopt(description.on(arbiter), inbox, actor)
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
        let (inbox, intake) = Inbox::new();
        let make = move |context: &mut ActorContext<A>| {
            context.spawn(intake);
            actor
        };
        #[cfg(feature = "faults")]
        let make = crate::faults::with_fuse(self, make);
        let actor = A::create(make);
        self.adopt(description, inbox, actor)
    }

    fn adopt<A>(
        &self,
        description: Description,
        inbox: Arc<Inbox<Payload>>,
        actor: Addr<A>,
    ) -> Result<Addr<A>>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Adopt>,
    {
        let registration =
            self.register_sink(description, inbox.clone()).inspect_err(|_| inbox.close())?;
        // One control message for each actor.
        #[allow(clippy::disallowed_methods)]
        actor.do_send(Adopt(registration));
        Ok(actor)
    }

    /// Gives a worker one more address, and owns it: what comes to either waits in the one inbox, in
    /// the order in which it came.
    ///
    /// # Errors
    /// As [`Node::register_sink`].
    pub fn register_again(
        &self,
        description: Description,
        worker: &Registration,
    ) -> Result<Registration> {
        self.register_sink(description, Alias(Arc::downgrade(worker.entry())))
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
}
