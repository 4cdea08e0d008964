//! The context: how a program that is not an actor sends and receives.

use std::{fmt, sync::Arc, time::Duration};

use actix::{Actor, Addr, Context as ActorContext, Handler};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    address::{route::Route, Address},
    error::{Error, Result},
    lock::Lock,
    message::{
        body::Body,
        notice::{Notice, UndeliverableReason},
        undelivered::Undelivered,
        Message, MessageKind,
    },
    node::{
        builder::NodeBuilder,
        directory::Registration,
        entry::{Deliver, Description, Entry},
        Node,
    },
    trust::reachability::{Class, Reachability},
    worker::{
        recipient::Recipient,
        routed::Routed,
        start::{WorkerHandle, WorkerOptions},
    },
};

/// A program's own address on a node, with a mailbox to receive from.
///
/// ```no_run
/// # async fn example(mut ctx: ockam_actix_runtime::Context) -> ockam_actix_runtime::Result<()> {
/// let answer: String = ctx.ask(ockam_actix_runtime::route!["echoer"], String::from("hello")).await?;
/// ctx.send(ockam_actix_runtime::route!["echoer"], answer).await?;
/// let received = ctx.receive::<String>().await?;
/// println!("{} from {}", received.body(), received.return_route());
/// # Ok(())
/// # }
/// ```
pub struct Context {
    node: Node,
    registration: Registration,
    recipient: Arc<Recipient>,
    mailbox: mpsc::UnboundedReceiver<Message>,
}

impl Context {
    /// A context with an unguessable address on `node`.
    ///
    /// # Errors
    /// If the node is stopped.
    pub fn new(node: &impl AsRef<Node>) -> Result<Self> {
        Self::register_at(node.as_ref(), Description::new(Address::random(), Class::Reply))
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
        let registration = node.register_delivery(description, Queue(sender))?;
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

    /// Sends `body` along `route`; answers come to this context. Waits for room on the first edge.
    ///
    /// # Errors
    /// If the body is too large or has no MessagePack form, or the first hop does not exist. What
    /// goes wrong further on comes back as a notice: see [`Context::receive`].
    pub async fn send<M: Body>(&self, route: impl Into<Route>, body: M) -> Result<()> {
        self.node.send_from(self.address(), route, body).await
    }

    /// Waits for the next message, which must be of type `M`: any other is an error, not skipped.
    ///
    /// # Errors
    /// If the next message is of another type, or a notice that one of this context's messages
    /// could not be delivered.
    pub async fn receive<M: Body>(&mut self) -> Result<Routed<M>> {
        let message = self.mailbox.recv().await.ok_or(Error::Stopped)?;
        open(&self.recipient, message)
    }

    /// As [`Context::receive`], for at most `limit`.
    ///
    /// # Errors
    /// As [`Context::receive`], and if nothing came in time.
    pub async fn receive_within<M: Body>(&mut self, limit: Duration) -> Result<Routed<M>> {
        let received = timeout(limit, self.receive()).await;
        received.unwrap_or_else(|_| {
            let waited_for = format!("a message to {}", self.address());
            Err(Error::TimedOut { waited_for, seconds: limit.as_secs() })
        })
    }

    /// Sends `body` along `route` and waits for the answer; several may be under way at once.
    ///
    /// # Errors
    /// As [`Node::ask`].
    pub async fn ask<M: Body, R: Body>(&self, route: impl Into<Route>, body: M) -> Result<R> {
        self.node.ask(route, body).await
    }

    /// As [`Context::ask`], for at most `limit`.
    ///
    /// # Errors
    /// As [`Node::ask`].
    pub async fn ask_within<M: Body, R: Body>(
        &self,
        route: impl Into<Route>,
        body: M,
        limit: Duration,
    ) -> Result<R> {
        self.node.ask_within(route, body, limit).await
    }

    /// Starts an actor as a worker: see [`Node::start_worker`].
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
        self.node.start_worker(options, actor)
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
        A: Actor<Context = ActorContext<A>> + Handler<Routed<M>>,
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

    /// The addresses of all workers on the node, sorted.
    pub fn workers(&self) -> Vec<Address> {
        self.node.workers().into_iter().map(|(address, _)| address).collect()
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

impl Node {
    /// Sends `body` along `route` and waits for the answer, for up to
    /// [`NodeLimits::ask_timeout`](crate::NodeLimits::ask_timeout).
    ///
    /// # Errors
    /// As [`Context::send`]; if the message could not be delivered somewhere along its route, if
    /// nothing came in time, or if the answer is not of type `R`.
    pub async fn ask<M: Body, R: Body>(&self, route: impl Into<Route>, body: M) -> Result<R> {
        self.ask_within(route, body, self.limits().ask_timeout).await
    }

    /// As [`Node::ask`], for at most `limit`.
    ///
    /// # Errors
    /// As [`Node::ask`].
    pub async fn ask_within<M: Body, R: Body>(
        &self,
        route: impl Into<Route>,
        body: M,
        limit: Duration,
    ) -> Result<R> {
        let route = route.into();
        let waited_for = format!("an answer from {route}");
        let (sender, answer) = oneshot::channel();
        let description = Description::new(Address::random(), Class::Reply);
        let recipient = Recipient::new(self, &description);
        let once = Once(Lock::new(Some(sender)));
        let registration = self.register_delivery(description, once)?;
        self.send_from(registration.address(), route, body).await?;
        let answered = timeout(limit, answer).await;
        let message = answered
            .map_err(|_| Error::TimedOut { waited_for, seconds: limit.as_secs() })?
            .map_err(|_| Error::Stopped)?;
        open(&recipient, message).map(Routed::into_body)
    }
}

/// Opens an envelope that arrived at a context.
fn open<M: Body>(recipient: &Arc<Recipient>, message: Message) -> Result<Routed<M>> {
    if message.kind == MessageKind::Notice && !M::RAW {
        let notice = Notice::decode(&message.payload);
        let unreadable = || Notice::new("?".into(), UndeliverableReason::Unknown(u8::MAX));
        return Err(Error::Undeliverable(notice.unwrap_or_else(unreadable)));
    }
    let from = message.return_route.to_string();
    Routed::receive(recipient, message).map_err(|undelivered| {
        let source = serde::de::Error::custom(&undelivered.notice.detail);
        recipient.node.bounce(undelivered);
        Error::Decode { from, source }
    })
}

/// The delivery of a context.
struct Queue(mpsc::UnboundedSender<Message>);

impl Deliver for Queue {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        self.0.send(message).map_err(|unsent| {
            Undelivered::new(unsent.0, &entry.address, UndeliverableReason::WorkerStopped)
        })
    }
}

/// The delivery of one question, which takes one answer.
struct Once(Lock<Option<oneshot::Sender<Message>>>);

impl Deliver for Once {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        let sender = self.0.lock().take();
        let unsent = match sender {
            Some(sender) => sender.send(message),
            None => Err(message),
        };
        unsent.map_err(|message| {
            Undelivered::new(message, &entry.address, UndeliverableReason::WorkerStopped)
        })
    }
}
