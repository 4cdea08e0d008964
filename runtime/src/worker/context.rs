//! The context: how a program that is not an actor sends and receives.

use std::{fmt, sync::Arc, time::Duration};

use actix::{Actor, Addr, Context as WorkerContext, Handler};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    address::{route::Route, Address},
    error::{Error, Result},
    group::GroupBuilder,
    message::{body::Body, notice::UndeliverableReason, undelivered::Undelivered, Message},
    node::{
        builder::NodeBuilder,
        directory::Registration,
        entry::{Deliver, Description, Entry},
        Node,
    },
    trust::reachability::{Class, Reachability},
    watch::Watch,
    worker::{
        ask::Ask, delivery::Delivery, handle::WorkerHandle, recipient::Recipient, routed::Routed,
        start::WorkerBuilder,
    },
};

/// A program's own address on a node, with a mailbox to receive from.
///
/// ```no_run
/// # async fn example(mut ctx: ockam_actix_runtime::Context) -> ockam_actix_runtime::Result<()> {
/// use ockam_actix_runtime::route;
///
/// let answer: String = ctx.ask(route!["echoer"], String::from("hello")).reply_as().await?;
/// ctx.send(route!["echoer"], answer).await?;
/// let received = ctx.receive::<String>().await?;
/// println!("{} from {}", received.body(), received.return_route());
/// # Ok(())
/// # }
/// ```
pub struct Context {
    node: Node,
    registration: Registration,
    recipient: Arc<Recipient>,
    /// After the registration, so that what still waits is returned to its senders when this ends.
    mailbox: mpsc::UnboundedReceiver<Arrived>,
}

impl Context {
    /// A context on `node`, at an address that never leaves it: from outside come only answers.
    ///
    /// # Errors
    /// If the node is stopped.
    pub fn new(node: &impl AsRef<Node>) -> Result<Self> {
        Self::register_at(node.as_ref(), Description::mailbox())
    }

    /// A context at an address of the caller's choice, reached like a worker of that name.
    ///
    /// # Errors
    /// If the address is invalid or already in use.
    pub fn named(node: &impl AsRef<Node>, address: impl Into<Address>) -> Result<Self> {
        Self::register_at(node.as_ref(), Description::new(address, Class::User))
    }

    fn register_at(node: &Node, description: Description) -> Result<Self> {
        // Unbounded in number; each message that waits holds its bytes of its edge's budget.
        let (sender, mailbox) = mpsc::unbounded_channel();
        let recipient = Recipient::new(node, &description);
        let queue = Queue { sender, recipient: recipient.clone() };
        let registration = node.register_delivery(description, queue)?;
        Ok(Self { node: node.clone(), registration, recipient, mailbox })
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The address of this context.
    pub fn address(&self) -> &Address {
        self.registration.address()
    }

    /// Sends `body` along `route`; answers come to this context.
    ///
    /// Waits for room on the first edge, so that a source is not faster than what it sends to: a
    /// worker has room for about a mebibyte of messages that it has not handled, a connection or
    /// channel for what the other end takes.
    ///
    /// # Errors
    /// If the body is too large or has no MessagePack form, or the first hop does not exist. What
    /// goes wrong further on comes back as a notice: see [`Context::receive`].
    pub async fn send<M: Body>(&self, route: impl Into<Route>, body: M) -> Result<()> {
        self.node.send_from(self.address(), route, body).await
    }

    /// As [`send`](Self::send), but does not wait: for a source that rather skips something.
    ///
    /// # Errors
    /// [`Error::NoRoom`] where it would have to wait, and those of [`send`](Self::send).
    pub fn try_send<M: Body>(&self, route: impl Into<Route>, body: M) -> Result<()> {
        self.node.try_send_from(self.address(), route, body)
    }

    /// How many messages wait for [`receive`](Self::receive), or were received and are kept.
    pub fn queue_length(&self) -> usize {
        self.registration.entry().delivery.queue_length()
    }

    /// Waits for the next message, which must be of type `M`: any other is an error, not skipped.
    ///
    /// # Errors
    /// If the next message is of another type, or a notice that one of this context's messages
    /// could not be delivered, and once the context is stopped, by its address or with its node.
    pub async fn receive<M: Body>(&mut self) -> Result<Routed<M>> {
        let Some(Arrived::Message(delivery)) = self.mailbox.recv().await else {
            self.mailbox.close();
            return Err(Error::Stopped);
        };
        let (message, _) = delivery.into_parts();
        Routed::open(&self.recipient, message)
    }

    /// As [`Context::receive`], for at most `limit`.
    ///
    /// # Errors
    /// As [`Context::receive`], and if nothing came in time.
    pub async fn receive_within<M: Body>(&mut self, limit: Duration) -> Result<Routed<M>> {
        let received = timeout(limit, self.receive()).await;
        received.unwrap_or_else(|_| {
            let waited_for = format!("a message to {}", self.address());
            Err(Error::TimedOut { waited_for, limit })
        })
    }

    /// Asks for the answer to `body` along `route`; several questions may be under way at once. Who
    /// can answer, how the answer says whose it is, and how long it is waited for: see
    /// [`Node::ask`].
    pub fn ask<M: Body>(&self, route: impl Into<Route>, body: M) -> Ask<M> {
        self.node.ask(route, body)
    }

    /// A worker that is to be started: see [`Node::worker`].
    pub fn worker<A>(&self, address: impl Into<Address>, actor: A) -> WorkerBuilder<A>
    where
        A: Actor<Context = WorkerContext<A>>,
    {
        self.node.worker(address, actor)
    }

    /// Gives an actor that already runs an address: see [`Node::register`].
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
        self.node.register(address, actor)
    }

    /// Stops the worker at `address`: see [`Node::stop_worker`].
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn stop_worker(&self, address: impl Into<Address>) -> Result<()> {
        self.node.stop_worker(address)
    }

    /// The addresses of all workers on the node, sorted, each with its class: see
    /// [`Node::workers`].
    pub fn workers(&self) -> Vec<(Address, Class)> {
        self.node.workers()
    }

    /// A group of workers at one address: see [`Node::group`].
    pub fn group(&self, address: impl Into<Address>) -> GroupBuilder {
        self.node.group(address)
    }

    /// Watches the worker at the end of `route`: see [`Node::watch`].
    pub fn watch(&self, route: impl Into<Route>) -> Watch {
        self.node.watch(route)
    }

    /// Which workers of the node are reached from where: see [`Node::reachability`].
    pub fn reachability(&self) -> Reachability {
        self.node.reachability()
    }

    /// Stops the node: see [`Node::stop`].
    ///
    /// # Errors
    /// None; it returns a result so that it can be the last line of an `async fn main`.
    pub async fn stop(&self) -> Result<()> {
        self.node.stop().await;
        Ok(())
    }
}

impl NodeBuilder {
    /// Starts the node and gives the program an address on it.
    ///
    /// # Errors
    /// As [`NodeBuilder::start`].
    pub async fn start_with_context(self) -> Result<Context> {
        Context::new(&self.start().await?)
    }
}

impl AsRef<Node> for Context {
    fn as_ref(&self) -> &Node {
        &self.node
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("address", self.address()).finish_non_exhaustive()
    }
}

/// What comes into the mailbox of a context.
enum Arrived {
    Message(Delivery),
    /// The context is stopped, by its address or with its node.
    Stop,
}

/// The delivery of a context.
struct Queue {
    sender: mpsc::UnboundedSender<Arrived>,
    recipient: Arc<Recipient>,
}

impl Deliver for Queue {
    fn deliver(&self, entry: &Entry, mut message: Message) -> Result<(), Box<Undelivered>> {
        entry.keep(&mut message);
        let arrived = Arrived::Message(Delivery::new(&self.recipient, message));
        let Err(mpsc::error::SendError(Arrived::Message(unsent))) = self.sender.send(arrived)
        else {
            return Ok(());
        };
        Err(unsent.refuse(UndeliverableReason::WorkerStopped, String::new()))
    }

    fn queue_length(&self) -> usize {
        // The context and this know it too.
        self.recipient.queue_length(2)
    }

    fn stop(&self) {
        // An error says that nobody receives any more.
        let _ = self.sender.send(Arrived::Stop);
    }
}
