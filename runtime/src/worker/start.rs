//! How an actor becomes a worker: it is started with an inbox, or adopted with its mailbox, and
//! gets its address.
//!
//! A worker that the node started lives because the future that empties its inbox never completes;
//! for an actor that was started elsewhere, the entry's delivery holds a strong `Addr`. Either
//! lives until it stops itself, [`Node::stop_worker`] is called, or the node ends.

use std::{fmt, sync::Arc};

use actix::{Actor, Addr, AsyncContext, Context as ActorContext, Handler};
use tokio::sync::oneshot;

use crate::{
    address::Address,
    error::Result,
    message::{body::Body, payload::Payload},
    node::{
        entry::{AccessRule, Description},
        Node,
    },
    trust::{origin::Origin, reachability::Class},
    worker::{
        inbox::Inbox,
        mailbox::{Guard, Mailbox, Registered},
        recipient::Recipient,
        routed::Routed,
    },
};

/// Where a worker is started, and who reaches it from outside. An address alone converts into it.
///
/// ```
/// use ockam_actix_runtime::WorkerOptions;
///
/// let options = WorkerOptions::at("shop").arbiter(0).access(|origin| origin.peer().is_some());
/// # let _ = options;
/// ```
#[must_use]
pub struct WorkerOptions {
    address: Address,
    arbiter: Option<usize>,
    access: Option<AccessRule>,
}

impl WorkerOptions {
    /// A worker at `address`, on the arbiter whose turn it is, reached from outside as the general
    /// rules permit.
    pub fn at(address: impl Into<Address>) -> Self {
        Self { address: address.into(), arbiter: None, access: None }
    }

    /// Starts it on the arbiter of that number, modulo their count: for workers that talk to each
    /// other more than to others.
    pub fn arbiter(mut self, number: usize) -> Self {
        self.arbiter = Some(number);
        self
    }

    /// Lets it be reached from outside only where `rule` permits it too.
    pub fn access(mut self, rule: impl Fn(&Origin) -> bool + Send + Sync + 'static) -> Self {
        self.access = Some(Arc::new(rule));
        self
    }
}

impl<A: Into<Address>> From<A> for WorkerOptions {
    fn from(address: A) -> Self {
        Self::at(address)
    }
}

impl fmt::Debug for WorkerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerOptions")
            .field("address", &self.address)
            .field("arbiter", &self.arbiter)
            .field("narrowed", &self.access.is_some())
            .finish()
    }
}

/// A started worker. Dropping this does not stop it; [`WorkerHandle::stop`] does.
#[derive(Clone, Debug)]
pub struct WorkerHandle {
    node: Node,
    address: Address,
}

impl WorkerHandle {
    /// The worker's address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How many messages the worker has that it has not handled: those that wait, and those that it
    /// keeps to answer them later. None once it has stopped.
    pub fn queue_length(&self) -> usize {
        self.node.queue_length(&self.address)
    }

    /// Stops the worker and frees its address.
    ///
    /// # Errors
    /// If it has already stopped.
    pub fn stop(&self) -> Result<()> {
        self.node.stop_worker(self.address.clone())
    }
}

impl Node {
    /// Starts an actor on one of the node's arbiters, as the worker at an address: `"shop"`, or
    /// [`WorkerOptions`] that say more.
    ///
    /// It handles [`Routed<M>`](Routed) for one type `M`; if it does for several, say which:
    /// `node.start_worker::<_, MyMessage>("name", actor)`.
    ///
    /// # Errors
    /// If the address is invalid or already in use.
    pub fn start_worker<A, M>(
        &self,
        options: impl Into<WorkerOptions>,
        actor: A,
    ) -> Result<WorkerHandle>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<M>> + Send,
        M: Body,
    {
        let WorkerOptions { address, arbiter, access } = options.into();
        let arbiter = arbiter.unwrap_or_else(|| self.next_arbiter()) % self.arbiter_count();
        let mut description = Description::new(address, Class::User).on(arbiter);
        description.access = access;
        self.check_free(&description.address)?;
        let (hand_over, registration) = oneshot::channel();
        let (inbox, intake) = Inbox::<M>::new(self, &description);
        self.start_on(arbiter, move |context| {
            context.spawn(intake);
            context.spawn(Guard::new(registration));
            actor
        });
        let registration = self.register_delivery(description, inbox)?;
        let address = registration.address().clone();
        // If the actor has ended meanwhile, the registration comes back, and dropping it
        // unregisters.
        drop(hand_over.send(registration));
        Ok(WorkerHandle { node: self.clone(), address })
    }

    /// Gives an actor that already runs, even outside the node, the address `address`.
    ///
    /// The node holds a strong `Addr` to it from now on.
    ///
    /// # Errors
    /// If the address is invalid or already in use.
    pub fn register<A, M>(
        &self,
        address: impl Into<Address>,
        actor: Addr<A>,
    ) -> Result<WorkerHandle>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<M>>,
        M: Body,
    {
        let description = Description::new(address, Class::User);
        let mailbox = Mailbox::<A, M>::new(actor, Recipient::new(self, &description));
        let registration = self.register_delivery(description, mailbox)?;
        let address = registration.address().clone();
        // Nobody on the actor's side can own it.
        registration.detach();
        Ok(WorkerHandle { node: self.clone(), address })
    }

    /// See [`Host::launch`](crate::host::Host::launch).
    pub(crate) fn launch<A, F>(&self, description: Description, make: F) -> Result<Addr<A>>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<Payload>> + Handler<Registered>,
        F: FnOnce(&mut ActorContext<A>) -> A + Send + 'static,
    {
        let arbiter = description.arbiter.unwrap_or_else(|| self.next_arbiter());
        let (inbox, intake) = Inbox::new(self, &description);
        let actor = self.start_on(arbiter, move |context| {
            context.spawn(intake);
            make(context)
        });
        self.adopt(description.on(arbiter), inbox, actor)
    }

    /// See [`Host::launch_here`](crate::host::Host::launch_here).
    pub(crate) fn launch_here<A>(&self, mut description: Description, actor: A) -> Result<Addr<A>>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<Payload>> + Handler<Registered>,
    {
        description.arbiter = self.current_arbiter();
        let (inbox, intake) = Inbox::new(self, &description);
        let make = move |context: &mut ActorContext<A>| {
            context.spawn(intake);
            actor
        };
        #[cfg(feature = "faults")]
        let make = crate::node::faults::with_fuse(
            &self.extension(crate::node::faults::Fuses::default),
            make,
        );
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
        A: Actor<Context = ActorContext<A>> + Handler<Registered>,
    {
        let registration =
            self.register_delivery(description, inbox.clone()).inspect_err(|_| inbox.close())?;
        // One control message for each actor.
        #[allow(clippy::disallowed_methods)]
        actor.do_send(Registered(registration));
        Ok(actor)
    }
}
