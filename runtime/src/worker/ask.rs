//! Questions: what a program or a worker sends with an address for one answer, and waits for.
//!
//! The address is a mailbox's, so the answer comes from this node or through the connection or the
//! channel by which the question has left: [`Description::mailbox`]. That also holds where a worker
//! of this node, for example a relay, has sent the question on.
//!
//! Nobody waits in vain: the message is marked as a [`Request`](MessageKind::Request), so that
//! dropping it without an answer causes a notice, and the question ends with the connection or
//! channel through which it left, and with its node.

use std::{
    fmt,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    time::Duration,
};

use tokio::{sync::oneshot, time::sleep};

use crate::{
    address::route::Route,
    edge::first_hop::FirstHop,
    error::{Error, Result},
    lock::Lock,
    message::{
        body::{encode, Body},
        notice::{Notice, UndeliverableReason},
        request::Request,
        undelivered::Undelivered,
        Message, MessageKind,
    },
    node::{
        entry::{Deliver, Description, Entry},
        Node,
    },
    worker::{
        recipient::Recipient,
        routed::{undeliverable, Routed},
    },
};

/// What an answer is taken as: its body alone, or a [`Routed`] body, which also says whose it is.
///
/// ```no_run
/// # async fn example(ctx: ockam_actix_runtime::Context) -> ockam_actix_runtime::Result<()> {
/// use ockam_actix_runtime::{route, Routed};
///
/// let hello = String::from("hello");
/// let text: String = ctx.ask(route!["echoer"], hello.clone()).reply_as().await?;
/// let answer: Routed<String> = ctx.ask(route!["echoer"], hello).reply_as().await?;
/// println!("{} from {:?}, through {}", answer.body(), answer.peer(), answer.origin());
/// # let _ = text;
/// # Ok(())
/// # }
/// ```
pub trait Answer: sealed::Sealed + Sized + 'static {
    /// The type of the body.
    type Body: Body;

    /// Makes it of an answer.
    fn from_routed(answer: Routed<Self::Body>) -> Self;
}

impl<M: Body> Answer for M {
    type Body = M;

    fn from_routed(answer: Routed<M>) -> Self {
        answer.into_body()
    }
}

impl<M: Body> Answer for Routed<M> {
    type Body = M;

    fn from_routed(answer: Self) -> Self {
        answer
    }
}

mod sealed {
    use crate::{message::body::Body, worker::routed::Routed};

    pub trait Sealed {}

    impl<M: Body> Sealed for M {}
    impl<M: Body> Sealed for Routed<M> {}
}

/// A question that is sent when it is awaited: see [`Node::ask`].
///
/// A [`Request`] is answered with its [`Reply`](Request::Reply); for other bodies
/// [`reply_as`](Self::reply_as) says with what.
#[must_use = "a question is sent when it is awaited"]
pub struct Ask<M> {
    node: Node,
    route: Route,
    body: M,
    limit: Duration,
}

/// As [`Ask`], with the answer taken as an `R`.
#[must_use = "a question is sent when it is awaited"]
pub struct AskAs<M, R> {
    question: Ask<M>,
    answer: PhantomData<fn() -> R>,
}

/// A question under way, and then its answer. Dropping it forgets the question.
pub type Asked<R> = Pin<Box<dyn Future<Output = Result<R>> + Send>>;

impl Node {
    /// Asks for the answer to `body` along `route`, and waits for it for up to
    /// [`NodeLimits::ask_timeout`](crate::NodeLimits::ask_timeout), or as [`Ask::within`] says.
    ///
    /// ```no_run
    /// # async fn example(node: ockam_actix_runtime::Node) -> ockam_actix_runtime::Result<()> {
    /// use std::time::Duration;
    /// use ockam_actix_runtime::{route, Request};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct PriceOf(String);
    ///
    /// impl Request for PriceOf {
    ///     type Reply = u64;
    /// }
    ///
    /// let tea = PriceOf("tea".into());
    /// let price = node.ask(route!["shop"], tea).within(Duration::from_secs(1)).await?;
    /// // A text names no answer, so the question does.
    /// let answer: String = node.ask("echoer", "hello".to_string()).reply_as().await?;
    /// # let (_, _) = (price, answer);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Only who is on the route can answer: a worker of this node, or whoever sends through the
    /// connection or channel by which the question has left. Taken as a [`Routed`] body, the answer
    /// says whose it is: [`Routed::peer`] is the identity at the other end of the channel, which is
    /// `None` for a connection, where anybody behind it may have answered. See [`Answer`].
    ///
    /// # Errors
    /// When it is awaited: as [`Context::send`](crate::Context::send); if the message could not be
    /// delivered somewhere along its route, if who got it gives no answer, if the connection or
    /// channel is lost meanwhile, if nothing came in time, or if the answer is of another type.
    pub fn ask<M: Body>(&self, route: impl Into<Route>, body: M) -> Ask<M> {
        Ask { node: self.clone(), route: route.into(), body, limit: self.limits().ask_timeout }
    }
}

impl<M: Body> Ask<M> {
    /// Waits for the answer for at most `limit`.
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Takes the answer as an `R`: a body of any type, or [`Routed`], which says whose it is.
    pub fn reply_as<R: Answer>(self) -> AskAs<M, R> {
        AskAs { question: self, answer: PhantomData }
    }

    async fn answer<R: Answer>(self) -> Result<R> {
        let Self { node, route, body, limit } = self;
        let payload = encode(body)?;
        let mut first_hop = node.first_hop(&route)?;
        let epoch = first_hop.state().epoch;
        let (sender, answer) = oneshot::channel();
        let description = Description::answer();
        let recipient = Recipient::of_answer(&node, &description);
        let registration = node.register_delivery(description, Once(Lock::new(Some(sender))))?;
        let back = Route::from(registration.address().clone());
        let mut question = Message::new(route.clone(), back, payload);
        question.kind = MessageKind::Request;
        let asking = async {
            node.send_over(&first_hop, question).await?;
            tokio::select! {
                biased;
                answer = answer => answer.map_err(|_| Error::Stopped),
                () = first_hop.lost(epoch) => Err(lost(&first_hop)),
            }
        };
        let message = tokio::select! {
            biased;
            message = asking => message?,
            () = sleep(limit) => {
                return Err(Error::TimedOut { waited_for: format!("an answer from {route}"), limit });
            }
        };
        if message.kind == MessageKind::Notice {
            return Err(undeliverable(&message));
        }
        Routed::open(&recipient, message).map(R::from_routed)
    }
}

impl<M: Request> IntoFuture for Ask<M> {
    type Output = Result<M::Reply>;
    type IntoFuture = Asked<M::Reply>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.answer::<M::Reply>())
    }
}

impl<M: Body, R: Answer> AskAs<M, R> {
    /// Waits for the answer for at most `limit`.
    pub fn within(self, limit: Duration) -> Self {
        Self { question: self.question.within(limit), ..self }
    }
}

impl<M: Body, R: Answer> IntoFuture for AskAs<M, R> {
    type Output = Result<R>;
    type IntoFuture = Asked<R>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.question.answer::<R>())
    }
}

impl<M> fmt::Debug for Ask<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (route, limit) = (&self.route, &self.limit);
        f.debug_struct("Ask").field("route", route).field("limit", limit).finish_non_exhaustive()
    }
}

impl<M, R> fmt::Debug for AskAs<M, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.question.fmt(f)
    }
}

/// No answer comes by a connection or a channel that was lost, even if it is established again.
fn lost(first_hop: &FirstHop) -> Error {
    let notice = Notice::new(first_hop.address.clone(), UndeliverableReason::Disconnected);
    Error::Undeliverable(notice.with_detail("it was lost before an answer came"))
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

    /// No answer comes any more.
    fn stop(&self) {
        drop(self.0.lock().take());
    }
}
