//! The router actor: how messages reach an arbiter from other threads.
//!
//! * Owns: nothing; the routing table is the node's.
//! * Inbox: [`Forward`], a message whose worker lives on this arbiter.
//! * Started by the node, one for each arbiter; stops with its arbiter. A node without one of its
//!   arbiters has lost workers and cannot go on, so the end of a router ends the node: this is how
//!   the node notices that its actix `System` was stopped.
//! * Between workers of one arbiter routing is a function call (`Node::route`), without this actor:
//!   a hop then costs an inbox but no mailbox, and wakes one task instead of two.
//! * A panic cannot come from a worker, whose handler runs in a task of its own. A panic in a
//!   delivery is contained in [`Entry::take`], so the router keeps running: without it the arbiter
//!   would be cut off from the others.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message as ActixMessage};

use crate::{
    message::{undelivered::Undelivered, Message},
    node::entry::Entry,
};

/// Tells a sender that its message was not delivered.
pub(super) type Bounce = Box<dyn Fn(Box<Undelivered>) + Send>;

/// Called when an arbiter has ended.
pub(super) type OnEnd = Box<dyn Fn() + Send>;

/// The router of one arbiter.
pub(super) struct Router {
    /// Tells the sender of a message that its worker did not take.
    pub(super) bounce: Bounce,
    /// Called when this is dropped, as it is only with its arbiter or its node.
    pub(super) on_end: OnEnd,
}

impl Drop for Router {
    fn drop(&mut self) {
        (self.on_end)();
    }
}

/// Hands a message to the worker of an entry, on the worker's arbiter.
#[derive(ActixMessage)]
#[rtype(result = "()")]
pub(super) struct Forward {
    pub(super) entry: Arc<Entry>,
    pub(super) message: Message,
}

impl Actor for Router {
    type Context = Context<Self>;
}

impl Handler<Forward> for Router {
    type Result = ();

    fn handle(&mut self, Forward { entry, message }: Forward, _: &mut Context<Self>) {
        if let Err(undelivered) = entry.take(message) {
            (self.bounce)(undelivered);
        }
    }
}
