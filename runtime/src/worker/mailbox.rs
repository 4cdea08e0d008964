//! How messages reach an actor that was started elsewhere, and how registrations reach actors.

use std::sync::Arc;

use actix::{dev::ToEnvelope, Actor, Addr, Handler};

use crate::{
    message::{
        body::Body,
        notice::{Notice, UndeliverableReason},
        undelivered::Undelivered,
        Message, MessageKind,
    },
    node::{
        directory::Registration,
        entry::{Deliver, Entry},
        routing::NextHop,
    },
    worker::{recipient::Recipient, routed::Routed},
};

/// Gives an internal actor its registration, upon which it begins. The actor keeps the registration
/// in its state, so that the address ends with the actor.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Registered(pub Registration);

/// The delivery of an actor that was started elsewhere: it decodes the body, then uses the actor's
/// mailbox.
pub(crate) struct Mailbox<A: Actor, M> {
    actor: Addr<A>,
    recipient: Arc<Recipient>,
    body: std::marker::PhantomData<fn(M)>,
}

impl<A: Actor, M> Mailbox<A, M> {
    pub(crate) fn new(actor: Addr<A>, recipient: Arc<Recipient>) -> Self {
        Self { actor, recipient, body: std::marker::PhantomData }
    }
}

impl<A, M> Deliver for Mailbox<A, M>
where
    A: Actor + Handler<Routed<M>>,
    A::Context: ToEnvelope<A, Routed<M>>,
    M: Body,
{
    fn deliver(&self, entry: &Entry, mut message: Message) -> Result<(), Box<Undelivered>> {
        if !self.actor.connected() {
            return Err(Undelivered::new(
                message,
                &entry.address,
                UndeliverableReason::WorkerStopped,
            ));
        }
        entry.keep(&mut message);
        if let Some(routed) = open_for::<M>(&self.recipient, message)? {
            // The permit in the message bounds the mailbox, which its own capacity would not.
            #[allow(clippy::disallowed_methods)]
            self.actor.do_send(routed);
        }
        Ok(())
    }

    fn queue_length(&self) -> usize {
        self.recipient.queue_length(1)
    }

    fn has_ended(&self) -> bool {
        !self.actor.connected()
    }
}

/// Decodes the body of a message for its worker; `None` for a notice to a worker that takes none.
pub(crate) fn open_for<M: Body>(
    recipient: &Arc<Recipient>,
    message: Message,
) -> Result<Option<Routed<M>>, Box<Undelivered>> {
    if message.kind == MessageKind::Notice && !M::NOTICES {
        pass_on(recipient, message);
        return Ok(None);
    }
    if message.kind == MessageKind::Watch && !M::RAW {
        return pass_watch_on(recipient, message).map(|()| None);
    }
    Routed::receive(recipient, message).map(Some)
}

/// Sends a notice about what the worker has forwarded on to whoever sent that; logs one about a
/// message of the worker's own.
fn pass_on(recipient: &Recipient, mut message: Message) {
    if message.onward_route.is_empty() {
        if let Some(notice) = Notice::decode(&message.payload) {
            log::warn!("a message from {} could not be delivered: {notice}", recipient.address);
        }
    } else if let Some(hops) = message.hops.checked_sub(1) {
        message.hops = hops;
        recipient.node.route(message);
    }
}

/// Passes a watch on that is for another worker, as the worker here would: it cannot itself, as it
/// gets only bodies of its types.
fn pass_watch_on(recipient: &Recipient, mut message: Message) -> Result<(), Box<Undelivered>> {
    let Some(hops) = message.hops.checked_sub(1) else {
        let reason = UndeliverableReason::HopsSpent;
        return Err(Undelivered::new(message, &recipient.address, reason));
    };
    message.hops = hops;
    message.return_route.push_front(recipient.address.clone());
    recipient.node.try_route(message, NextHop::Checked)
}
