//! A worker that sends everything on along a fixed route.
//!
//! * Owns: the route.
//! * Inbox: raw messages, notices included.
//! * Started by [`Relay::start`]; stops with `Node::stop_worker`, or with its node.
//! * A panic would end it and free its address; there is nothing in it that could.

use actix::{Actor, Context, Handler};
use ockam_runtime::{
    worker::Undelivered, Address, Error, Message, Node, Payload, Reason, Result, Route, Routed,
};

/// Sends each message along a fixed route and then along what is left of the message's own.
///
/// The way back is not changed: answers do not pass the relay. The first hop of the route is
/// reached because the relay's owner chose it; what lies behind it is reached, or not, as the
/// origin of the message permits.
///
/// ```
/// # actix_rt::System::new().block_on(async {
/// use ockam_runtime::{route, NodeBuilder};
/// use ockam_workers::{echoer::Echoer, relay::Relay};
///
/// let node = NodeBuilder::new().arbiters(1).start().await?;
/// Echoer::start(&node, "echoer")?;
/// Relay::start(&node, "alias", route!["echoer"])?;
/// let answer: String = node.ask(route!["alias"], String::from("hello")).await?;
/// assert_eq!(answer, "hello");
/// # node.stop().await;
/// # Ok::<(), ockam_runtime::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Relay {
    node: Node,
    route: Route,
}

impl Relay {
    /// Starts a relay at `address` that sends along `route`.
    ///
    /// # Errors
    /// If the address is none or taken, or the route is none.
    pub fn start(node: &Node, address: impl Into<Address>, route: impl Into<Route>) -> Result<()> {
        let route = route.into();
        route.validate()?;
        if route.is_empty() {
            return Err(Error::EmptyRoute);
        }
        node.start_worker(address, Self { node: node.clone(), route })
    }
}

impl Actor for Relay {
    type Context = Context<Self>;
}

impl Handler<Routed<Payload>> for Relay {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        let own = message.address().clone();
        if let Err(undelivered) = pass_on(&self.node, &own, message.into_message(), &self.route) {
            self.node.bounce(undelivered);
        }
    }
}

/// Sends `message` from the worker at `own` along `route` and then along its own onward route, for
/// one hop of its counter. Payload and permit move with it.
///
/// # Errors
/// Gives the message back if its hops are spent or the first hop does not take it.
pub(crate) fn pass_on(
    node: &Node,
    own: &Address,
    mut message: Message,
    route: &Route,
) -> Result<(), Box<Undelivered>> {
    let Some(hops) = message.hops.checked_sub(1) else {
        return Err(Undelivered::new(message, own, Reason::HopsSpent));
    };
    message.hops = hops;
    message.onward_route.prepend(route);
    node.try_route_chosen(message)
}
