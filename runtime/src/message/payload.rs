//! A message's payload: bytes with room before them.
//!
//! On a message that leaves, every layer writes its header *before* the bytes that it got; on one
//! that arrives, every layer takes a header off. With room in front both happen in place: from the
//! socket of an inlet to the sealed record nothing is copied.

use std::{
    fmt,
    ops::{Deref, DerefMut, Range},
};

use bytes::{Bytes, BytesMut};

use crate::{
    limits::{HEADROOM_BYTES, TAILROOM_BYTES},
    socket::buffers,
};

/// Bytes that one message owns, with room in front where its maker left some.
///
/// ```
/// use ockam_actix_runtime::Payload;
/// let mut payload = Payload::with_headroom(16, 100);
/// payload.extend_from_slice(b"body");
/// payload.prepend(b"header ");
/// assert_eq!(&payload[..], b"header body");
/// ```
#[derive(Default)]
pub struct Payload {
    buffer: BytesMut,
    start: usize,
}

impl Payload {
    /// An empty payload with `headroom` bytes of room before it and `capacity` after it.
    pub fn with_headroom(headroom: usize, capacity: usize) -> Self {
        let mut buffer = buffers::take(headroom.saturating_add(capacity));
        buffer.resize(headroom, 0);
        Self { buffer, start: headroom }
    }

    /// A payload over `buffer`, of which the first `start` bytes are room.
    ///
    /// A `start` past the end of `buffer` gives an empty payload.
    pub fn from_buffer(buffer: BytesMut, start: usize) -> Self {
        let start = start.min(buffer.len());
        Self { buffer, start }
    }

    /// Writes `header` before the payload: in place where the room suffices, else into a new
    /// buffer.
    pub fn prepend(&mut self, header: &[u8]) {
        if let Some(start) = self.start.checked_sub(header.len()) {
            self.buffer[start..self.start].copy_from_slice(header);
            self.start = start;
            return;
        }
        let capacity = header.len() + self.len() + TAILROOM_BYTES;
        let mut moved = Self::with_headroom(HEADROOM_BYTES, capacity);
        moved.extend_from_slice(header);
        moved.extend_from_slice(self);
        *self = moved;
    }

    /// Bytes that [`Payload::prepend`] can write in place.
    pub fn headroom(&self) -> usize {
        self.start
    }

    /// Adds bytes at the end.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Keeps only `range` (counted from the start of the payload); what was before it becomes room.
    ///
    /// A range that is not within the payload is cut to it.
    pub fn narrow(&mut self, range: Range<usize>) {
        let end = range.end.min(self.len());
        self.buffer.truncate(self.start + end);
        self.start += range.start.min(end);
    }

    /// The buffer with its room in front, and where the payload starts in it.
    pub fn into_buffer(self) -> (BytesMut, usize) {
        (self.buffer, self.start)
    }

    /// The bytes, without copying.
    pub fn into_bytes(self) -> Bytes {
        let mut bytes = self.buffer.freeze();
        bytes::Buf::advance(&mut bytes, self.start);
        bytes
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl DerefMut for Payload {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..]
    }
}

impl Clone for Payload {
    /// Copies the bytes and leaves fresh room before them.
    fn clone(&self) -> Self {
        let mut copy = Self::with_headroom(HEADROOM_BYTES, self.len());
        copy.extend_from_slice(self);
        copy
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    /// The length alone: payloads may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

impl From<BytesMut> for Payload {
    fn from(buffer: BytesMut) -> Self {
        Self { buffer, start: 0 }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::from(BytesMut::from(bytes))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

impl From<&[u8]> for Payload {
    /// Copies the bytes, with room before and after them for all that is added before they leave.
    fn from(bytes: &[u8]) -> Self {
        let mut payload = Self::with_headroom(HEADROOM_BYTES, bytes.len() + TAILROOM_BYTES);
        payload.extend_from_slice(bytes);
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepends_in_place_while_there_is_room() {
        let mut payload = Payload::with_headroom(4, 8);
        payload.extend_from_slice(b"body");
        let before = payload.as_ptr();
        payload.prepend(b"abcd");
        assert_eq!(payload.as_ptr(), before.wrapping_sub(4));
        payload.prepend(b"123");
        assert_eq!(&payload[..], b"123abcdbody");
    }

    #[test]
    fn narrowing_turns_the_front_into_room() {
        let mut payload = Payload::from(b"header body tag".to_vec());
        payload.narrow(7..11);
        assert_eq!((&payload[..], payload.headroom()), (&b"body"[..], 7));
        payload.narrow(2..100);
        assert_eq!(&payload[..], b"dy");
        payload.narrow(9..100);
        assert!(payload.is_empty());
    }

    #[test]
    fn debug_does_not_show_the_bytes() {
        assert_eq!(format!("{:?}", Payload::from(b"secret".to_vec())), "Payload(6 bytes)");
    }
}
