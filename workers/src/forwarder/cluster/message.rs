//! What hubs say to each other on the bus.
//!
//! ```text
//! [0, hub, bin key, bin nonce]     who has this forwarder?
//! [1, hub, bin voucher]            the answer of one that does, to this question alone
//! [2, hub, bin key]                it has this forwarder no longer
//! [3, hub, bin clock, bin sent]    it is there, and has sent so many messages 4; every few seconds
//! [4, hub, bin claims]             what identities have claimed at it
//! [5, hub, bin key, bin proof]     a claim at it displaces this one of another hub
//! hub = [text address, bin identifier], who says it: where it is dialled, and its identity
//! ```
//!
//! MessagePack in its shortest form; the whole input must be consumed. `key` has 16 bytes,
//! `voucher` 32, `nonce`, `clock` and `sent` 8; `claims` are [`SharedClaim`]s one after the other,
//! and `proof` is that of a registration without its address.

use bytes::Bytes;
use ockam_actix_runtime::{
    limits::MAX_ADDRESS_BYTES,
    message::messagepack::{DecodeError, Reader, Writer},
    Address, Identifier,
};
use thiserror::Error;

use crate::forwarder::{
    cluster::{
        claims::{SharedClaim, Speaker, CLAIM_BYTES},
        key::{ForwarderKey, Voucher},
    },
    limits::{CLAIMS_PER_MESSAGE, MAX_DISPLACEMENT_BYTES},
};

pub(super) const FIND: u8 = 0;
pub(super) const HAS: u8 = 1;
pub(super) const GONE: u8 = 2;
pub(super) const THERE: u8 = 3;
pub(super) const CLAIMS: u8 = 4;
pub(super) const DISPLACED: u8 = 5;

/// Tells one question from all others.
pub(super) type Nonce = [u8; 8];

/// What the voucher of an answer to a question covers, before the hub.
pub(super) fn answer_to(nonce: Nonce) -> [u8; 9] {
    let mut covered = [HAS; 9];
    covered[1..].copy_from_slice(&nonce);
    covered
}

/// A message on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HubMessage {
    pub(super) speaker: Speaker,
    pub(super) said: Said,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Find { key: ForwarderKey, nonce: Nonce },
    Has { voucher: Voucher },
    Gone { key: ForwarderKey },
    There { clock: u64, claims_sent: u64 },
    Claims(Vec<SharedClaim>),
    Displaced { key: ForwarderKey, proof: Vec<u8> },
}

/// Why bytes are no message of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum HubMessageError {
    #[error("it is malformed: {0}")]
    Malformed(#[from] DecodeError),
    #[error("it has the unknown kind {0}")]
    UnknownKind(u8),
    #[error("it names a hub by an address that is none")]
    Hub,
    #[error("its claims have the wrong length")]
    Claims,
}

impl HubMessage {
    pub(super) fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(128);
        let mut begin = |fields, kind| {
            writer.array(fields);
            writer.number(kind);
            writer.array(2);
            writer.text(self.speaker.at.as_str());
            writer.bin(self.speaker.identity.as_bytes());
        };
        match &self.said {
            Said::Find { key, nonce } => {
                begin(4, FIND);
                writer.bin(&key.0);
                writer.bin(nonce);
            }
            Said::Has { voucher } => {
                begin(3, HAS);
                writer.bin(&voucher.0);
            }
            Said::Gone { key } => {
                begin(3, GONE);
                writer.bin(&key.0);
            }
            Said::There { clock, claims_sent } => {
                begin(4, THERE);
                writer.bin(&clock.to_be_bytes());
                writer.bin(&claims_sent.to_be_bytes());
            }
            Said::Claims(claims) => {
                begin(3, CLAIMS);
                let bytes: Vec<_> = claims.iter().flat_map(|claim| claim.to_bytes()).collect();
                writer.bin(&bytes);
            }
            Said::Displaced { key, proof } => {
                begin(4, DISPLACED);
                writer.bin(&key.0);
                writer.bin(proof);
            }
        }
        writer.finish().into()
    }

    /// Reads a message that fills `bytes`.
    ///
    /// # Errors
    /// [`HubMessageError`] for anything that is not in the table of this module.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HubMessageError> {
        let mut reader = Reader::new(bytes);
        let (fields, kind) = (reader.array(3..=4)?, reader.number()?);
        let speaker = read_speaker(&mut reader)?;
        let said = match (kind, fields) {
            (FIND, 4) => Said::Find { key: read_key(&mut reader)?, nonce: *reader.bin()? },
            (HAS, 3) => Said::Has { voucher: Voucher(*reader.bin()?) },
            (GONE, 3) => Said::Gone { key: read_key(&mut reader)? },
            (THERE, 4) => {
                let mut number = || reader.bin().map(|bytes| u64::from_be_bytes(*bytes));
                Said::There { clock: number()?, claims_sent: number()? }
            }
            (CLAIMS, 3) => Said::Claims(read_claims(&mut reader)?),
            (DISPLACED, 4) => {
                let key = read_key(&mut reader)?;
                let proof = reader.bytes(1..=MAX_DISPLACEMENT_BYTES)?.to_vec();
                Said::Displaced { key, proof }
            }
            (kind, _) => return Err(HubMessageError::UnknownKind(kind)),
        };
        reader.finish()?;
        Ok(Self { speaker, said })
    }
}

fn read_key(reader: &mut Reader<'_>) -> Result<ForwarderKey, HubMessageError> {
    Ok(ForwarderKey(*reader.bin()?))
}

fn read_speaker(reader: &mut Reader<'_>) -> Result<Speaker, HubMessageError> {
    reader.array(2..=2)?;
    let text = reader.text(1..=MAX_ADDRESS_BYTES)?;
    let at = Address::parse(text).map_err(|_| HubMessageError::Hub)?;
    let at = at.dial_parts().is_some().then_some(at).ok_or(HubMessageError::Hub)?;
    Ok(Speaker { at, identity: Identifier::from_bytes(*reader.bin()?) })
}

fn read_claims(reader: &mut Reader<'_>) -> Result<Vec<SharedClaim>, HubMessageError> {
    let bytes = reader.bytes(0..=CLAIMS_PER_MESSAGE * CLAIM_BYTES)?;
    let (claims, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(HubMessageError::Claims);
    }
    let claims: Option<_> = claims.iter().map(SharedClaim::from_bytes).collect();
    claims.ok_or(HubMessageError::Claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forwarder::{
        cluster::claims::Standing,
        protocol::claim::{ForwarderId, Instance, Tenure},
    };

    fn speaker(at: &str) -> Speaker {
        Speaker { at: at.into(), identity: Identifier::from_bytes([9; 32]) }
    }

    fn claim(number: u8) -> SharedClaim {
        let instance = Instance([number; 16]);
        let standing = Standing { keys: 1, tenure: Tenure(300), instance };
        let forwarder = ForwarderId([number; 16]).address();
        SharedClaim::new(&speaker("tcp#hub-a:4000"), &forwarder, standing).unwrap()
    }

    #[test]
    fn messages_are_read_back_and_nothing_else() {
        let key = ForwarderKey([7; 16]);
        let all = [
            Said::Find { key, nonce: [6; 8] },
            Said::Has { voucher: Voucher([8; 32]) },
            Said::Gone { key },
            Said::There { clock: 1 << 40, claims_sent: 7 },
            Said::Claims(vec![claim(1), claim(2)]),
            Said::Displaced { key, proof: vec![1, 2, 3] },
        ];
        for said in all {
            let message = HubMessage { speaker: speaker("tcp#hub-a:4000"), said };
            let bytes = message.encode();
            assert_eq!(HubMessage::decode(&bytes), Ok(message));
            for length in 0..bytes.len() {
                HubMessage::decode(&bytes[..length]).unwrap_err();
            }
            HubMessage::decode(&[&bytes[..], &[0]].concat()).unwrap_err();
        }
        let no_hub = HubMessage { speaker: speaker("outlet"), said: Said::Gone { key } };
        assert_eq!(HubMessage::decode(&no_hub.encode()), Err(HubMessageError::Hub));
        let mut unknown = HubMessage { said: Said::Gone { key }, speaker: speaker("tcp#a:1") };
        let mut bytes = unknown.encode().to_vec();
        bytes[1] = 9;
        assert_eq!(HubMessage::decode(&bytes), Err(HubMessageError::UnknownKind(9)));
        unknown.said = Said::Claims(vec![claim(1); CLAIMS_PER_MESSAGE + 1]);
        HubMessage::decode(&unknown.encode()).unwrap_err();
    }
}
