//! What a hub says to the nodes that are registered with it, unasked.

use ockam_actix_runtime::{
    message::MessageKind, node::routing::NextHop, Address, Host, Message, Node, Route,
};

use crate::forwarder::protocol::Answer;

/// Says something to the node whose mailbox is at the end of `inbox`. If its connection is gone, it
/// learns of it when it comes back.
pub(super) fn notify_node(node: &Node, inbox: Route, answer: &Answer) {
    let mut message = Message::new(inbox, Address::random().into(), answer.encode());
    message.kind = MessageKind::Reply;
    if let Err(undelivered) = node.try_route(message, NextHop::Chosen) {
        log::debug!("a node does not get {answer}: {}", undelivered.notice);
    }
}
