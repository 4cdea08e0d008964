//! The envelope of a message at its worker, until somebody answers it, sends it on or takes it.

use std::{sync::Arc, thread};

use crate::{
    error::{Error, Result},
    message::{
        body::{encode, Body},
        notice::{Notice, UndeliverableReason},
        undelivered::Undelivered,
        Message, MessageKind,
    },
    node::life::{OnPanic, PanicIn},
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

    /// Sends `answer` back along the return route.
    pub(super) fn answer<B: Body>(mut self, answer: B) -> Result<()> {
        let payload = encode(answer).inspect_err(|error| self.cannot_answer(error))?;
        let (message, recipient) = self.into_parts();
        let answered = recipient.node.answer(message, recipient.address.clone(), payload);
        answered.map_err(|undelivered| Error::Undeliverable(undelivered.notice))
    }

    /// Tells who has asked why no answer can be sent.
    fn cannot_answer(&mut self, error: &Error) {
        if self.held().message.kind != MessageKind::Request {
            return;
        }
        let (reason, why) = match error {
            Error::TooLarge { length, limit } => (
                UndeliverableReason::TooLarge,
                format!("its answer has {length} bytes, and one message carries at most {limit}"),
            ),
            _ => (UndeliverableReason::Unanswered, "its answer cannot be encoded".to_owned()),
        };
        if let Some(Held { message, recipient }) = self.0.take() {
            let notice = Notice::new(recipient.address.clone(), reason).with_detail(why);
            recipient.node.bounce(Box::new(Undelivered { message, notice }));
        }
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

impl Recipient {
    /// Notes that a panic drops a message of the worker, and logs it, unless its tenure does.
    fn panicked(&self) {
        let address = &self.address;
        match self.life.panicked() {
            PanicIn::Actor(OnPanic::Ends | OnPanic::IsStartedAgain) => {}
            PanicIn::Actor(OnPanic::EndsUnseen) | PanicIn::Unknown => {
                log::error!("\"{address}\" panicked while it handled a message");
            }
            PanicIn::OtherTask => log::error!(
                "a task of the worker \"{address}\" panicked over a message; the worker goes on"
            ),
        }
    }
}

impl Drop for Delivery {
    /// A message that is dropped by a panic, or in the mailbox of a worker that has ended, is not
    /// lost in silence, and no question is.
    fn drop(&mut self) {
        let Some(held) = self.0.take() else { return };
        if thread::panicking() {
            held.recipient.panicked();
            held.return_to_sender(UndeliverableReason::WorkerPanicked);
        } else if held.recipient.life.has_ended() {
            held.return_to_sender(UndeliverableReason::WorkerStopped);
        } else if held.message.kind == MessageKind::Request {
            held.return_to_sender(UndeliverableReason::Unanswered);
        }
    }
}
