//! What waits in a worker's inbox: a message of one of the types that the worker handles.
//!
//! The type is found out where the message is delivered, before the worker's task sees it: the
//! types are tried in the order in which they were named, and the first one that fits is taken.

use std::sync::Arc;

use actix::{dev::MessageResponse, Actor, Context as ActorContext, Handler};

use crate::{
    message::{
        body::Body,
        notice::{Notice, UndeliverableReason},
        undelivered::Undelivered,
        Message, MessageKind,
    },
    worker::{mailbox::open_for, recipient::Recipient, routed::Routed},
};

/// A message of one of the types that a worker handles.
pub trait Letter: Sized + Send + 'static {
    /// Whether one of the types takes bytes as they are.
    #[doc(hidden)]
    const RAW: bool;

    /// Whether one of the types takes notices.
    #[doc(hidden)]
    const NOTICES: bool;

    /// Decodes a message; `None` for a notice that the worker does not want.
    #[doc(hidden)]
    fn open(recipient: &Arc<Recipient>, message: Message)
        -> Result<Option<Self>, Box<Undelivered>>;

    /// Tells the sender that the worker ended before it took the message.
    #[doc(hidden)]
    fn return_to_sender(self);
}

/// A [`Letter`] that actors of type `A` handle.
pub trait LetterFor<A: Actor>: Letter {
    /// Has the actor handle it.
    #[doc(hidden)]
    fn handle(self, actor: &mut A, context: &mut A::Context);
}

impl<M: Body> Letter for Routed<M> {
    const RAW: bool = M::RAW;
    const NOTICES: bool = M::NOTICES;

    fn open(
        recipient: &Arc<Recipient>,
        message: Message,
    ) -> Result<Option<Self>, Box<Undelivered>> {
        open_for(recipient, message)
    }

    fn return_to_sender(self) {
        Routed::return_to_sender(self);
    }
}

impl<A, M> LetterFor<A> for Routed<M>
where
    A: Actor<Context = ActorContext<A>> + Handler<Self>,
    M: Body,
{
    fn handle(self, actor: &mut A, context: &mut ActorContext<A>) {
        let response = actor.handle(self, context);
        MessageResponse::<A, Self>::handle(response, context, None);
    }
}

/// A message of a type `M`, or of one that was named before it.
#[derive(Debug)]
pub enum OneOf<L, M> {
    /// Of one of the types before.
    Before(L),
    /// Of the last type.
    Last(Routed<M>),
}

impl<L: Letter, M: Body> Letter for OneOf<L, M> {
    const RAW: bool = L::RAW || M::RAW;
    const NOTICES: bool = L::NOTICES || M::NOTICES;

    fn open(
        recipient: &Arc<Recipient>,
        message: Message,
    ) -> Result<Option<Self>, Box<Undelivered>> {
        let passes_by = match message.kind {
            MessageKind::Notice => !L::NOTICES,
            MessageKind::Watch => !L::RAW,
            MessageKind::Data | MessageKind::Request | MessageKind::Reply => false,
        };
        if passes_by {
            return Ok(open_for(recipient, message)?.map(Self::Last));
        }
        // A decoder takes the bytes, so those that it may refuse are copied.
        let payload = if L::RAW { None } else { Some(message.payload.clone()) };
        let mut undelivered = match L::open(recipient, message) {
            Ok(letter) => return Ok(letter.map(Self::Before)),
            Err(undelivered) => undelivered,
        };
        undelivered.message.payload = payload.unwrap_or_default();
        let opened = open_for(recipient, undelivered.message);
        let fits_none = |undelivered: Box<Undelivered>| {
            let Undelivered { message, notice } = *undelivered;
            let notice = Notice::new(notice.hop, UndeliverableReason::BodyNotUnderstood);
            let notice = notice.with_detail("it fits none of the types that the worker handles");
            Box::new(Undelivered { message, notice })
        };
        Ok(opened.map_err(fits_none)?.map(Self::Last))
    }

    fn return_to_sender(self) {
        match self {
            Self::Before(letter) => letter.return_to_sender(),
            Self::Last(routed) => Letter::return_to_sender(routed),
        }
    }
}

impl<A, L, M> LetterFor<A> for OneOf<L, M>
where
    A: Actor<Context = ActorContext<A>> + Handler<Routed<M>>,
    L: LetterFor<A>,
    M: Body,
{
    fn handle(self, actor: &mut A, context: &mut ActorContext<A>) {
        match self {
            Self::Before(letter) => letter.handle(actor, context),
            Self::Last(routed) => LetterFor::<A>::handle(routed, actor, context),
        }
    }
}
