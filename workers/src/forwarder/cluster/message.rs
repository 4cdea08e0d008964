//! What hubs say to each other on the bus.
//!
//! ```text
//! [0, bin key]                who has this forwarder?
//! [1, text hub]               the answer of one that does: where it is dialled
//! [2, bin key, text hub]      that hub has this forwarder no longer
//! ```
//!
//! MessagePack in its shortest form; the whole input must be consumed. `key` has 16 bytes.

use bytes::Bytes;
use ockam_actix_runtime::{
    limits::MAX_ADDRESS_BYTES,
    message::messagepack::{DecodeError, Reader, Writer},
    Address,
};
use thiserror::Error;

use crate::forwarder::cluster::key::ForwarderKey;

const FIND: u8 = 0;
const HAS: u8 = 1;
const GONE: u8 = 2;

/// A message on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HubMessage {
    Find { key: ForwarderKey },
    Has { hub: Address },
    Gone { key: ForwarderKey, hub: Address },
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
}

impl HubMessage {
    pub(super) fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(64);
        let mut begin = |fields, kind| {
            writer.array(fields);
            writer.number(kind);
        };
        match self {
            Self::Find { key } => {
                begin(2, FIND);
                writer.bin(&key.0);
            }
            Self::Has { hub } => {
                begin(2, HAS);
                writer.text(hub.as_str());
            }
            Self::Gone { key, hub } => {
                begin(3, GONE);
                writer.bin(&key.0);
                writer.text(hub.as_str());
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
        let fields = reader.array(2..=3)?;
        let message = match (reader.number()?, fields) {
            (FIND, 2) => Self::Find { key: read_key(&mut reader)? },
            (HAS, 2) => Self::Has { hub: read_hub(&mut reader)? },
            (GONE, 3) => Self::Gone { key: read_key(&mut reader)?, hub: read_hub(&mut reader)? },
            (kind, _) => return Err(HubMessageError::UnknownKind(kind)),
        };
        reader.finish()?;
        Ok(message)
    }
}

fn read_key(reader: &mut Reader<'_>) -> Result<ForwarderKey, HubMessageError> {
    Ok(ForwarderKey(*reader.bin()?))
}

fn read_hub(reader: &mut Reader<'_>) -> Result<Address, HubMessageError> {
    let text = reader.text(1..=MAX_ADDRESS_BYTES)?;
    let hub = Address::parse(text).map_err(|_| HubMessageError::Hub)?;
    hub.dial_parts().is_some().then_some(hub).ok_or(HubMessageError::Hub)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_back_and_nothing_else() {
        let (key, hub) = (ForwarderKey([7; 16]), Address::from("tcp#hub-a:4000"));
        let all = [
            HubMessage::Find { key },
            HubMessage::Has { hub: hub.clone() },
            HubMessage::Gone { key, hub },
        ];
        for message in all {
            let bytes = message.encode();
            assert_eq!(HubMessage::decode(&bytes), Ok(message));
            for length in 0..bytes.len() {
                HubMessage::decode(&bytes[..length]).unwrap_err();
            }
            HubMessage::decode(&[&bytes[..], &[0]].concat()).unwrap_err();
        }
        let no_hub = HubMessage::Has { hub: "outlet".into() };
        assert_eq!(HubMessage::decode(&no_hub.encode()), Err(HubMessageError::Hub));
        assert_eq!(HubMessage::decode(&[0x92, 9, 0]), Err(HubMessageError::UnknownKind(9)));
    }
}
