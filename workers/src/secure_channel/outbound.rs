//! The sealing half of an established channel: messages become records in place.
//!
//! The header of the message, the tag byte and the counter are written into the payload's headroom,
//! the authentication tag into its tailroom, so that bulk data is not copied.

use ockam_actix_runtime::{
    limits::MAX_ROUTE_ADDRESSES, message::codec::encode_header, node::routing::NextHop, Address,
    Host, Message, MessageKind, MessageParts, Node, Payload, Permit, Route, UndeliverableReason,
};

use crate::secure_channel::{
    plaintext::Tag,
    record::{expendable::NUMBER_LENGTH, RecordError, Sealer, MAX_PLAINTEXT, OVERHEAD, TAG_LENGTH},
};

/// Seals messages for the peer and sends them along a route that is fixed for the session.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) node: Node,
    /// The address that messages for the peer arrive at.
    pub(super) channel: Address,
    /// What is prepended to the return routes of messages that come out of the channel.
    pub(super) via: Address,
    pub(super) sealer: Sealer,
    /// That of all records: the answering end's go back along the route that it got.
    pub(super) kind: MessageKind,
    pub(super) peer_route: Route,
    /// Where the peer's answers, and notices about our records, come back.
    pub(super) decryptor: Route,
}

/// Why a record was not sent. The session is over then: the peer accepts no later record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotSent {
    /// The record was not sealed.
    #[error("{0}")]
    Sealer(#[from] RecordError),
    /// The first hop did not take the record.
    #[error("a record could not be sent: {0}")]
    Undelivered(String),
    /// Sealing failed earlier.
    #[error("its keys are lost")]
    NoKeys,
}

impl Outbound {
    /// Seals a message that arrived at the channel's address, with the rest of its onward route,
    /// and sends it. One that no channel can carry is returned to its sender, and the channel goes
    /// on.
    pub(super) fn send(&mut self, mut message: Message) -> Result<(), NotSent> {
        let Some(hops) = message.hops.checked_sub(1) else {
            return self.refuse(message, UndeliverableReason::HopsSpent);
        };
        message.hops = hops;
        self.node.conceal_names(&mut message.return_route, &self.via);
        let routes = message.onward_route.len().max(message.return_route.len());
        let header = encode_header(&message);
        if 1 + header.len() + message.payload.len() > MAX_PLAINTEXT || routes > MAX_ROUTE_ADDRESSES
        {
            return self.refuse(message, UndeliverableReason::TooLarge);
        }
        let MessageParts { payload: mut plaintext, permit, expendable, .. } = message.into_parts();
        plaintext.prepend(&header);
        if expendable {
            if let Some((number, tag)) = self.sealer.seal_expendable_in_place(&mut plaintext) {
                self.send_expendable(plaintext, number, tag, permit);
                return Ok(());
            }
        }
        self.seal(Tag::Message, plaintext, permit)
    }

    /// Sends a record that may be lost: nothing depends on whether the first hop takes it, and
    /// without a return route there is more room for it in a datagram.
    fn send_expendable(
        &self,
        mut record: Payload,
        number: [u8; NUMBER_LENGTH],
        tag: [u8; TAG_LENGTH],
        permit: Option<Permit>,
    ) {
        record.prepend(&number);
        record.extend_from_slice(&tag);
        let mut outer = Message::new(self.peer_route.clone(), Route::new(), record);
        (outer.kind, outer.expendable) = (self.kind, true);
        outer.permit = permit.map(Permit::of_no_flow);
        self.node.route(outer);
    }

    /// Seals and sends a control record of the channel itself.
    pub(super) fn control(
        &mut self,
        tag: Tag,
        body: &[u8],
        permit: Option<Permit>,
    ) -> Result<(), NotSent> {
        self.seal(tag, Payload::from(body), permit)
    }

    fn seal(
        &mut self,
        tag: Tag,
        mut plaintext: Payload,
        permit: Option<Permit>,
    ) -> Result<(), NotSent> {
        plaintext.prepend(&[tag.byte()]);
        let (counter, authentication) = self.sealer.seal_in_place(&mut plaintext)?;
        let mut record = plaintext;
        record.prepend(&counter);
        record.extend_from_slice(&authentication);
        let mut outer = Message::new(self.peer_route.clone(), self.decryptor.clone(), record);
        outer.kind = self.kind;
        outer.permit = permit.map(Permit::of_no_flow);
        self.node
            .try_route(outer, NextHop::Checked)
            .map_err(|undelivered| NotSent::Undelivered(undelivered.notice.to_string()))
    }

    fn refuse(&self, message: Message, reason: UndeliverableReason) -> Result<(), NotSent> {
        bounce(&self.node, &self.channel, message, reason, "");
        Ok(())
    }
}

/// Notifies the sender of a message that it did not pass the channel.
pub(super) fn bounce(
    node: &Node,
    channel: &Address,
    message: Message,
    why: UndeliverableReason,
    detail: &str,
) {
    if message.kind == MessageKind::Notice {
        return;
    }
    let mut undelivered =
        ockam_actix_runtime::message::undelivered::Undelivered::new(message, channel, why);
    undelivered.notice = undelivered.notice.with_detail(detail);
    node.bounce(undelivered);
}

/// Bytes that a channel adds to a message's header and payload: the tag byte and the record around
/// it.
pub const CHANNEL_OVERHEAD: usize = 1 + OVERHEAD;

#[cfg(test)]
mod tests {
    use ockam_actix_runtime::{
        limits::{HEADROOM_BYTES, TAILROOM_BYTES},
        node::entry::Description,
        route, Class, NodeBuilder,
    };

    use super::*;
    use crate::secure_channel::{
        fixtures::{sessions, Kept},
        inbound::{Inbound, Opened},
    };

    /// A message as an inlet makes it.
    fn bulk(length: usize) -> Message {
        let mut payload = Payload::with_headroom(HEADROOM_BYTES, length + TAILROOM_BYTES);
        payload.extend_from_slice(&vec![7; length]);
        Message::new(route!["outlet"], route![Address::random()], payload)
    }

    #[test]
    fn bulk_data_is_sealed_and_opened_in_place() {
        actix_rt::System::new().block_on(async {
            let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
            let kept = Kept::default();
            let description = Description::new("connection", Class::Reply);
            let _registration = node.register_delivery(description, kept.clone()).unwrap();
            let (client, server) = sessions();
            let mut outbound = Outbound {
                node: node.clone(),
                channel: "channel".into(),
                via: "channel".into(),
                sealer: client.sealer,
                kind: MessageKind::Data,
                peer_route: route!["connection", Address::random()],
                decryptor: route![Address::random()],
            };
            let peer = client.peer.identifier();
            let mut inbound = Inbound::new(server.opener, peer, "theirs".into(), None, None);
            for length in [0, 1, 32 * 1024, 60 * 1024] {
                let message = bulk(length);
                let start = message.payload.as_ptr();
                outbound.send(message).unwrap();
                let record = kept.0.lock().unwrap().pop().unwrap();
                let end = record.payload.as_ptr().wrapping_add(record.payload.len() - 16);
                assert_eq!(end, start.wrapping_add(length), "sealed in place");
                let Ok(Opened::Message(message)) = inbound.open(record) else {
                    panic!("the record opens")
                };
                assert_eq!(message.payload.as_ptr(), start, "opened in place");
                assert_eq!(message.payload[..], vec![7; length]);
                assert_eq!(message.onward_route, route!["outlet"]);
                assert_eq!(message.return_route.first(), Some(&"theirs".into()));
                assert_eq!(message.origin.peer(), Some(peer));
            }
            node.stop().await;
        });
    }

    #[test]
    fn unsealable_messages_are_returned_and_the_next_passes() {
        actix_rt::System::new().block_on(async {
            let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
            let (kept, sender) = (Kept::default(), Kept::default());
            let to_peer = Description::new("connection", Class::Reply);
            let _to_peer = node.register_delivery(to_peer, kept.clone()).unwrap();
            let to_sender = Description::new("sender", Class::Reply);
            let _to_sender = node.register_delivery(to_sender, sender.clone()).unwrap();
            let mut outbound = Outbound {
                node: node.clone(),
                channel: "channel".into(),
                via: "channel".into(),
                sealer: sessions().0.sealer,
                kind: MessageKind::Data,
                peer_route: route!["connection"],
                decryptor: route![Address::random()],
            };
            let mut large = bulk(MAX_PLAINTEXT);
            large.return_route = route!["sender"];
            outbound.send(large).unwrap();
            let mut late = bulk(1);
            late.hops = 0;
            late.return_route = route!["sender"];
            outbound.send(late).unwrap();
            outbound.send(bulk(1)).unwrap();
            let notices: Vec<_> = sender.0.lock().unwrap().drain(..).collect();
            let reasons = notices.iter().map(|message| {
                ockam_actix_runtime::Notice::decode(&message.payload).map(|notice| notice.reason)
            });
            let expected =
                [Some(UndeliverableReason::TooLarge), Some(UndeliverableReason::HopsSpent)];
            assert_eq!(reasons.collect::<Vec<_>>(), expected);
            assert_eq!(kept.0.lock().unwrap().len(), 1);
            assert_eq!(outbound.sealer.next_counter(), 1);
            node.stop().await;
        });
    }
}
