//! Reads of the application's socket: how many bytes each asks for, and into which memory.

use std::io;

use ockam_actix_runtime::{
    limits::{HEADROOM_BYTES, TAILROOM_BYTES},
    socket::stream::Socket,
    Payload,
};

use crate::portal::limits::{LAST_READ_BYTES, MAX_READ_BYTES, MIN_READ_BYTES, SMALL_PAYLOAD_BYTES};

/// What a read of the socket found.
#[derive(Debug)]
pub(crate) enum AppRead {
    /// Bytes, with room before them for the headers.
    Chunk(Payload),
    /// Nothing, for now.
    Nothing,
    /// The application has ended its direction.
    End,
}

/// The size of the next read.
pub(super) struct Reads {
    /// Bytes of a read of which nothing is known but that the socket has some.
    size: usize,
    expected: Expected,
}

/// What the next read most likely finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Something that no event has announced yet: a client that speaks first has often done so by
    /// the time that it is accepted, and its first bytes then go with `Open`.
    Unannounced,
    /// What an event has announced.
    Announced,
    /// Nothing: the last read found less than it had room for.
    Nothing,
}

impl Default for Reads {
    fn default() -> Self {
        Self { size: MIN_READ_BYTES, expected: Expected::Unannounced }
    }
}

impl Reads {
    /// Begins a turn; after a reset, no event announces what can still be read.
    pub(super) fn begin(&mut self, was_reset: bool) {
        self.expected = match self.expected {
            Expected::Unannounced => Expected::Unannounced,
            _ if was_reset => Expected::Unannounced,
            Expected::Announced | Expected::Nothing => Expected::Announced,
        };
    }

    /// Whether to read without an event.
    pub(super) const fn are_speculative(&self) -> bool {
        matches!(self.expected, Expected::Unannounced)
    }

    /// The most that the next read finds, as far as room must be taken for it first.
    pub(super) const fn next_bytes(&self) -> usize {
        match self.expected {
            Expected::Nothing => LAST_READ_BYTES,
            Expected::Unannounced | Expected::Announced => self.size,
        }
    }

    /// Reads up to `most` bytes.
    pub(super) fn read(&mut self, socket: &Socket, most: usize) -> io::Result<AppRead> {
        let expected = std::mem::replace(&mut self.expected, Expected::Announced);
        let capacity = most.min(match expected {
            Expected::Unannounced => MIN_READ_BYTES,
            Expected::Announced => self.size,
            Expected::Nothing => LAST_READ_BYTES,
        });
        let read = match expected {
            Expected::Unannounced => {
                read_small::<MIN_READ_BYTES>(capacity, |bytes| socket.read_now(bytes))
            }
            Expected::Announced => read_announced(socket, capacity),
            Expected::Nothing => {
                read_small::<LAST_READ_BYTES>(capacity, |bytes| socket.try_read(bytes))
            }
        };
        match read {
            Ok(payload) if payload.is_empty() => Ok(AppRead::End),
            Ok(payload) => {
                if expected != Expected::Unannounced && payload.len() < capacity {
                    self.expected = Expected::Nothing;
                }
                if expected != Expected::Nothing {
                    self.adapt(payload.len());
                }
                Ok(AppRead::Chunk(payload))
            }
            Err(error) if is_transient(&error) => Ok(AppRead::Nothing),
            Err(error) => Err(error),
        }
    }

    fn adapt(&mut self, read: usize) {
        if read >= self.size {
            self.size = (self.size * 4).min(MAX_READ_BYTES);
        } else if read < self.size / 8 {
            self.size = (self.size / 2).max(MIN_READ_BYTES);
        }
    }
}

/// Reads up to `capacity` bytes, at most `N`, without allocating a buffer first.
fn read_small<const N: usize>(
    capacity: usize,
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<Payload> {
    let mut bytes = [0; N];
    let read = read(&mut bytes[..capacity.min(N)])?;
    Ok(Payload::from(&bytes[..read]))
}

/// Reads into a buffer with the room that the headers need.
fn read_announced(socket: &Socket, capacity: usize) -> io::Result<Payload> {
    let empty = Payload::with_headroom(HEADROOM_BYTES, capacity + TAILROOM_BYTES);
    let (mut buffer, start) = empty.into_buffer();
    // The room after the data is for the tag: the read must not fill it.
    let read = socket.try_read_buf(&mut bytes::BufMut::limit(&mut buffer, capacity))?;
    let payload = Payload::from_buffer(buffer, start);
    let small = read <= SMALL_PAYLOAD_BYTES && capacity > 2 * SMALL_PAYLOAD_BYTES;
    Ok(if small { Payload::from(&payload[..]) } else { payload })
}

/// Whether the same call may succeed later.
pub(super) fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
