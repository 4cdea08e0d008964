//! The opening half of an established channel: records become messages in place.

use std::sync::Arc;

use ockam_actix_runtime::{
    clock::Instant,
    message::codec::{self, Decoder},
    trust::{
        origin::{Door, HubGrants, Ingress},
        source::SourceAddress,
    },
    Address, Identifier, Message, MessageParts, Origin, Payload, Permit,
};

use crate::secure_channel::{
    limits::OLD_KEYS_KEPT,
    plaintext::Tag,
    record::{
        expendable::{generation_of, DroppedRecord, ExpendableOpener},
        Opener, RecordError, Volume,
    },
};

/// Opens records from the peer, and stamps the messages in them with their origin.
pub(super) struct Inbound {
    opener: Opener,
    /// The keys that the peer will switch to.
    next: Option<Opener>,
    /// The keys that were replaced at this time, for expendable records that are late.
    before: Option<(ExpendableOpener, Instant)>,
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

/// Why an expendable record is dropped. The network or the peer is at fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum Dropped {
    /// The record does not open.
    #[error("{0}")]
    Record(#[from] DroppedRecord),
    /// It holds no message.
    #[error("it holds no message: {0}")]
    Message(#[from] codec::DecodeError),
    /// It holds a message that may not be lost.
    #[error("it holds a message that may not be lost")]
    NotExpendable,
}

impl Dropped {
    /// The name of the rule under which it is counted. What comes twice or late is everyday life of
    /// networks, and attacks.
    pub(super) fn rule(&self) -> &'static str {
        match self {
            Self::Record(DroppedRecord::Repeated(_)) => "records-repeated",
            Self::Record(DroppedRecord::Late(_) | DroppedRecord::OtherKeys(_)) => "records-late",
            Self::Record(DroppedRecord::BadTag(_) | DroppedRecord::BadLength(_)) => {
                "records-not-authentic"
            }
            Self::Message(_) | Self::NotExpendable => "records-not-understood",
        }
    }
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
            before: None,
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
        self.forget_old_keys();
        let plaintext = self.opener.open_in_place_range(&mut payload)?;
        payload.narrow(plaintext);
        let byte = *payload.first().ok_or(BadRecord::Empty)?;
        let tag = Tag::from_byte(byte).ok_or(BadRecord::UnknownKind(byte))?;
        let length = payload.len();
        payload.narrow(1..length);
        let opened = match tag {
            Tag::Message => return Ok(Opened::Message(self.message(payload, permit)?)),
            Tag::Handshake => return Ok(Opened::Handshake(payload)),
            _ if length > 1 => return Err(BadRecord::Trailing(tag, length - 1)),
            Tag::Ping => Opened::Ping(permit),
            Tag::Pong => Opened::Pong,
            Tag::Close => Opened::Close,
            Tag::Switch => {
                let next = self.next.take().ok_or(BadRecord::NoNewKeys)?;
                self.replace_keys(next);
                Opened::Switch
            }
        };
        Ok(opened)
    }

    /// Opens an expendable record, if its keys are the present ones, those that come next, or those
    /// that were replaced a moment ago.
    pub(super) fn open_expendable(&mut self, record: Message) -> Result<Message, Dropped> {
        let MessageParts { mut payload, permit, .. } = record.into_parts();
        self.forget_old_keys();
        let generation = generation_of(&payload);
        let opener = self.of_generation(generation).ok_or(DroppedRecord::OtherKeys(generation))?;
        let plaintext = opener.open_in_place_range(&mut payload)?;
        payload.narrow(plaintext);
        let message = self.message(payload, permit)?;
        match message.expendable {
            true => Ok(message),
            false => Err(Dropped::NotExpendable),
        }
    }

    /// What opens the expendable records of a handshake.
    fn of_generation(&mut self, generation: u32) -> Option<&mut ExpendableOpener> {
        let next = self.next.as_mut().map(Opener::expendable);
        let before = self.before.as_mut().map(|(opener, _)| opener);
        let mut known = [Some(self.opener.expendable()), next, before].into_iter().flatten();
        known.find(|opener| opener.generation() == generation)
    }

    fn replace_keys(&mut self, opener: Opener) {
        let before = std::mem::replace(&mut self.opener, opener);
        self.before = Some((before.into_expendable(), Instant::now()));
    }

    /// Drops the keys of before the last renewal once nothing is under way with them.
    fn forget_old_keys(&mut self) {
        self.before.take_if(|(_, replaced)| replaced.elapsed() > OLD_KEYS_KEPT);
    }

    fn message(
        &mut self,
        plain: Payload,
        permit: Option<Permit>,
    ) -> Result<Message, codec::DecodeError> {
        let mut message = self.decoder.decode(plain, Origin::Remote(self.ingress.clone()))?;
        message.return_route.push_front(self.ingress.via.clone());
        message.permit = permit;
        Ok(message)
    }

    /// Installs the keys of the next record: the one before it was the last with the old keys.
    pub(super) fn switch_now(&mut self, opener: Opener) {
        let opener = opener.after(&self.opener);
        self.replace_keys(opener);
    }

    /// Keeps the keys that records have after [`Tag::Switch`]. Expendable ones may overtake it.
    pub(super) fn switch_when_told(&mut self, opener: Opener) {
        self.next = Some(opener.after(&self.opener));
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

#[cfg(test)]
mod tests {
    use ockam_actix_runtime::{message::codec::encode, route, Address, Route};

    use super::*;
    use crate::secure_channel::{
        fixtures::sessions,
        record::{expendable::DroppedRecord, Sealer},
    };

    fn record(bytes: Vec<u8>) -> Message {
        Message::new(Route::new(), Route::new(), bytes.into())
    }

    /// A message as it stands in a record.
    fn plain(text: &[u8], expendable: bool) -> Vec<u8> {
        let mut message = Message::new(route!["outlet"], route!["a"], text.into());
        message.expendable = expendable;
        encode(message).to_vec()
    }

    fn seal_expendable(sealer: &mut Sealer, mut plain: Vec<u8>) -> Vec<u8> {
        let (number, tag) = sealer.seal_expendable_in_place(&mut plain).unwrap();
        [&number[..], &plain, &tag].concat()
    }

    fn expendable(sealer: &mut Sealer, text: &[u8]) -> Vec<u8> {
        seal_expendable(sealer, plain(text, true))
    }

    fn ordered(sealer: &mut Sealer, mut plain: Vec<u8>) -> Vec<u8> {
        let (counter, tag) = sealer.seal_in_place(&mut plain).unwrap();
        [&counter[..], &plain, &tag].concat()
    }

    /// Opens an expendable record; returns its message's payload.
    fn open(inbound: &mut Inbound, bytes: &[u8]) -> Result<Vec<u8>, Dropped> {
        let message = inbound.open_expendable(record(bytes.to_vec()))?;
        assert_eq!(message.return_route, route!["channel", "a"]);
        Ok(message.payload.to_vec())
    }

    fn inbound(opener: Opener) -> Inbound {
        let peer = sessions().0.peer.identifier();
        Inbound::new(opener, peer, Address::from("channel"), None, None)
    }

    #[test]
    fn expendable_records_cross_a_change_of_keys() {
        let (client, server) = sessions();
        let (next_client, next_server) = sessions();
        let (mut sealer, mut inbound) = (client.sealer, inbound(server.opener));
        let [first, late, later] =
            [&b"first"[..], b"late", b"later"].map(|text| expendable(&mut sealer, text));
        assert_eq!(open(&mut inbound, &first).unwrap(), b"first");
        inbound.switch_when_told(next_server.opener);
        let switch = ordered(&mut sealer, vec![Tag::Switch.byte()]);
        let before = std::mem::replace(&mut sealer, next_client.sealer);
        sealer.replace(before);
        let old = expendable(&mut sealer, b"old");
        sealer.switch_expendable();
        let early = expendable(&mut sealer, b"early");
        assert_eq!((old[..4].to_vec(), early[..4].to_vec()), (vec![0; 4], vec![0, 0, 0, 1]));
        assert_eq!(open(&mut inbound, &early).unwrap(), b"early", "it has overtaken the switch");
        assert_eq!(open(&mut inbound, &old).unwrap(), b"old");
        assert!(matches!(inbound.open(record(switch)), Ok(Opened::Switch)));
        assert_eq!(open(&mut inbound, &late).unwrap(), b"late");
        for repeated in [first, late, early] {
            let dropped = open(&mut inbound, &repeated).unwrap_err();
            assert_eq!(dropped.rule(), "records-repeated", "{dropped}");
        }
        let (_, replaced) = inbound.before.as_mut().unwrap();
        *replaced -= 2 * OLD_KEYS_KEPT;
        let dropped = open(&mut inbound, &later).unwrap_err();
        assert!(matches!(dropped, Dropped::Record(DroppedRecord::OtherKeys(0))), "{dropped}");
        assert!(inbound.before.is_none(), "the old key is gone");
    }

    #[test]
    fn bad_expendable_records_harm_nothing() {
        let (client, server) = sessions();
        let (mut sealer, mut inbound) = (client.sealer, inbound(server.opener));
        let message = |text: &[u8]| [&[Tag::Message.byte()][..], &plain(text, false)].concat();
        let (one, two) = (ordered(&mut sealer, message(b"1")), ordered(&mut sealer, message(b"2")));
        let bad = [
            (one.clone(), "records-not-authentic"),
            (vec![], "records-not-authentic"),
            (vec![0xff; 100], "records-late"),
            (seal_expendable(&mut sealer, plain(b"x", false)), "records-not-understood"),
            (seal_expendable(&mut sealer, b"no message".to_vec()), "records-not-understood"),
            (seal_expendable(&mut sealer, vec![]), "records-not-understood"),
        ];
        for (bytes, rule) in bad {
            assert_eq!(open(&mut inbound, &bytes).unwrap_err().rule(), rule);
        }
        let good = expendable(&mut sealer, b"good");
        assert_eq!(open(&mut inbound, &good).unwrap(), b"good");
        for bytes in [one, two] {
            assert!(matches!(inbound.open(record(bytes)), Ok(Opened::Message(_))));
        }
        // An ordinary record may hold a message that may be lost; no expendable one is ordinary.
        let fallback = [&[Tag::Message.byte()][..], &plain(b"3", true)].concat();
        let fallback = ordered(&mut sealer, fallback);
        let Ok(Opened::Message(message)) = inbound.open(record(fallback)) else { panic!() };
        assert!(message.expendable);
        let passed_off = expendable(&mut sealer, b"ordinary?");
        assert!(inbound.open(record(passed_off)).is_err());
    }
}
