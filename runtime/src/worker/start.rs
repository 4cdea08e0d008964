//! How an actor becomes a worker: it is started with an inbox, or adopted with its mailbox, and
//! gets its address.
//!
//! A worker that the node started lives because the future that empties its inbox never completes;
//! of an actor that was started elsewhere, the entry's sink holds a strong `Addr`. Either lives
//! until it stops itself, [`Node::stop_worker`] is called, or the node ends.

use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context as ActorContext, Handler};
use tokio::sync::oneshot;

use crate::{
    address::Address,
    error::Result,
    message::{body::Body, payload::Payload},
    node::{entry::Description, Node},
    trust::{origin::Origin, reachability::Class},
    worker::{
        inbox::Inbox,
        mailbox::{Guard, Mailbox, Registered},
        recipient::Recipient,
        routed::Routed,
    },
};

impl Node {
    /// Starts an actor on one of the node's arbiters, as the worker at `address`.
    ///
    /// It handles [`Routed<M>`](Routed) for one type `M`; where it does for several, say which:
    /// `node.start_worker::<_, MyMessage>("name", actor)`.
    ///
    /// # Errors
    /// If the address is invalid or already in use.
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
        let (inbox, intake) = Inbox::<M>::new(self, &description);
        self.start_on(arbiter, move |context| {
            context.spawn(intake);
            context.spawn(Guard::new(registration));
            actor
        });
        let registration = self.register_delivery(description, inbox)?;
        // An actor that has ended meanwhile gives the registration back, which unregisters it.
        drop(hand_over.send(registration));
        Ok(())
    }

    /// Gives an actor that already runs somewhere, also outside the node, the address `address`.
    ///
    /// The node holds a strong `Addr` to it from now on.
    ///
    /// # Errors
    /// If the address is invalid or already in use.
    pub fn register<A, M>(&self, address: impl Into<Address>, actor: Addr<A>) -> Result<()>
    where
        A: Actor<Context = ActorContext<A>> + Handler<Routed<M>>,
        M: Body,
    {
        let description = Description::new(address, Class::User);
        let mailbox = Mailbox::<A, M>::new(actor, Recipient::new(self, &description));
        let registration = self.register_delivery(description, mailbox)?;
        // Nobody on the actor's side can own it.
        registration.detach();
        Ok(())
    }

    /// Starts an internal actor on the described arbiter and registers it; the actor begins when it
    /// gets its registration with [`Registered`].
    ///
    /// # Errors
    /// As [`Node::register_delivery`]; the actor ends without having begun.
    pub fn launch<A, F>(&self, description: Description, make: F) -> Result<Addr<A>>
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

    /// As [`Node::launch`], on this thread, for actors that cannot be sent to another.
    ///
    /// # Errors
    /// As [`Node::launch`].
    pub fn launch_here<A>(&self, mut description: Description, actor: A) -> Result<Addr<A>>
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
        let make = crate::node::faults::with_fuse(self, make);
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
