//! A worker that sends everything on along a fixed route.
//!
//! * Owns: the route.
//! * Inbox: raw messages, notices included.
//! * Started by [`Relay::start`]; stops with `Node::stop_worker`, or with its node.
//! * A panic would end it and free its address, for its user to start another; there is nothing in
//!   it that could. Streams through it notice its end as they notice any loss past it: by their own
//!   questions.

use actix::{Actor, Context, Handler};
use ockam_actix_runtime::{
    message::undelivered::Undelivered, node::routing::NextHop, Address, Error, Host, Message, Node,
    Payload, Result, Route, Routed, UndeliverableReason, WorkerHandle,
};

/// Sends each message along a fixed route and then along what is left of the message's own.
///
/// The return route is not changed: answers do not pass through the relay. The first hop of the
/// route is reached because the relay's owner chose it; what lies past it is reached, or not, as
/// the origin of the message permits.
///
/// ```
/// # actix_rt::System::new().block_on(async {
/// use ockam_actix_runtime::{route, NodeBuilder};
/// use ockam_actix_workers::{echoer::Echoer, relay::Relay};
///
/// let node = NodeBuilder::new().arbiters(1).start().await?;
/// Echoer::start(&node, "echoer")?;
/// Relay::start(&node, "alias", route!["echoer"])?;
/// let answer: String = node.ask(route!["alias"], String::from("hello")).reply_as().await?;
/// assert_eq!(answer, "hello");
/// # node.stop().await;
/// # Ok::<(), ockam_actix_runtime::Error>(())
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
    /// If the address is invalid or already in use, or the route is invalid or empty.
    pub fn start(
        node: &impl AsRef<Node>,
        address: impl Into<Address>,
        route: impl Into<Route>,
    ) -> Result<WorkerHandle> {
        let route = route.into();
        route.validate()?;
        if route.is_empty() {
            return Err(Error::EmptyRoute);
        }
        let node = node.as_ref();
        node.worker(address, Self { node: node.unheld(), route }).start()
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
        return Err(Undelivered::new(message, own, UndeliverableReason::HopsSpent));
    };
    message.hops = hops;
    message.onward_route.prepend(route);
    node.try_route(message, NextHop::Chosen)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use ockam_actix_runtime::{
        limits::MAX_HOPS,
        node::entry::{Deliver, Description, Entry},
        route, Class, NodeBuilder,
    };

    use super::*;

    /// Keeps what arrives.
    #[derive(Clone, Default)]
    struct Arrived(Arc<Mutex<Vec<Message>>>);

    impl Deliver for Arrived {
        fn deliver(&self, _: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
            self.0.lock().unwrap().push(message);
            Ok(())
        }
    }

    fn on_a_node(test: impl FnOnce(&Node, &Arrived)) {
        actix_rt::System::new().block_on(async {
            let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
            let arrived = Arrived(Arc::new(Mutex::new(Vec::with_capacity(8))));
            let description = Description::new("connection", Class::Internal);
            let registration = node.register_delivery(description, arrived.clone()).unwrap();
            test(&node, &arrived);
            drop(registration);
            node.stop().await;
        });
    }

    fn message(onward: Route) -> Message {
        Message::new(onward, route!["sender"], Payload::from(vec![7]))
    }

    #[test]
    fn relaying_keeps_the_rest_and_the_return_route() {
        on_a_node(|node, arrived| {
            let route = route!["connection", "destination"];
            pass_on(node, &"relay".into(), message(route!["a", "b"]), &route).unwrap();
            let arrived = arrived.0.lock().unwrap();
            assert_eq!(arrived[0].onward_route, route!["destination", "a", "b"]);
            assert_eq!(arrived[0].return_route, route!["sender"]);
            assert_eq!(arrived[0].hops, MAX_HOPS - 1);
        });
    }

    #[test]
    fn a_message_without_hops_comes_back_whole() {
        on_a_node(|node, _| {
            let mut spent = message(route!["a"]);
            spent.hops = 0;
            let route = route!["connection"];
            let undelivered = pass_on(node, &"relay".into(), spent, &route).unwrap_err();
            assert_eq!(undelivered.notice.reason, UndeliverableReason::HopsSpent);
            assert_eq!(undelivered.notice.hop, "relay".into());
            assert_eq!(undelivered.message.onward_route, route!["a"]);
        });
    }

    #[test]
    fn passing_on_allocates_nothing() {
        on_a_node(|node, _| {
            let (own, route) = ("relay".into(), route!["connection", "destination"]);
            let message = message(route!["a"]);
            let mut passed = Ok(());
            let used =
                allocation_counter::measure(|| passed = pass_on(node, &own, message, &route));
            passed.unwrap();
            assert_eq!(used.count_total, 0);
        });
    }
}
