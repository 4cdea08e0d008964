//! The message that carries one datagram: `[11, version, bin]`, in its shortest form.
//!
//! The number is none of those that [streams](crate::portal::protocol::message) begin with, so that
//! an inlet of one kind that leads to an outlet of the other gets a notice.

use std::ops::Range;

use ockam_actix_runtime::message::messagepack::{DecodeError, Reader};

use crate::datagram::limits::{MAX_DATAGRAM, MAX_HEADER};

/// The first element.
const DATAGRAM: u8 = 11;

/// The version of this form.
const VERSION: u8 = 1;

/// The bytes before a datagram of `length` bytes, which is at most [`MAX_DATAGRAM`].
///
/// ```
/// # use ockam_actix_workers::datagram::message::{decode, Header};
/// let message = [Header::of(2).as_slice(), b"ab"].concat();
/// assert_eq!(message[decode(&message).unwrap()], *b"ab");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Header {
    bytes: [u8; MAX_HEADER],
    length: usize,
}

impl Header {
    /// For a datagram of `length` bytes.
    pub const fn of(length: usize) -> Self {
        // Longer datagrams do not exist.
        let [_, _, .., high, low] = length.to_be_bytes();
        match high {
            0 => Self { bytes: [0x93, DATAGRAM, VERSION, 0xc4, low, 0], length: 5 },
            _ => Self { bytes: [0x93, DATAGRAM, VERSION, 0xc5, high, low], length: 6 },
        }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Why a payload is no datagram; always the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDatagram {
    /// It is not the MessagePack that it has to be.
    #[error("it is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// It is another message.
    #[error("message {0} is no datagram")]
    OtherMessage(u8),
    /// It is in a version that this one does not know.
    #[error("the peer speaks version {0} of datagrams, this is version {VERSION}")]
    UnsupportedVersion(u8),
}

/// Where the datagram is in a payload.
///
/// # Errors
/// If it is none, or in another form than its shortest.
pub fn decode(payload: &[u8]) -> Result<Range<usize>, NoDatagram> {
    let mut reader = Reader::new(payload);
    // A later version may have more elements.
    let count = reader.array(2..=15)?;
    let kind = reader.number()?;
    if kind != DATAGRAM {
        return Err(NoDatagram::OtherMessage(kind));
    }
    let version = reader.number()?;
    if version != VERSION {
        return Err(NoDatagram::UnsupportedVersion(version));
    }
    if count != 3 {
        let length = DecodeError::Length { found: count, least: 3, most: 3 };
        return Err(length.into());
    }
    let datagram = reader.bytes(0..=MAX_DATAGRAM)?.len();
    reader.finish()?;
    Ok(payload.len() - datagram..payload.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(length: usize) -> Vec<u8> {
        [Header::of(length).as_slice(), &vec![7; length]].concat()
    }

    #[test]
    fn every_length_passes_in_its_shortest_form() {
        for (length, header) in [(0, 5), (1, 5), (255, 5), (256, 6), (MAX_DATAGRAM, 6)] {
            let message = encoded(length);
            assert_eq!(decode(&message), Ok(header..header + length), "{length}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let good = encoded(3);
        for end in 0..good.len() {
            assert!(decode(&good[..end]).is_err(), "cut to {end}");
        }
        let longer = [&good[..], b"x"].concat();
        assert_eq!(decode(&longer), Err(NoDatagram::Malformed(DecodeError::Trailing(1))));
        let not_shortest = [0x93, DATAGRAM, VERSION, 0xc5, 0, 1, 7];
        assert_eq!(decode(&not_shortest), Err(NoDatagram::Malformed(DecodeError::NotShortest)));
        assert_eq!(decode(&[0x94, 0, 1, 2, 0xc4, 0]), Err(NoDatagram::OtherMessage(0)));
        assert_eq!(decode(&[0x92, DATAGRAM, 2]), Err(NoDatagram::UnsupportedVersion(2)));
        assert!(decode(&[0x92, DATAGRAM, VERSION]).is_err());
        let [_, _, .., high, low] = (MAX_DATAGRAM + 1).to_be_bytes();
        let mut too_long = vec![0x93, DATAGRAM, VERSION, 0xc5, high, low];
        too_long.resize(6 + MAX_DATAGRAM + 1, 0);
        assert!(decode(&too_long).is_err());
    }
}
