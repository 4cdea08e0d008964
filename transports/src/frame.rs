//! The bytes on a connection: a greeting each way, then frames.
//!
//! A frame is a 4-byte big-endian length, a 2-byte [lane](ockam_actix_runtime::edge::lane) and a
//! body of that length. On lane 0 the two ends speak for themselves: first the greeting, of at most
//! 64 bytes, the MessagePack array `["ockam-actix", version, largest frame]`; then grants of credit
//! and [signals](Signal). On all other lanes, a body is a message. All are decoded from what has
//! arrived; a length field alone never allocates anything.

use bytes::{Buf, BytesMut};
use ockam_actix_runtime::{
    edge::lane::Grant,
    limits::MAX_FRAME_BYTES,
    message::messagepack::{DecodeError, Reader},
};

use crate::limits::{MAX_GREETING_BYTES, PROTOCOL_VERSION};

/// Bytes of the length and the lane before a frame's body.
pub const HEADER_BYTES: usize = 6;

/// The lane on which the ends of a connection speak for themselves.
pub const CONTROL: u16 = 0;

/// Bytes of one grant: a lane and two amounts.
const GRANT_BYTES: usize = 10;

const MAGIC: &str = "ockam-actix";

/// Something that a peer did and the protocol does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length field is above the limit.
    #[error("it announced a frame of {length} bytes, at most {limit} are allowed")]
    TooLarge {
        /// What it announced, in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A grant is cut, empty, or names no lane; or it is an unknown signal.
    #[error("it sent a malformed grant of credit, or an unknown signal")]
    Grant,
    /// The first bytes are not those of a node.
    #[error("it does not speak the protocol of an ockam-actix node")]
    NotANode,
    /// It speaks another version.
    #[error("it speaks version {0} of the protocol, this node speaks {PROTOCOL_VERSION}")]
    Version(u8),
}

/// What both ends send first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    version: u8,
    max_frame: u32,
}

impl Greeting {
    /// The greeting of this library.
    pub fn ours() -> Self {
        let max_frame = u32::try_from(MAX_FRAME_BYTES).unwrap_or(u32::MAX);
        Self { version: PROTOCOL_VERSION, max_frame }
    }

    /// The greeting as a frame.
    pub fn encode(&self) -> Vec<u8> {
        // A text and two numbers always have a MessagePack form.
        let body = rmp_serde::to_vec(&(MAGIC, self.version, self.max_frame)).unwrap_or_default();
        [&header(body.len(), CONTROL)[..], &body].concat()
    }

    /// Takes the peer's greeting off what has arrived; `None` if more has to arrive.
    ///
    /// # Errors
    /// If the bytes are not a greeting, or of another version.
    pub fn decode(arrived: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        let body = match next_frame(arrived, MAX_GREETING_BYTES) {
            Ok(Some(Frame { lane: CONTROL, body })) => body,
            Ok(None) => return Ok(None),
            Ok(Some(_)) | Err(_) => return Err(FrameError::NotANode),
        };
        match Self::read(&body).map_err(|_| FrameError::NotANode)? {
            Self { version, .. } if version != PROTOCOL_VERSION => {
                Err(FrameError::Version(version))
            }
            greeting => Ok(Some(greeting)),
        }
    }

    /// The greeting that fills `body`, of any version that is encoded like this one.
    fn read(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        reader.array(3..=3)?;
        if reader.text(MAGIC.len()..=MAGIC.len())? != MAGIC {
            return Err(DecodeError::WrongType);
        }
        let (version, max_frame) = (reader.uint()?, reader.uint()?);
        reader.finish()?;
        Ok(Self { version: u8::try_from(version).map_err(|_| DecodeError::WrongType)?, max_frame })
    }

    /// The largest frame in bytes that both ends accept.
    pub fn agreed_frame(&self) -> usize {
        usize::try_from(self.max_frame)
            .map_or(MAX_FRAME_BYTES, |theirs| theirs.min(MAX_FRAME_BYTES))
    }
}

/// What an end of a connection says to the other on the lane [`CONTROL`] in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Are you there?
    Ping,
    /// The answer to [`Signal::Ping`]; without one, it is a sign of life and nothing else.
    Pong,
    /// The node stops: it sends no more messages, and closes the connection soon.
    GoAway,
    /// The node stops soon: who can reach another one in its place moves there. Answered by
    /// [`Signal::Move`] or [`Signal::Pong`].
    Drain,
    /// The peer moves to another node, and closes the connection when it has done so.
    Move,
}

impl Signal {
    /// All of them, each at the place of its byte.
    pub const ALL: [Self; 5] = [Self::Ping, Self::Pong, Self::GoAway, Self::Drain, Self::Move];

    /// The signal as a frame.
    pub fn encode(self) -> Vec<u8> {
        [&header(1, CONTROL)[..], &[self as u8]].concat()
    }

    /// The signal in the body of a frame on the lane [`CONTROL`], if it is one.
    pub fn decode(body: &[u8]) -> Option<Self> {
        match body {
            [byte] => Self::ALL.get(usize::from(*byte)).copied(),
            _ => None,
        }
    }
}

/// A frame as it arrived.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// The lane that the peer chose, or [`CONTROL`].
    pub lane: u16,
    /// What it carries.
    pub body: BytesMut,
}

/// What is in front of a body of `length` bytes.
pub fn header(length: usize, lane: u16) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let [e, f] = lane.to_be_bytes();
    [a, b, c, d, e, f]
}

/// Takes the next whole frame off what has arrived; `None` if more has to arrive.
///
/// # Errors
/// If the announced length is above `limit`.
pub fn next_frame(arrived: &mut BytesMut, limit: usize) -> Result<Option<Frame>, FrameError> {
    let Some(length) = announced(arrived) else { return Ok(None) };
    if length > limit {
        return Err(FrameError::TooLarge { length, limit });
    }
    let Some([.., high, low]) = arrived.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let lane = u16::from_be_bytes([*high, *low]);
    if arrived.len() - HEADER_BYTES < length {
        return Ok(None);
    }
    arrived.advance(HEADER_BYTES);
    Ok(Some(Frame { lane, body: arrived.split_to(length) }))
}

/// Bytes that are still missing of the frame that has begun to arrive; 0 between frames.
pub fn missing(arrived: &BytesMut) -> usize {
    match announced(arrived) {
        Some(length) => HEADER_BYTES.saturating_add(length).saturating_sub(arrived.len()),
        None if arrived.is_empty() => 0,
        None => HEADER_BYTES - arrived.len(),
    }
}

fn announced(arrived: &BytesMut) -> Option<usize> {
    let length = arrived.first_chunk::<4>()?;
    Some(usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX))
}

/// The frame that announces `grants`.
pub fn encode_grants(grants: &[Grant]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_BYTES + GRANT_BYTES * grants.len());
    frame.extend_from_slice(&header(GRANT_BYTES * grants.len(), CONTROL));
    for Grant { lane, moved_on, more } in grants {
        frame.extend_from_slice(&lane.to_be_bytes());
        frame.extend_from_slice(&moved_on.to_be_bytes());
        frame.extend_from_slice(&more.to_be_bytes());
    }
    frame
}

/// The grants in the body of a frame on the lane [`CONTROL`].
///
/// # Errors
/// If the body is not a list of grants, each for a lane that messages may have.
pub fn decode_grants(body: &[u8]) -> Result<impl Iterator<Item = Grant> + use<'_>, FrameError> {
    let (grants, rest) = body.as_chunks::<GRANT_BYTES>();
    let read = |[a, b, c, d, e, f, g, h, i, j]: &[u8; GRANT_BYTES]| Grant {
        lane: u16::from_be_bytes([*a, *b]),
        moved_on: u32::from_be_bytes([*c, *d, *e, *f]),
        more: u32::from_be_bytes([*g, *h, *i, *j]),
    };
    let is_grant = |grant: Grant| grant.lane != CONTROL && (grant.moved_on > 0 || grant.more > 0);
    let well_formed = grants.iter().map(read).all(is_grant);
    if !well_formed || grants.is_empty() || !rest.is_empty() {
        return Err(FrameError::Grant);
    }
    Ok(grants.iter().map(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_is_that_of_the_protocol_document() {
        let expected =
            [&[0, 0, 0, 19, 0, 0, 0x93, 0xab][..], b"ockam-actix", &[1, 0xce, 0, 4, 0, 0]].concat();
        assert_eq!(Greeting::ours().encode(), expected);
    }

    #[test]
    fn a_greeting_arrives_in_pieces() {
        let bytes = Greeting::ours().encode();
        let mut arrived = BytesMut::new();
        for byte in &bytes[..bytes.len() - 1] {
            arrived.extend_from_slice(&[*byte]);
            assert_eq!(Greeting::decode(&mut arrived), Ok(None));
        }
        arrived.extend_from_slice(&bytes[bytes.len() - 1..]);
        assert_eq!(Greeting::decode(&mut arrived), Ok(Some(Greeting::ours())));
        assert!(arrived.is_empty());
    }

    #[test]
    fn other_protocols_and_versions_are_named() {
        let mut http = BytesMut::from(&b"GET / HTTP/1.1\r\n"[..]);
        assert_eq!(Greeting::decode(&mut http), Err(FrameError::NotANode));
        let newer = Greeting { version: 2, ..Greeting::ours() };
        let mut newer = BytesMut::from(&newer.encode()[..]);
        assert_eq!(Greeting::decode(&mut newer), Err(FrameError::Version(2)));
    }

    #[test]
    fn maps_and_longer_greetings_are_refused() {
        let body = Greeting::ours().encode().split_off(HEADER_BYTES);
        let framed =
            |body: &[u8]| BytesMut::from(&[&header(body.len(), CONTROL)[..], body].concat()[..]);
        assert!(Greeting::decode(&mut framed(&body)).is_ok());
        let map = [&[0x83, 0xa5][..], b"magic", &body[1..13], &[0xa7], b"version", &[1], &[0xa9]];
        let map = [&map.concat()[..], b"max_frame", &[1]].concat();
        for wrong in [map, [&body[..], &[0]].concat(), [&[0x94][..], &body[1..], &[0]].concat()] {
            let greeting = Greeting::decode(&mut framed(&wrong));
            assert_eq!(greeting, Err(FrameError::NotANode), "{wrong:x?}");
        }
    }

    #[test]
    fn whole_frames_are_taken_and_large_ones_refused() {
        let mut arrived = BytesMut::from(&[0, 0, 0, 2, 0][..]);
        assert_eq!(next_frame(&mut arrived, 10), Ok(None));
        assert_eq!(missing(&arrived), 3);
        arrived.extend_from_slice(&[5, 7]);
        assert_eq!(next_frame(&mut arrived, 10), Ok(None));
        assert_eq!(missing(&arrived), 1);
        arrived.extend_from_slice(&[8, 9]);
        let body = BytesMut::from(&[7, 8][..]);
        assert_eq!(next_frame(&mut arrived, 10), Ok(Some(Frame { lane: 5, body })));
        assert_eq!(missing(&arrived), 5);
        let mut large = BytesMut::from(&[0xff; 4][..]);
        let error = next_frame(&mut large, 10).unwrap_err();
        assert_eq!(error, FrameError::TooLarge { length: u32::MAX as usize, limit: 10 });
    }

    #[test]
    fn signals_come_back_and_others_are_none() {
        assert_eq!(Signal::Ping.encode(), [0, 0, 0, 1, 0, 0, 0], "as the protocol document says");
        for signal in Signal::ALL {
            let frame = signal.encode();
            let Ok(Some(Frame { lane: CONTROL, body })) = next_frame(&mut frame[..].into(), 1)
            else {
                panic!("it is a frame")
            };
            assert_eq!(Signal::decode(&body), Some(signal));
            assert_eq!(decode_grants(&body).err(), Some(FrameError::Grant));
        }
        for other in [&[][..], &[5], &[0, 0]] {
            assert_eq!(Signal::decode(other), None, "{other:?}");
        }
    }

    #[test]
    fn grants_come_back_and_others_are_refused() {
        let grants = [
            Grant { lane: 1, moved_on: 65_536, more: 0 },
            Grant { lane: u16::MAX, moved_on: 0, more: u32::MAX },
        ];
        let frame = encode_grants(&grants);
        let Ok(Some(Frame { lane: CONTROL, body })) = next_frame(&mut frame[..].into(), 20) else {
            panic!("it is a frame")
        };
        assert_eq!(decode_grants(&body).unwrap().collect::<Vec<_>>(), grants);
        let no_lane = [0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
        for wrong in [&body[..19], &[], &no_lane, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(decode_grants(wrong).err(), Some(FrameError::Grant), "{wrong:x?}");
        }
    }
}
