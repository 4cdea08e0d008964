//! Where messages from other hubs come in: to the forwarders of this hub alone, so that a message
//! makes one hop between hubs and never a second.

use std::sync::{Arc, Weak};

use ockam_actix_runtime::{
    message::undelivered::Undelivered,
    node::entry::{Deliver, Description, Entry},
    Class, Host, Message, Node, Result, Route, UndeliverableReason,
};

use crate::{
    forwarder::cluster::{key::ForwarderKey, member::Member, stand_in::CLUSTER_SERVICE},
    relay::pass_on,
};

pub(super) struct Gate(Weak<Member>);

impl Gate {
    /// Registers it for as long as the node runs.
    pub(super) fn start(node: &Node, member: Arc<Member>) -> Result<()> {
        let description = Description::new(CLUSTER_SERVICE, Class::Service);
        node.register_delivery(description, Self(Arc::downgrade(&member)))?.detach();
        Ok(())
    }
}

impl Deliver for Gate {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        let key = message.onward_route.first().and_then(ForwarderKey::of);
        let member =
            self.0.upgrade().filter(|member| key.is_some_and(|key| member.held(&key).is_some()));
        match member {
            Some(member) => pass_on(member.node(), &entry.address, message, &Route::new()),
            None => {
                let at = message.onward_route.first().unwrap_or(&entry.address).clone();
                Err(Undelivered::new(message, &at, UndeliverableReason::Unreachable))
            }
        }
    }
}
