//! Questions: what a program sends with an address for one answer, and waits for.
//!
//! The address is a mailbox's, so the answer comes from this node or through the connection or the
//! channel by which the question has left: [`Description::mailbox`]. That holds too where a worker
//! of this node, a relay for example, has sent the question on.

use std::time::Duration;

use tokio::{sync::oneshot, time::timeout};

use crate::{
    address::route::Route,
    error::{Error, Result},
    lock::Lock,
    message::{body::Body, notice::UndeliverableReason, undelivered::Undelivered, Message},
    node::{
        entry::{Deliver, Description, Entry},
        Node,
    },
    worker::{recipient::Recipient, routed::Routed},
};

/// What an answer is taken as: its body alone, or a [`Routed`] body, which also says whose it is.
///
/// ```no_run
/// # async fn example(ctx: ockam_actix_runtime::Context) -> ockam_actix_runtime::Result<()> {
/// use ockam_actix_runtime::{route, Routed};
///
/// let text: String = ctx.ask(route!["echoer"], String::from("hello")).await?;
/// let answer: Routed<String> = ctx.ask(route!["echoer"], String::from("hello")).await?;
/// println!("{} from {:?}, through {}", answer.body(), answer.peer(), answer.origin());
/// # let _ = text;
/// # Ok(())
/// # }
/// ```
pub trait Answer: sealed::Sealed + Sized {
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

impl Node {
    /// Sends `body` along `route` and waits for the answer, for up to
    /// [`NodeLimits::ask_timeout`](crate::NodeLimits::ask_timeout).
    ///
    /// Only who is on the route can answer: a worker of this node, or whoever sends through the
    /// connection or channel by which the question has left. Taken as a [`Routed`] body, the answer
    /// says whose it is: [`Routed::peer`] is the identity at the other end of the channel, which is
    /// `None` for a connection, where anybody behind it may have answered. See [`Answer`].
    ///
    /// # Errors
    /// As [`Context::send`](crate::Context::send); if the message could not be delivered somewhere
    /// along its route, if nothing came in time, or if the answer is of another type.
    pub async fn ask<M: Body, R: Answer>(&self, route: impl Into<Route>, body: M) -> Result<R> {
        self.ask_within(route, body, self.limits().ask_timeout).await
    }

    /// As [`Node::ask`], for at most `limit`.
    ///
    /// # Errors
    /// As [`Node::ask`].
    pub async fn ask_within<M: Body, R: Answer>(
        &self,
        route: impl Into<Route>,
        body: M,
        limit: Duration,
    ) -> Result<R> {
        let route = route.into();
        let waited_for = format!("an answer from {route}");
        let (sender, answer) = oneshot::channel();
        let description = Description::mailbox();
        let recipient = Recipient::of_answer(self, &description);
        let once = Once(Lock::new(Some(sender)));
        let registration = self.register_delivery(description, once)?;
        self.send_from(registration.address(), route, body).await?;
        let answered = timeout(limit, answer).await;
        let message = answered
            .map_err(|_| Error::TimedOut { waited_for, seconds: limit.as_secs() })?
            .map_err(|_| Error::Stopped)?;
        Routed::open(&recipient, message).map(R::from_routed)
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
