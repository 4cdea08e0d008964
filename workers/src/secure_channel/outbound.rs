//! The sealing half of an established channel: messages become records where they stand.
//!
//! The header of the message, the tag byte and the counter are written into the room before the
//! payload, the authentication tag into the room behind it, so that bulk data is not copied.

use ockam_runtime::{
    codec::encode_header, limits::MAX_ROUTE_ADDRESSES, Address, Kind, Message, Node, Payload,
    Permit, Reason, Route,
};

use super::{limits::Limits, plaintext::Tag};
use crate::record::{RecordError, Sealer, MAX_PLAINTEXT, OVERHEAD};

/// Seals what goes to the peer and sends it along a route that is fixed for the session.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) node: Node,
    /// The address that messages for the peer arrive at.
    pub(super) channel: Address,
    pub(super) sealer: Sealer,
    pub(super) peer_route: Route,
    /// What the peer's answers, and notices about our records, come back to.
    pub(super) decryptor: Route,
}

/// A record was not sent, so the session is over: the peer takes no later one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotSent {
    /// The sealing key takes no more.
    #[error("{0}")]
    Sealer(#[from] RecordError),
    /// The first hop did not take the record.
    #[error("a record could not be sent: {0}")]
    Undelivered(String),
}

impl Outbound {
    /// Seals a message that arrived at the channel's address, for what is left of its onward route. One that cannot be
    /// sent through any channel goes back to its sender, and the channel goes on.
    pub(super) fn send(&mut self, mut message: Message) -> Result<(), NotSent> {
        let Some(hops) = message.hops.checked_sub(1) else {
            return self.refuse(message, Reason::HopsSpent);
        };
        message.hops = hops;
        let routes = message.onward_route.len().max(message.return_route.len());
        let header = encode_header(&message);
        if 1 + header.len() + message.payload.len() > MAX_PLAINTEXT || routes > MAX_ROUTE_ADDRESSES
        {
            return self.refuse(message, Reason::TooLarge);
        }
        let mut plaintext = message.payload;
        plaintext.prepend(&header);
        self.seal(Tag::Message, plaintext, message.permit)
    }

    /// Sends what the channel itself has to say.
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
        outer.permit = permit;
        self.node
            .try_route(outer)
            .map_err(|undelivered| NotSent::Undelivered(undelivered.notice.to_string()))
    }

    /// Whether so much was sealed that new keys are due.
    pub(super) fn is_due(&self, limits: &Limits) -> bool {
        self.sealer.needs_rehandshake() || self.sealer.next_counter() >= limits.session_records
    }

    fn refuse(&self, message: Message, reason: Reason) -> Result<(), NotSent> {
        bounce(&self.node, &self.channel, message, reason, "");
        Ok(())
    }
}

/// Tells the sender of a message that it did not pass the channel.
pub(super) fn bounce(node: &Node, channel: &Address, message: Message, why: Reason, detail: &str) {
    if message.kind == Kind::Notice {
        return;
    }
    let mut undelivered = ockam_runtime::worker::Undelivered::new(message, channel, why);
    undelivered.notice = undelivered.notice.with_detail(detail);
    node.bounce(undelivered);
}

/// Bytes that a channel adds to a message's header and payload: the tag byte and the record around it.
pub const CHANNEL_OVERHEAD: usize = 1 + OVERHEAD;
