//! What a worker's handler gets: a body with the envelope that brought it.

use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    sync::Arc,
};

use crate::{
    address::{identifier::Identifier, route::Route, Address},
    error::{Error, Result},
    message::{
        body::Body,
        notice::{Notice, UndeliverableReason},
        payload::Payload,
        request::Request,
        undelivered::Undelivered,
        Direction, Message, MessageKind,
    },
    node::{routing::NextHop, Node},
    trust::origin::Origin,
    worker::{delivery::Delivery, recipient::Recipient, reply::Reply},
};

/// The error that a notice is for a program.
pub(super) fn undeliverable(notice: &Message) -> Error {
    let unreadable = || Notice::new("?".into(), UndeliverableReason::Unknown(u8::MAX));
    Error::Undeliverable(Notice::decode(&notice.payload).unwrap_or_else(unreadable))
}

/// A message at the worker that it was sent to.
///
/// If its sender [asks](crate::Node::ask), it is to be answered or sent on. Where it is dropped
/// instead, the sender gets a notice at once: [`UndeliverableReason::Unanswered`], or
/// [`UndeliverableReason::WorkerStopped`] if the worker has stopped, or
/// [`UndeliverableReason::WorkerPanicked`] if a panic drops it.
///
/// ```
/// use actix::{Actor, Handler};
/// use ockam_actix_runtime::{Routed, WorkerContext};
///
/// struct Echo;
///
/// impl Actor for Echo {
///     type Context = WorkerContext<Self>;
/// }
///
/// impl Handler<Routed<String>> for Echo {
///     type Result = ();
///
///     fn handle(&mut self, message: Routed<String>, _: &mut WorkerContext<Self>) {
///         let text = message.body().to_uppercase();
///         if let Err(error) = message.reply(text) {
///             log::warn!("no answer sent: {error}");
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Routed<M> {
    body: M,
    delivery: Delivery,
}

impl<M: 'static> actix::Message for Routed<M> {
    type Result = ();
}

impl<M: Body> Routed<M> {
    /// Decodes the body of a message that arrived.
    pub(crate) fn receive(
        recipient: &Arc<Recipient>,
        mut message: Message,
    ) -> Result<Self, Box<Undelivered>> {
        if M::NOTICES && !M::RAW && message.kind != MessageKind::Notice {
            let delivery = Delivery::new(recipient, message);
            return Err(delivery.refuse(UndeliverableReason::BodyNotUnderstood, String::new()));
        }
        if M::RAW {
            let body = M::decode(std::mem::take(&mut message.payload));
            let delivery = Delivery::new(recipient, message);
            // A raw body is the payload itself, so this does not fail.
            return match body {
                Ok(body) => Ok(Self { body, delivery }),
                Err(_) => {
                    Err(delivery.refuse(UndeliverableReason::BodyNotUnderstood, String::new()))
                }
            };
        }
        let payload = std::mem::take(&mut message.payload);
        // Users write decoders, and this does not run in the task of their worker.
        let decoded = catch_unwind(AssertUnwindSafe(|| M::decode(payload)));
        let delivery = Delivery::new(recipient, message);
        let why = match decoded {
            Ok(Ok(body)) => return Ok(Self { body, delivery }),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its decoder panicked".into(),
        };
        Err(delivery.refuse(UndeliverableReason::BodyNotUnderstood, why))
    }

    /// Opens a message that came to a program's mailbox.
    ///
    /// # Errors
    /// If it is a notice, unless the program wants notices, or its body is of another type.
    pub(crate) fn open(recipient: &Arc<Recipient>, message: Message) -> Result<Self> {
        if message.kind == MessageKind::Notice && !M::NOTICES {
            return Err(undeliverable(&message));
        }
        Self::receive(recipient, message).map_err(|undelivered| {
            let source = serde::de::Error::custom(&undelivered.notice.detail);
            let message = &undelivered.message;
            let from = message.return_route.to_string();
            // Who asks has the error; a worker of the same node that has answered can add nothing.
            if message.kind != MessageKind::Reply || !message.origin.is_local() {
                recipient.node.bounce(undelivered);
            }
            Error::Decode { from, expected: std::any::type_name::<M>(), source }
        })
    }

    /// The body.
    pub fn body(&self) -> &M {
        &self.body
    }

    /// The body, without its envelope: no answer comes to who has asked.
    pub fn into_body(self) -> M {
        self.delivery.taken();
        self.body
    }

    /// The body, and what answers it: for handlers that take the body apart before they answer, or
    /// that answer later.
    ///
    /// ```
    /// # use actix::{Actor, Handler};
    /// # use ockam_actix_runtime::{Result, Routed, WorkerContext};
    /// # struct Door;
    /// # impl Actor for Door { type Context = WorkerContext<Self>; }
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// enum Order {
    ///     Open(String),
    ///     Close,
    /// }
    ///
    /// impl Handler<Routed<Order>> for Door {
    ///     type Result = ();
    ///
    ///     fn handle(&mut self, message: Routed<Order>, _: &mut WorkerContext<Self>) {
    ///         let (order, reply) = message.into_parts();
    ///         let answered = match order {
    ///             Order::Open(name) => reply.send(format!("welcome, {name}")),
    ///             Order::Close => reply.send("good night".to_owned()),
    ///         };
    ///         answered.unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
    ///     }
    /// }
    /// ```
    pub fn into_parts(self) -> (M, Reply) {
        (self.body, Reply::new(self.delivery))
    }

    /// The addresses after this worker's: where [`Routed::forward`] would send it.
    pub fn onward_route(&self) -> &Route {
        &self.delivery.held().message.onward_route
    }

    /// The addresses that lead back to the sender.
    pub fn return_route(&self) -> &Route {
        &self.delivery.held().message.return_route
    }

    /// Where the message entered this node.
    pub fn origin(&self) -> &Origin {
        &self.delivery.held().message.origin
    }

    /// The identity of the sender, when the message came through a secure channel.
    pub fn peer(&self) -> Option<Identifier> {
        self.origin().peer()
    }

    /// The address of the worker that got it.
    pub fn address(&self) -> &Address {
        &self.delivery.held().recipient.address
    }

    /// The node: for questions to others before this one is answered. It does not keep the node
    /// running.
    pub fn node(&self) -> &Node {
        &self.delivery.held().recipient.node
    }

    /// Whether it is on its way to those who are asked, or back: what a worker that is passed in
    /// both directions goes by.
    pub fn direction(&self) -> Direction {
        self.kind().direction()
    }

    /// Whether it is data, a question that is to be answered, or a notice about an earlier message:
    /// only workers of [`Notice`] and [`Payload`] bodies get those.
    pub fn kind(&self) -> MessageKind {
        self.delivery.held().message.kind
    }

    /// Sends `answer` back along the return route.
    ///
    /// # Errors
    /// If the answer has no MessagePack form, is too large, or its first hop does not take it. In
    /// the first two cases whoever asked is told too.
    pub fn reply<R: Body>(self, answer: R) -> Result<()> {
        self.delivery.answer(answer)
    }

    /// The same message with another body, for a worker that [forwards](Self::forward) it changed:
    /// a [`Payload`] for bytes as they are.
    pub fn with_body<B: Body>(self, body: B) -> Routed<B> {
        Routed { body, delivery: self.delivery }
    }

    /// Sends the message to the next address of its onward route, and puts this worker's before
    /// its return route.
    ///
    /// What comes back passes this worker: the answer as one more message, which it forwards, and
    /// a notice by itself, unless this worker handles [`Notice`] or [`Payload`] bodies: then it
    /// forwards notices too.
    ///
    /// # Errors
    /// If there is no further address, the hop counter is spent, or the next hop does not take it.
    pub fn forward(self) -> Result<()> {
        let (message, recipient) = self.onward()?;
        recipient.node.forward_message(&recipient.address, message, NextHop::Checked)
    }

    /// As [`Routed::forward`], with `route` put before what is left of the onward route.
    ///
    /// The first address of `route` is reached because this worker chose it; the addresses after it
    /// are reached, or not, as the origin of the message permits.
    ///
    /// # Errors
    /// As [`Routed::forward`].
    pub fn forward_via(self, route: impl Into<Route>) -> Result<()> {
        let (mut message, recipient) = self.onward()?;
        message.onward_route.prepend(&route.into());
        recipient.node.forward_message(&recipient.address, message, NextHop::Chosen)
    }

    /// The message as it leaves this worker, for one hop of its counter.
    fn onward(self) -> Result<(Message, Arc<Recipient>)> {
        let payload = self.body.encode().map_err(Error::Encode)?;
        let (mut message, recipient) = self.delivery.into_parts();
        message.payload = payload;
        match message.hops.checked_sub(1) {
            Some(hops) => message.hops = hops,
            None => {
                let notice = Notice::new(recipient.address.clone(), UndeliverableReason::HopsSpent);
                let undelivered = Undelivered { message, notice: notice.clone() };
                recipient.node.bounce(Box::new(undelivered));
                return Err(Error::Undeliverable(notice));
            }
        }
        Ok((message, recipient))
    }
}

impl<M> Routed<M> {
    /// Tells the sender that the worker ended before it took the message.
    pub(crate) fn return_to_sender(self) {
        self.delivery.return_to_sender();
    }
}

impl<M: Request> Routed<M> {
    /// As [`into_parts`](Self::into_parts); the answer must be of the type that the request names.
    ///
    /// ```
    /// # use actix::{Actor, Handler};
    /// # use ockam_actix_runtime::{Request, Routed, WorkerContext};
    /// # struct Shop;
    /// # impl Actor for Shop { type Context = WorkerContext<Self>; }
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct PriceOf(String);
    ///
    /// impl Request for PriceOf {
    ///     type Reply = u64;
    /// }
    ///
    /// impl Handler<Routed<PriceOf>> for Shop {
    ///     type Result = ();
    ///
    ///     fn handle(&mut self, message: Routed<PriceOf>, _: &mut WorkerContext<Self>) {
    ///         let (PriceOf(name), reply) = message.into_request();
    ///         let price = name.len() as u64;
    ///         reply.send(price).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
    ///     }
    /// }
    /// ```
    ///
    /// ```compile_fail
    /// # use ockam_actix_runtime::{Request, Routed};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct PriceOf(String);
    /// # impl Request for PriceOf { type Reply = u64; }
    /// fn answer(message: Routed<PriceOf>) -> ockam_actix_runtime::Result<()> {
    ///     let (_, reply) = message.into_request();
    ///     reply.send(String::from("not a price"))
    /// }
    /// ```
    pub fn into_request(self) -> (M, Reply<M::Reply>) {
        (self.body, Reply::new(self.delivery))
    }
}

impl Routed<Payload> {
    /// The message itself, for workers that work on envelopes.
    pub fn into_message(self) -> Message {
        let (mut message, _) = self.delivery.into_parts();
        message.payload = self.body;
        message
    }
}
