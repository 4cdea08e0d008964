//! The encoding of handshake messages, before there are keys.
//!
//! ```text
//! [1, version, bin noise message 1, bin cookie]   to the listener; the cookie is empty at first
//! [2, bin noise message 2]                        to the initiator's decryptor
//! [3, bin noise message 3]                        to the responder's decryptor
//! [4, bin cookie]                                 to the initiator's decryptor: send message 1 again with this
//! [5, version, bin noise message 1, bin cookie, bin tag]   as 1, with the secret of a forwarding address
//! ```
//!
//! MessagePack in its shortest form; the whole input must be consumed. Records follow the
//! handshake.

use thiserror::Error;

use crate::{
    identity::address_secret::TAG_LENGTH,
    secure_channel::{
        cookie::COOKIE_LENGTH,
        handshake::{MAX_MESSAGE, MESSAGE1_LENGTH, MESSAGE1_LENGTH_WITH_SECRET},
    },
};
use ockam_actix_runtime::message::messagepack::{DecodeError, Reader, Writer};

/// The version of the handshake that this library speaks.
pub const VERSION: u8 = 1;

/// One message of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Begins a handshake.
    One {
        /// Noise message 1.
        noise: &'a [u8],
        /// Empty, or the cookie that the listener asked for.
        cookie: &'a [u8],
    },
    /// Begins a handshake with the secret of the forwarding address that it is sent to.
    OneWithSecret {
        /// Noise message 1.
        noise: &'a [u8],
        /// As in [`Packet::One`].
        cookie: &'a [u8],
        /// Shows that the sender has the secret.
        tag: &'a [u8; TAG_LENGTH],
    },
    /// The responder's answer.
    Two(&'a [u8]),
    /// The initiator's proof.
    Three(&'a [u8]),
    /// The listener is under load: message 1 is to be sent again with this cookie.
    Cookie(&'a [u8; COOKIE_LENGTH]),
}

/// Why bytes are not a handshake message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// Peer: another encoding.
    #[error("a message of the handshake is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// Peer: an unknown kind.
    #[error("a message of the handshake has the unknown kind {0}")]
    UnknownKind(u8),
    /// Peer: another version.
    #[error("the peer speaks version {0} of the handshake, this node version {VERSION}")]
    Version(u8),
}

impl<'a> Packet<'a> {
    /// Reads a message that fills `bytes`.
    ///
    /// # Errors
    /// [`PacketError`] for any deviation from the encoding.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let mut reader = Reader::new(bytes);
        let fields = reader.array(2..=5)?;
        let packet = match (reader.number()?, fields) {
            (1, 4) => {
                let (noise, cookie) = Self::decode_begin(&mut reader, MESSAGE1_LENGTH)?;
                Self::One { noise, cookie }
            }
            (2, 2) => Self::Two(reader.bytes(1..=MAX_MESSAGE)?),
            (3, 2) => Self::Three(reader.bytes(1..=MAX_MESSAGE)?),
            (4, 2) => Self::Cookie(reader.bin()?),
            (5, 5) => {
                let (noise, cookie) = Self::decode_begin(&mut reader, MESSAGE1_LENGTH_WITH_SECRET)?;
                Self::OneWithSecret { noise, cookie, tag: reader.bin()? }
            }
            (kind, _) => return Err(PacketError::UnknownKind(kind)),
        };
        reader.finish()?;
        Ok(packet)
    }

    /// Whether `bytes` begin like a message for the initiator before there are keys. No record
    /// does: its counter would be above 2^63.
    pub(super) fn is_answer(bytes: &[u8]) -> bool {
        matches!(bytes, [0x92, 2 | 4, ..])
    }

    fn decode_begin(
        reader: &mut Reader<'a>,
        length: usize,
    ) -> Result<(&'a [u8], &'a [u8]), PacketError> {
        match reader.number()? {
            VERSION => {}
            other => return Err(PacketError::Version(other)),
        }
        Ok((reader.bytes(length..=length)?, reader.bytes(0..=COOKIE_LENGTH)?))
    }

    /// The message as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer =
            Writer::with_capacity(MESSAGE1_LENGTH_WITH_SECRET + COOKIE_LENGTH + TAG_LENGTH + 10);
        match *self {
            Self::One { noise, cookie } => {
                writer.array(4);
                writer.number(1);
                writer.number(VERSION);
                writer.bin(noise);
                writer.bin(cookie);
            }
            Self::OneWithSecret { noise, cookie, tag } => {
                writer.array(5);
                writer.number(5);
                writer.number(VERSION);
                writer.bin(noise);
                writer.bin(cookie);
                writer.bin(tag);
            }
            Self::Two(noise) => write(&mut writer, 2, noise),
            Self::Three(noise) => write(&mut writer, 3, noise),
            Self::Cookie(cookie) => write(&mut writer, 4, cookie),
        }
        writer.finish()
    }
}

fn write(writer: &mut Writer, kind: u8, bytes: &[u8]) {
    writer.array(2);
    writer.number(kind);
    writer.bin(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOISE: [u8; 32] = [5; 32];
    const COOKIE: [u8; 32] = [6; 32];

    fn all() -> [Packet<'static>; 7] {
        [
            Packet::One { noise: &NOISE, cookie: &[] },
            Packet::One { noise: &NOISE, cookie: &COOKIE },
            Packet::Two(&[1; 300]),
            Packet::Three(&[1; 200]),
            Packet::Cookie(&COOKIE),
            Packet::OneWithSecret { noise: &[5; 48], cookie: &[], tag: &[7; 16] },
            Packet::OneWithSecret { noise: &[5; 48], cookie: &COOKIE, tag: &[7; 16] },
        ]
    }

    #[test]
    fn every_message_survives_and_has_the_published_bytes() {
        for packet in all() {
            assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
        }
        let one = all()[0].encode();
        assert_eq!(one, [&[0x94, 1, 1, 0xc4, 32][..], &NOISE, &[0xc4, 0]].concat());
        let cookie = all()[4].encode();
        assert_eq!(cookie, [&[0x92, 4, 0xc4, 32][..], &COOKIE].concat());
    }

    #[test]
    fn truncations_additions_and_other_versions_are_refused() {
        for packet in all() {
            let whole = packet.encode();
            for end in 0..whole.len() {
                assert!(Packet::decode(&whole[..end]).is_err(), "{packet:?} cut at {end}");
            }
            assert!(Packet::decode(&[&whole[..], &[0]].concat()).is_err());
        }
        let mut newer = all()[0].encode();
        newer[2] = 2;
        assert_eq!(Packet::decode(&newer), Err(PacketError::Version(2)));
        assert_eq!(Packet::decode(&[0x92, 9, 0xc4, 0]), Err(PacketError::UnknownKind(9)));
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(
            which in 0_usize..7,
            changes in prop::collection::vec((0_usize..400, any::<u8>()), 0..4),
        ) {
            let mut bytes = all()[which].encode();
            for (at, value) in changes {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            if let Ok(packet) = Packet::decode(&bytes) {
                prop_assert_eq!(packet.encode(), bytes);
            }
        }
    }
}
