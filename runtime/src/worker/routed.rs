//! What a worker's handler gets: a body with the envelope that brought it.

use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    sync::Arc,
};

use crate::{
    address::{identifier::Identifier, route::Route, Address},
    error::{Error, Result},
    message::{
        body::{encode, Body},
        notice::{Notice, UndeliverableReason},
        payload::Payload,
        undelivered::Undelivered,
        Message, MessageKind,
    },
    node::routing::NextHop,
    trust::origin::Origin,
    worker::recipient::Recipient,
};

/// A message at the worker that it was sent to.
///
/// ```
/// use actix::{Actor, Context, Handler};
/// use ockam_actix_runtime::Routed;
///
/// struct Echo;
///
/// impl Actor for Echo {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<Routed<String>> for Echo {
///     type Result = ();
///
///     fn handle(&mut self, message: Routed<String>, _: &mut Context<Self>) {
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
    /// If it is a notice, unless the program wants the bytes as they are, or its body is of another
    /// type.
    pub(crate) fn open(recipient: &Arc<Recipient>, message: Message) -> Result<Self> {
        if message.kind == MessageKind::Notice && !M::RAW {
            let notice = Notice::decode(&message.payload);
            let unreadable = || Notice::new("?".into(), UndeliverableReason::Unknown(u8::MAX));
            return Err(Error::Undeliverable(notice.unwrap_or_else(unreadable)));
        }
        let from = message.return_route.to_string();
        Self::receive(recipient, message).map_err(|undelivered| {
            let source = serde::de::Error::custom(&undelivered.notice.detail);
            recipient.node.bounce(undelivered);
            Error::Decode { from, source }
        })
    }

    /// The body.
    pub fn body(&self) -> &M {
        &self.body
    }

    /// The body, without its envelope.
    pub fn into_body(self) -> M {
        let Self { body, mut delivery } = self;
        delivery.0 = None;
        body
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

    /// Whether it is data, or a notice about an earlier message (only raw workers get those).
    pub fn kind(&self) -> MessageKind {
        self.delivery.held().message.kind
    }

    /// Sends `answer` back along the return route.
    ///
    /// # Errors
    /// If the answer has no MessagePack form, is too large, or its first hop does not take it.
    pub fn reply<R: Body>(self, answer: R) -> Result<()> {
        let payload = encode(answer)?;
        let (message, recipient) = self.delivery.into_parts();
        let answered = recipient.node.answer(message, recipient.address.clone(), payload);
        answered.map_err(|undelivered| Error::Undeliverable(undelivered.notice))
    }

    /// Sends the message to the next address of its onward route, and puts this worker's before
    /// its return route.
    ///
    /// # Errors
    /// If there is no further address, the hop counter is spent, or the next hop does not take it.
    pub fn forward(self) -> Result<()> {
        let (message, recipient) = self.onward()?;
        recipient.node.forward_message(message, NextHop::Checked)
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
        recipient.node.forward_message(message, NextHop::Chosen)
    }

    /// The message as it leaves this worker.
    fn onward(self) -> Result<(Message, Arc<Recipient>)> {
        let payload = self.body.encode().map_err(Error::Encode)?;
        let (mut message, recipient) = self.delivery.into_parts();
        message.payload = payload;
        message.return_route.push_front(recipient.address.clone());
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
    pub(crate) fn return_to_sender(mut self) {
        if let Some(held) = self.delivery.0.take() {
            held.return_to_sender();
        }
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

/// The envelope at its worker. If a handler panics, dropping this tells the sender.
#[derive(Debug)]
struct Delivery(
    /// `Some` until one of the methods that consume the delivery takes it.
    Option<Held>,
);

#[derive(Debug)]
struct Held {
    message: Message,
    recipient: Arc<Recipient>,
}

impl Delivery {
    fn new(recipient: &Arc<Recipient>, message: Message) -> Self {
        Self(Some(Held { message, recipient: recipient.clone() }))
    }

    fn held(&self) -> &Held {
        self.0.as_ref().expect("only consuming methods take the message")
    }

    fn into_parts(mut self) -> (Message, Arc<Recipient>) {
        let Held { message, recipient } =
            self.0.take().expect("only consuming methods take the message");
        (message, recipient)
    }

    fn refuse(self, reason: UndeliverableReason, detail: String) -> Box<Undelivered> {
        let (message, recipient) = self.into_parts();
        let notice = Notice::new(recipient.address.clone(), reason).with_detail(&detail);
        Box::new(Undelivered { message, notice })
    }
}

impl Held {
    fn return_to_sender(self) {
        let notice =
            Notice::new(self.recipient.address.clone(), UndeliverableReason::WorkerStopped);
        self.recipient.node.bounce(Box::new(Undelivered { message: self.message, notice }));
    }
}

impl Drop for Delivery {
    /// A message that is dropped by a panic, or in the mailbox of a worker that has ended, is not
    /// lost in silence.
    fn drop(&mut self) {
        let Some(held) = self.0.take() else { return };
        let panicking = std::thread::panicking();
        if panicking {
            held.recipient.life.end();
        }
        if panicking || held.recipient.life.has_ended() {
            held.return_to_sender();
        }
    }
}
