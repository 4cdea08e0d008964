//! The one envelope that moves through a node.

pub mod body;
#[cfg_attr(not(internals), doc(hidden))]
pub mod codec;
#[cfg_attr(not(internals), doc(hidden))]
pub mod messagepack;
pub mod notice;
pub mod payload;
pub mod request;
pub mod undelivered;

use std::ops::{Deref, DerefMut};

use crate::{
    address::{route::Route, Address},
    edge::budget::Permit,
    limits::MAX_HOPS,
    message::payload::Payload,
    trust::origin::Origin,
};

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// It carries a worker's data.
    Data,
    /// It tells the sender of an earlier message that it could not be delivered, or that nobody
    /// answers it; the payload is a [`Notice`](crate::message::notice::Notice). There is never a
    /// notice about a notice.
    Notice,
    /// It carries a worker's data, and its sender waits for an answer. Who has it answers it or
    /// sends it on; where it is dropped, the sender gets a notice.
    Request,
    /// It carries a worker's data along the return route of an earlier message.
    Reply,
    /// It asks to be told when the worker at the end of its route ends. The node there holds it,
    /// and answers with notices; workers on the way pass it on: see [`watch`](crate::watch).
    Watch,
}

/// Which way a message goes, as a worker between two others sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To those who are asked.
    Onward,
    /// Back, along a return route: answers, and notices.
    Return,
}

impl MessageKind {
    /// Which way messages of this kind go.
    pub fn direction(self) -> Direction {
        match self {
            Self::Data | Self::Request | Self::Watch => Direction::Onward,
            Self::Notice | Self::Reply => Direction::Return,
        }
    }

    /// Whether such a message may be [expendable](MessageParts::expendable): questions, and what is
    /// told about another message, are not.
    pub fn may_be_expendable(self) -> bool {
        matches!(self, Self::Data | Self::Reply)
    }

    /// Its number on the wire.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Notice => 1,
            Self::Request => 2,
            Self::Reply => 3,
            Self::Watch => 4,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        let all = [Self::Data, Self::Notice, Self::Request, Self::Reply, Self::Watch];
        all.into_iter().find(|kind| kind.code() == code)
    }
}

/// A message under way: the single envelope of the node.
///
/// A frame exists only inside transports, a typed body only inside a worker. `origin` and
/// `permit` never travel: the first is stamped where the message enters this node, the second
/// accounts for its bytes while they are here.
///
/// The fields are those of [`MessageParts`]. They are in one box, because a message is moved at
/// every hop.
#[derive(Debug)]
pub struct Message(Box<MessageParts>);

/// The fields of a [`Message`].
#[derive(Debug)]
pub struct MessageParts {
    /// What it is for.
    pub kind: MessageKind,
    /// Whether it may be lost, doubled and overtaken, like a datagram: nobody waits for it, and
    /// nobody is told of its loss. It counts for [data and replies](MessageKind::may_be_expendable)
    /// alone.
    pub expendable: bool,
    /// How many more times it may be forwarded.
    pub hops: u8,
    /// The addresses that it still has to pass through.
    pub onward_route: Route,
    /// The addresses that lead back to its sender.
    pub return_route: Route,
    /// The bytes for its receiver.
    pub payload: Payload,
    /// Where it entered this node.
    pub origin: Origin,
    /// The bytes of some edge's budget that it occupies, given back when it is dropped.
    pub permit: Option<Permit>,
}

impl Message {
    /// A message made on this node.
    pub fn new(onward_route: Route, return_route: Route, payload: Payload) -> Self {
        Self::from(MessageParts {
            kind: MessageKind::Data,
            expendable: false,
            hops: MAX_HOPS,
            onward_route,
            return_route,
            payload,
            origin: Origin::Local,
            permit: None,
        })
    }

    /// The same message with `permit` accounting for its bytes.
    #[must_use]
    pub fn with_permit(mut self, permit: Permit) -> Self {
        self.permit = Some(permit);
        self
    }

    /// Turns it into a reply, which takes `payload` from `sender` back to the sender of this
    /// message, in the other [direction](Direction).
    ///
    /// The permit stays, so that an answer counts against the budget of the question.
    #[must_use]
    pub fn into_reply(mut self, sender: Address, payload: Payload) -> Self {
        self.kind = match self.kind.direction() {
            Direction::Onward => MessageKind::Reply,
            Direction::Return => MessageKind::Data,
        };
        self.expendable = false;
        self.hops = MAX_HOPS;
        self.onward_route = std::mem::replace(&mut self.return_route, Route::from(sender));
        self.payload = payload;
        self.origin = Origin::Local;
        self
    }

    /// Its fields, to take them apart.
    pub fn into_parts(self) -> MessageParts {
        *self.0
    }
}

impl From<MessageParts> for Message {
    fn from(envelope: MessageParts) -> Self {
        Self(Box::new(envelope))
    }
}

impl Deref for Message {
    type Target = MessageParts;

    fn deref(&self) -> &MessageParts {
        &self.0
    }
}

impl DerefMut for Message {
    fn deref_mut(&mut self) -> &mut MessageParts {
        &mut self.0
    }
}
