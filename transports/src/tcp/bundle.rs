//! Several TCP connections that carry one: a bundle.
//!
//! A system keeps what it has sent until it is acknowledged, and gives one TCP connection a few
//! megabytes for that, so that on a long path one connection is slower than the line, however much
//! the nodes would send. The connections of a bundle, its parts, have such a buffer each.
//!
//! Outgoing bytes are cut into chunks, which are numbered and go out over whichever part takes
//! them. The other end reads the chunks in the order of their numbers and leaves those that are
//! early where they are, in the system's buffer of their part: they cost no memory here. Every part
//! has its chunks in rising order and the chunk that is read next is at the head of one of them, so
//! no part waits for another forever.
//!
//! A chunk is its number and its length in bytes, 4 bytes big-endian each, and the bytes. Before
//! the first, the end that dialled says which part of which bundle a connection is: [`preface`].
//! The loss of one part ends the bundle, like the loss of a connection.

pub(crate) mod assembly;
pub(crate) mod preface;
#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind, IoSlice},
    task::{Context, Poll},
};

use bytes::{Buf, BufMut, BytesMut};
use ockam_actix_runtime::socket::stream::Socket;
use smallvec::SmallVec;

use crate::{
    connection::carrier::Carrier,
    limits::{CHUNK_BYTES, MAX_WRITE_SLICES},
};

/// Bytes before each chunk.
const HEADER_BYTES: usize = 8;

/// The parts of one connection, each ready for chunks.
pub struct Bundle {
    parts: Vec<Part>,
    /// The part whose turn it is to send, and how many bytes it has taken since.
    turn: Cell<(usize, usize)>,
    /// The number of the next chunk to send.
    next_sent: Cell<u32>,
    /// The number of the next chunk to read, and where it is.
    next_read: Cell<u32>,
    reading: Cell<Option<Reading>>,
}

/// The chunk that is being read.
#[derive(Clone, Copy)]
struct Reading {
    part: usize,
    left: usize,
}

impl Bundle {
    /// A bundle of parts in the order that both ends know them in.
    pub fn new(parts: Vec<Socket>) -> Self {
        Self {
            parts: parts.into_iter().map(Part::new).collect(),
            turn: Cell::default(),
            next_sent: Cell::default(),
            next_read: Cell::default(),
            reading: Cell::default(),
        }
    }

    /// Reads at most the rest of one chunk; 0 bytes are the end.
    fn read_some(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        let Some(Reading { part, left }) = self.find_next()? else { return Ok(0) };
        let room = buffer.capacity() - buffer.len();
        let read =
            self.parts[part].socket.try_read_buf(&mut (&mut *buffer).limit(left.min(room)))?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.reading.set(match left - read {
            0 => None,
            left => Some(Reading { part, left }),
        });
        Ok(read)
    }

    /// The chunk to read, which is the one that has begun, or is at the head of one of the parts;
    /// `None` if all have ended that could still bring it.
    fn find_next(&self) -> io::Result<Option<Reading>> {
        if let Some(reading) = self.reading.get() {
            return Ok(Some(reading));
        }
        let number = self.next_read.get();
        let mut may_come = false;
        for (at, part) in self.parts.iter().enumerate() {
            let Head::Chunk { number: found, length } = part.read_head()? else {
                may_come |= !part.has_ended();
                continue;
            };
            // They wrap around: those before the next one are the upper half of all numbers.
            let early_by = found.wrapping_sub(number);
            if early_by > u32::MAX / 2 {
                return Err(invalid("a chunk came twice"));
            }
            if early_by == 0 {
                part.head.set(Head::default());
                self.next_read.set(number.wrapping_add(1));
                self.reading.set(Some(Reading { part: at, left: length }));
                return Ok(self.reading.get());
            }
        }
        if may_come {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(None)
    }
}

impl Carrier for Bundle {
    fn parts(&self) -> usize {
        self.parts.len()
    }

    fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(Reading { part, .. }) = self.reading.get() {
            return self.parts[part].socket.poll_read_ready(task);
        }
        let mut awaited = self.parts.iter().filter(|part| part.is_awaited()).peekable();
        if awaited.peek().is_none() {
            return Poll::Ready(Ok(()));
        }
        any_ready(awaited, |part| part.socket.poll_read_ready(task))
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        let mut read = 0;
        while buffer.len() < buffer.capacity() {
            match self.read_some(buffer) {
                Ok(0) => break,
                Ok(some) => read += some,
                Err(error) if error.kind() == ErrorKind::WouldBlock && read > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        any_ready(self.parts.iter(), |part| part.poll_flush(task))
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        for _ in &self.parts {
            let (at, taken) = self.turn.get();
            match self.parts[at].try_write_chunk(self.next_sent.get(), slices) {
                Ok(length) => {
                    self.next_sent.set(self.next_sent.get().wrapping_add(1));
                    self.turn.set(match taken + length < CHUNK_BYTES {
                        true => (at, taken + length),
                        false => ((at + 1) % self.parts.len(), 0),
                    });
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.turn.set(((at + 1) % self.parts.len(), 0));
                }
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::WouldBlock.into())
    }

    fn poll_flush(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pending = false;
        for part in &self.parts {
            // Not all parts need to be ready for more.
            if !part.unsent.borrow().is_empty() {
                match part.poll_flush(task) {
                    Poll::Ready(flushed) => flushed?,
                    Poll::Pending => pending = true,
                }
            }
        }
        match pending {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }
}

/// Ready when one of `parts` is. All are polled, as each may be the first to wake the task.
fn any_ready<'a>(
    parts: impl Iterator<Item = &'a Part>,
    mut poll: impl FnMut(&Part) -> Poll<io::Result<()>>,
) -> Poll<io::Result<()>> {
    let mut any = Poll::Pending;
    for part in parts {
        if let Poll::Ready(ready) = poll(part) {
            ready?;
            any = Poll::Ready(Ok(()));
        }
    }
    any
}

/// One connection of a bundle.
struct Part {
    socket: Socket,
    /// The rest of a chunk of which the socket has not taken all: less than a chunk.
    unsent: RefCell<BytesMut>,
    head: Cell<Head>,
}

/// What is known of a part's next chunk.
#[derive(Clone, Copy)]
enum Head {
    /// So many bytes of the header have arrived.
    Header {
        bytes: [u8; HEADER_BYTES],
        arrived: usize,
    },
    Chunk {
        number: u32,
        length: usize,
    },
    /// The peer sends no more by this part.
    Ended,
}

impl Default for Head {
    fn default() -> Self {
        Self::Header { bytes: [0; HEADER_BYTES], arrived: 0 }
    }
}

impl Part {
    fn new(socket: Socket) -> Self {
        Self { socket, unsent: RefCell::default(), head: Cell::default() }
    }

    fn has_ended(&self) -> bool {
        matches!(self.head.get(), Head::Ended)
    }

    /// Whether the header of a chunk may still arrive.
    fn is_awaited(&self) -> bool {
        matches!(self.head.get(), Head::Header { .. })
    }

    /// Reads the header of the next chunk as far as it has arrived.
    fn read_head(&self) -> io::Result<Head> {
        let Head::Header { mut bytes, mut arrived } = self.head.get() else {
            return Ok(self.head.get());
        };
        while arrived < HEADER_BYTES {
            match self.socket.try_read(&mut bytes[arrived..]) {
                Ok(0) if arrived == 0 => {
                    self.head.set(Head::Ended);
                    return Ok(Head::Ended);
                }
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => arrived += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.head.set(Head::Header { bytes, arrived });
                    return Ok(self.head.get());
                }
                Err(error) => return Err(error),
            }
        }
        let (number, length) = ((&bytes[..4]).get_u32(), (&bytes[4..]).get_u32() as usize);
        if length == 0 || length > CHUNK_BYTES {
            return Err(invalid("a chunk's length is none that is allowed"));
        }
        self.head.set(Head::Chunk { number, length });
        Ok(self.head.get())
    }

    /// Sends what `slices` have, up to a chunk, and keeps what the socket does not take of it;
    /// returns the bytes of the chunk.
    fn try_write_chunk(&self, number: u32, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.try_flush()? {
            return Err(ErrorKind::WouldBlock.into());
        }
        let slices = &slices[..slices.len().min(MAX_WRITE_SLICES)];
        let length = slices.iter().map(|slice| slice.len()).sum::<usize>().min(CHUNK_BYTES);
        let mut header = [0; HEADER_BYTES];
        (&mut header[..4]).put_u32(number);
        // It is far below 2^32.
        #[allow(clippy::cast_possible_truncation)]
        (&mut header[4..]).put_u32(length as u32);
        let mut chunk = SmallVec::<[IoSlice<'_>; 8]>::new();
        chunk.push(IoSlice::new(&header));
        let mut left = length;
        for slice in slices {
            let taken = slice.len().min(left);
            chunk.push(IoSlice::new(&slice[..taken]));
            left -= taken;
        }
        let mut written = self.socket.try_write(&chunk)?;
        let mut unsent = self.unsent.borrow_mut();
        for slice in &chunk {
            let skipped = written.min(slice.len());
            written -= skipped;
            unsent.extend_from_slice(&slice[skipped..]);
        }
        Ok(length)
    }

    /// Sends what is left of a chunk; says whether all has been sent.
    fn try_flush(&self) -> io::Result<bool> {
        let mut unsent = self.unsent.borrow_mut();
        while !unsent.is_empty() {
            match self.socket.try_write(&[IoSlice::new(&unsent)]) {
                Ok(written) => unsent.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if unsent.capacity() > 0 {
            *unsent = BytesMut::new();
        }
        Ok(true)
    }

    /// Ready when all has been sent, and the socket may take more.
    fn poll_flush(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            std::task::ready!(self.socket.poll_write_ready(task))?;
            if self.try_flush()? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
