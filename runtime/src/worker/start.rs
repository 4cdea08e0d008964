//! How an actor becomes a worker: it is started with an inbox, or adopted with its mailbox, and
//! gets its address.
//!
//! A worker that the node started lives because the future that empties its inbox never completes;
//! for an actor that was started elsewhere, the entry's delivery holds a strong `Addr`. Either
//! lives until it stops itself, [`Node::stop_worker`] is called, or the node ends.

use std::{fmt, sync::Arc};

use actix::{Actor, Addr, AsyncContext, Context as WorkerContext, Handler};

use crate::{
    address::Address,
    error::Result,
    lock::Lock,
    message::{body::Body, payload::Payload},
    node::{
        entry::{AccessRule, Description},
        life::{Life, OnPanic},
        Node,
    },
    trust::{origin::Origin, reachability::Class},
    worker::{
        handle::WorkerHandle,
        inbox::Inbox,
        letter::{LetterFor, OneOf},
        mailbox::{Mailbox, Registered},
        recipient::Recipient,
        restart::{RestartPolicy, Restarts},
        routed::Routed,
        tenure::{Line, Successors},
    },
};

/// A worker that is to be started: who reaches it from outside, where it lives, and what a panic
/// means for it. [`Node::worker`] makes it, [`start`](Self::start) starts the worker.
///
/// ```
/// # use actix::{Actor, Handler};
/// # use ockam_actix_runtime::{Routed, WorkerContext};
/// # #[derive(Clone)]
/// # struct Shop;
/// # impl Actor for Shop { type Context = WorkerContext<Self>; }
/// # impl Handler<Routed<String>> for Shop {
/// #     type Result = ();
/// #     fn handle(&mut self, _: Routed<String>, _: &mut WorkerContext<Self>) {}
/// # }
/// # async fn example(node: ockam_actix_runtime::Node) -> ockam_actix_runtime::Result<()> {
/// use ockam_actix_runtime::RestartPolicy;
///
/// let shop = node
///     .worker("shop", Shop)
///     .access(|origin| origin.peer().is_some())
///     .restart(RestartPolicy::default())
///     .start()?;
/// println!("{} is open", shop.address());
/// # Ok(())
/// # }
/// ```
#[must_use = "the worker is started by `start`"]
pub struct WorkerBuilder<A, L = OnlyType> {
    node: Node,
    address: Address,
    actor: A,
    arbiter: Option<usize>,
    access: Option<AccessRule>,
    successors: Option<Successors<A>>,
    letter: std::marker::PhantomData<fn(L)>,
}

/// A worker that handles one type of body, which the compiler finds.
#[derive(Debug)]
pub struct OnlyType(());

impl<A, L> WorkerBuilder<A, L> {
    /// Starts it on the arbiter of that number, modulo their count: for workers that talk to each
    /// other more than to others. By default it starts on the arbiter whose turn it is.
    pub fn arbiter(mut self, number: usize) -> Self {
        self.arbiter = Some(number);
        self
    }

    /// Lets it be reached from outside only where `rule` permits it too, in addition to the general
    /// rules.
    pub fn access(mut self, rule: impl Fn(&Origin) -> bool + Send + Sync + 'static) -> Self {
        self.access = Some(Arc::new(rule));
        self
    }

    /// Starts a clone of the actor, as it is now, after a panic: by default a panic ends a worker.
    ///
    /// In the pause before that the address stays in use. Messages that wait, and those that come,
    /// wait for the next actor; only the sender of the message that caused the panic gets a notice.
    pub fn restart(self, policy: RestartPolicy) -> Self
    where
        A: Clone + Send + 'static,
    {
        let first = Lock::new(self.actor.clone());
        self.restart_with(policy, move || first.lock().clone())
    }

    /// As [`restart`](Self::restart), with actors that `make` makes, on the worker's arbiter. A
    /// panic in `make` counts as one of the actor.
    pub fn restart_with(
        mut self,
        policy: RestartPolicy,
        make: impl Fn() -> A + Send + Sync + 'static,
    ) -> Self {
        self.successors = Some(Successors { policy, make: Box::new(make) });
        self
    }

    fn with_letter<K>(self) -> WorkerBuilder<A, K> {
        let Self { node, address, actor, arbiter, access, successors, letter: _ } = self;
        let letter = std::marker::PhantomData;
        WorkerBuilder { node, address, actor, arbiter, access, successors, letter }
    }
}

impl<A: Actor<Context = WorkerContext<A>>> WorkerBuilder<A> {
    /// Has it handle bodies of type `M`. Named more than once, each message is decoded as the first
    /// type that its body fits, in the order in which they are named; the sender of a message that
    /// fits none gets a notice.
    ///
    /// MessagePack carries no names: a structure is the list of its fields, so that
    /// `struct Order { item: String }` and `struct Cancel { item: String }` have the same bytes,
    /// and the second is never found. An `enum` of all that a worker is told, as its one body, has
    /// no such doubt.
    pub fn handles<M: Body>(self) -> WorkerBuilder<A, Routed<M>>
    where
        A: Handler<Routed<M>>,
    {
        self.with_letter()
    }

    /// Starts the worker.
    ///
    /// It handles [`Routed<M>`](Routed) for one type `M`; if it does for several, say for which,
    /// and in which order: see [`handles`](Self::handles).
    ///
    /// # Errors
    /// If the address is invalid, already in use, or stands for a peer as `tcp#host:port` does.
    pub fn start<M: Body>(self) -> Result<WorkerHandle>
    where
        A: Handler<Routed<M>> + Send,
    {
        self.with_letter::<Routed<M>>().start()
    }
}

impl<A, L> WorkerBuilder<A, L>
where
    A: Actor<Context = WorkerContext<A>>,
    L: LetterFor<A>,
{
    /// Has it handle bodies of type `M` too, which are tried after those named before.
    pub fn handles<M: Body>(self) -> WorkerBuilder<A, OneOf<L, M>>
    where
        A: Handler<Routed<M>>,
    {
        self.with_letter()
    }

    /// Starts the worker.
    ///
    /// # Errors
    /// If the address is invalid, already in use, or stands for a peer as `tcp#host:port` does.
    pub fn start(self) -> Result<WorkerHandle>
    where
        A: Send,
    {
        let Self { node, address, actor, arbiter, access, successors, letter: _ } = self;
        let arbiter = arbiter.unwrap_or_else(|| node.next_arbiter()) % node.arbiter_count();
        let mut description = Description::new(address, Class::User).on(arbiter);
        description.access = access;
        let survives = successors.is_some();
        let on_panic = if survives { OnPanic::IsStartedAgain } else { OnPanic::Ends };
        description.life = Arc::new(Life::new(on_panic));
        let inbox = Inbox::<L>::new(&node, &description);
        let registration = node.register_delivery(description, inbox.clone())?;
        let handle = WorkerHandle::new(&node, registration.entry());
        let line = Arc::new(Line { node: node.unheld(), arbiter, inbox, successors });
        line.begin(registration, Restarts::default(), move |_| actor);
        Ok(handle)
    }
}

impl<A, L> fmt::Debug for WorkerBuilder<A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("address", &self.address)
            .field("arbiter", &self.arbiter)
            .field("narrowed", &self.access.is_some())
            .field("restart", &self.successors.as_ref().map(|next| &next.policy))
            .finish_non_exhaustive()
    }
}

impl Node {
    /// A worker at `address`, which is an actor that handles [`Routed`] bodies:
    /// [`start`](WorkerBuilder::start) starts it on one of the node's arbiters.
    pub fn worker<A>(&self, address: impl Into<Address>, actor: A) -> WorkerBuilder<A>
    where
        A: Actor<Context = WorkerContext<A>>,
    {
        WorkerBuilder {
            node: self.clone(),
            address: address.into(),
            actor,
            arbiter: None,
            access: None,
            successors: None,
            letter: std::marker::PhantomData,
        }
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
        A: Actor<Context = WorkerContext<A>> + Handler<Routed<M>>,
        M: Body,
    {
        let description = Description::new(address, Class::User);
        let mailbox = Mailbox::<A, M>::new(actor, Recipient::new(self, &description));
        let registration = self.register_delivery(description, mailbox)?;
        let handle = WorkerHandle::new(self, registration.entry());
        // Nobody on the actor's side can own it.
        registration.detach();
        Ok(handle)
    }

    /// See [`Host::launch`](crate::host::Host::launch).
    pub(crate) fn launch<A, F>(&self, description: Description, make: F) -> Result<Addr<A>>
    where
        A: Actor<Context = WorkerContext<A>> + Handler<Routed<Payload>> + Handler<Registered>,
        F: FnOnce(&mut WorkerContext<A>) -> A + Send + 'static,
    {
        let arbiter = description.arbiter.unwrap_or_else(|| self.next_arbiter());
        let (inbox, intake) = Inbox::of_one(self, &description);
        let actor = self.start_on(arbiter, move |context| {
            context.spawn(intake);
            make(context)
        });
        self.adopt(description.on(arbiter), inbox, actor)
    }

    /// See [`Host::launch_here`](crate::host::Host::launch_here).
    pub(crate) fn launch_here<A>(&self, mut description: Description, actor: A) -> Result<Addr<A>>
    where
        A: Actor<Context = WorkerContext<A>> + Handler<Routed<Payload>> + Handler<Registered>,
    {
        description.arbiter = self.current_arbiter();
        let (inbox, intake) = Inbox::of_one(self, &description);
        let make = move |context: &mut WorkerContext<A>| {
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
        inbox: Arc<Inbox<Routed<Payload>>>,
        actor: Addr<A>,
    ) -> Result<Addr<A>>
    where
        A: Actor<Context = WorkerContext<A>> + Handler<Registered>,
    {
        let registration =
            self.register_delivery(description, inbox.clone()).inspect_err(|_| inbox.close())?;
        // One control message for each actor.
        #[allow(clippy::disallowed_methods)]
        actor.do_send(Registered(registration));
        Ok(actor)
    }
}
