//! The one envelope that moves through a node.

use crate::{
    address::Address, budget::Permit, limits::MAX_HOPS, origin::Origin, payload::Payload,
    route::Route,
};

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It carries a worker's data.
    Data,
    /// It tells the sender of an earlier message that this one could not be delivered; its
    /// payload is a [`Notice`](crate::notice::Notice). There is never a notice about a notice.
    Notice,
}

/// A message on its way: the single envelope of the node.
///
/// A frame exists only inside transports, a typed body only inside a worker. `origin` and
/// `permit` never travel: the first is stamped where the message enters this node, the second
/// accounts for its bytes while they are here.
#[derive(Debug)]
pub struct Message {
    /// Data or notice.
    pub kind: Kind,
    /// How many forwards it may still spend.
    pub hops: u8,
    /// The addresses that it still has to pass.
    pub onward_route: Route,
    /// The addresses that lead back to its sender.
    pub return_route: Route,
    /// The bytes for its receiver.
    pub payload: Payload,
    /// Where it entered this node.
    pub origin: Origin,
    /// The bytes that it occupies of some edge's budget, given back when it is dropped.
    pub permit: Option<Permit>,
}

impl Message {
    /// A message made on this node.
    pub fn new(onward_route: Route, return_route: Route, payload: Payload) -> Self {
        Self {
            kind: Kind::Data,
            hops: MAX_HOPS,
            onward_route,
            return_route,
            payload,
            origin: Origin::Local,
            permit: None,
        }
    }

    /// The same message with `permit` accounting for its bytes.
    #[must_use]
    pub fn with_permit(mut self, permit: Permit) -> Self {
        self.permit = Some(permit);
        self
    }

    /// Turns it round: what comes next goes back to its sender, from `sender`.
    ///
    /// The permit stays, so that an answer waits within the budget of the question.
    #[must_use]
    pub fn into_reply(self, sender: Address, payload: Payload) -> Self {
        let reply = Self::new(self.return_route, Route::from(sender), payload);
        Self { permit: self.permit, ..reply }
    }
}
