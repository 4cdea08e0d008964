//! The opening half of an established channel: records become messages in place.

use std::sync::Arc;

use ockam_actix_runtime::{
    message::codec::{self, Decoder},
    trust::{
        origin::{Door, HubGrants, Ingress},
        source::SourceAddress,
    },
    Address, Identifier, Message, MessageParts, Origin, Payload, Permit,
};

use crate::secure_channel::{
    plaintext::Tag,
    record::{Opener, RecordError, Volume},
};

/// Opens records from the peer, and stamps the messages in them with their origin.
pub(super) struct Inbound {
    opener: Opener,
    /// The keys that the peer will switch to.
    next: Option<Opener>,
    decoder: Decoder,
    ingress: Arc<Ingress>,
}

/// What a record held.
#[derive(Debug)]
pub(super) enum Opened {
    /// A message from the peer, with the channel prepended to its return route.
    Message(Message),
    /// To be answered within the permit of the ping.
    Ping(Option<Permit>),
    /// The peer is there.
    Pong,
    /// The peer has ended the channel.
    Close,
    /// A message of a handshake for new keys.
    Handshake(Payload),
    /// From now on the peer seals with the new keys.
    Switch,
}

/// Why a record ends the channel. The network or the peer is at fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadRecord {
    /// The record does not open.
    #[error("bad record: {0}")]
    Record(#[from] RecordError),
    /// It holds nothing.
    #[error("the peer sent an empty record")]
    Empty,
    /// It holds something that this version does not know.
    #[error("the peer sent a record of the unknown kind {0}")]
    UnknownKind(u8),
    /// It holds more than it may.
    #[error("the peer sent {1} bytes in a record of the kind {0:?}")]
    Trailing(Tag, usize),
    /// It holds no message.
    #[error("the peer sent a record that holds no message: {0}")]
    Message(#[from] codec::DecodeError),
    /// There are no new keys.
    #[error("the peer switched to keys that were not agreed on")]
    NoNewKeys,
}

impl Inbound {
    /// Opens records of `peer`; answers to the messages in them go through `channel`. A peer that
    /// is a hub reaches only what `grants` lists; a stranger is counted against `source`, that of
    /// the underlying connection.
    pub(super) fn new(
        opener: Opener,
        peer: Identifier,
        channel: Address,
        grants: Option<Arc<HubGrants>>,
        source: Option<SourceAddress>,
    ) -> Self {
        let door = Door::Channel { peer, channel: channel.clone(), grants };
        let decoder = Decoder::default();
        Self {
            opener,
            next: None,
            decoder,
            ingress: Arc::new(Ingress { via: channel, door, source }),
        }
    }

    /// The same for one session of a lasting channel: answers go to `via`, the session's address.
    pub(super) fn answered_at(mut self, via: Address) -> Self {
        // Nobody shares it before a message was opened.
        if let Some(ingress) = Arc::get_mut(&mut self.ingress) {
            ingress.via = via;
        }
        self
    }

    /// Opens the record that a message carries. Every error is final.
    pub(super) fn open(&mut self, record: Message) -> Result<Opened, BadRecord> {
        let MessageParts { mut payload, permit, .. } = record.into_parts();
        let plaintext = self.opener.open_in_place_range(&mut payload)?;
        payload.narrow(plaintext);
        let byte = *payload.first().ok_or(BadRecord::Empty)?;
        let tag = Tag::from_byte(byte).ok_or(BadRecord::UnknownKind(byte))?;
        let length = payload.len();
        payload.narrow(1..length);
        let opened = match tag {
            Tag::Message => return self.message(payload, permit).map(Opened::Message),
            Tag::Handshake => return Ok(Opened::Handshake(payload)),
            _ if length > 1 => return Err(BadRecord::Trailing(tag, length - 1)),
            Tag::Ping => Opened::Ping(permit),
            Tag::Pong => Opened::Pong,
            Tag::Close => Opened::Close,
            Tag::Switch => {
                self.opener = self.next.take().ok_or(BadRecord::NoNewKeys)?;
                Opened::Switch
            }
        };
        Ok(opened)
    }

    fn message(&mut self, plain: Payload, permit: Option<Permit>) -> Result<Message, BadRecord> {
        let mut message = self.decoder.decode(plain, Origin::Remote(self.ingress.clone()))?;
        message.return_route.push_front(self.ingress.via.clone());
        message.permit = permit;
        Ok(message)
    }

    /// Installs the keys of the next record: the one before it was the last with the old keys.
    pub(super) fn switch_now(&mut self, opener: Opener) {
        self.opener = opener;
    }

    /// Keeps the keys that records have after [`Tag::Switch`].
    pub(super) fn switch_when_told(&mut self, opener: Opener) {
        self.next = Some(opener);
    }

    /// What the peer has sealed with its present keys.
    pub(super) fn volume(&self) -> Volume {
        self.opener.volume()
    }

    /// Who is at the other end.
    pub(super) fn peer(&self) -> Option<Identifier> {
        Origin::Remote(self.ingress.clone()).peer()
    }
}
