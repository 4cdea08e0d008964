//! The envelope of a message at its worker, until somebody answers it, sends it on or takes it.

use std::{sync::Arc, thread};

use crate::{
    error::{Error, Result},
    message::{
        notice::{Notice, UndeliverableReason},
        payload::Payload,
        undelivered::Undelivered,
        Message, MessageKind,
    },
    node::life::OnPanic,
    worker::recipient::Recipient,
};

/// The envelope at its worker. Dropping this tells the sender, if a handler panics or the message
/// is a question.
#[derive(Debug)]
pub(super) struct Delivery(
    /// `Some` until one of the methods that consume the delivery takes it.
    Option<Held>,
);

/// A message without its payload, and the worker that it is for.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) message: Message,
    pub(super) recipient: Arc<Recipient>,
}

impl Delivery {
    pub(super) fn new(recipient: &Arc<Recipient>, message: Message) -> Self {
        Self(Some(Held { message, recipient: recipient.clone() }))
    }

    pub(super) fn held(&self) -> &Held {
        self.0.as_ref().expect("only consuming methods take the message")
    }

    pub(super) fn into_parts(mut self) -> (Message, Arc<Recipient>) {
        let Held { message, recipient } =
            self.0.take().expect("only consuming methods take the message");
        (message, recipient)
    }

    pub(super) fn refuse(self, reason: UndeliverableReason, detail: String) -> Box<Undelivered> {
        let (message, recipient) = self.into_parts();
        let notice = Notice::new(recipient.address.clone(), reason).with_detail(&detail);
        Box::new(Undelivered { message, notice })
    }

    /// Sends `payload` back along the return route.
    pub(super) fn answer(self, payload: Payload) -> Result<()> {
        let (message, recipient) = self.into_parts();
        let answered = recipient.node.answer(message, recipient.address.clone(), payload);
        answered.map_err(|undelivered| Error::Undeliverable(undelivered.notice))
    }

    /// Forgets the envelope, as its message was taken; who has asked is told that no answer comes.
    pub(super) fn taken(mut self) {
        if self.held().message.kind != MessageKind::Request {
            self.0 = None;
        }
    }

    /// Tells the sender that the worker ended before it took the message.
    pub(super) fn return_to_sender(mut self) {
        if let Some(held) = self.0.take() {
            held.return_to_sender(UndeliverableReason::WorkerStopped);
        }
    }
}

impl Held {
    fn return_to_sender(self, reason: UndeliverableReason) {
        let notice = Notice::new(self.recipient.address.clone(), reason);
        self.recipient.node.bounce(Box::new(Undelivered { message: self.message, notice }));
    }
}

impl Drop for Delivery {
    /// A message that is dropped by a panic, or in the mailbox of a worker that has ended, is not
    /// lost in silence, and no question is.
    fn drop(&mut self) {
        let Some(held) = self.0.take() else { return };
        let panicking = thread::panicking();
        if panicking && held.recipient.life.panicked() == OnPanic::EndsUnseen {
            log::error!("\"{}\" panicked while it handled a message", held.recipient.address);
        }
        if panicking || held.recipient.life.has_ended() {
            held.return_to_sender(UndeliverableReason::WorkerStopped);
        } else if held.message.kind == MessageKind::Request {
            held.return_to_sender(UndeliverableReason::Unanswered);
        }
    }
}
