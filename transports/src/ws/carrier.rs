//! The carrier: a WebSocket after its handshake.
//!
//! What arrives is read into the connection's own buffer, and the payload is moved together there;
//! a server's messages are written from the connection's own slices. Only what a client sends has
//! to be copied, as it is masked. So a WebSocket keeps no more than one such message of its own.

use std::{
    cell::RefCell,
    io::{self, ErrorKind, IoSlice},
    task::{ready, Context, Poll},
};

use bytes::{Buf, BytesMut};
use ockam_actix_runtime::socket::buffers;

use crate::{
    connection::carrier::Carrier,
    limits::{MASKED_BYTES, MAX_WRITE_SLICES},
    ws::{
        byte_stream::ByteStream,
        frames::{self, Incoming, Keys, Role, Violation, MAX_HEADER_BYTES},
    },
};

/// A connected WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    ends: RefCell<Ends>,
}

#[derive(Debug)]
struct Ends {
    stream: ByteStream,
    role: Role,
    incoming: Incoming,
    /// What has arrived together with the end of the handshake.
    early: BytesMut,
    /// Whether the last read may have left something: it took all that there was room for.
    may_read: bool,
    /// Bytes that were accepted for sending, in frames, and that the stream has not taken.
    waiting: BytesMut,
    /// Bytes of a server's message that its header has announced and that are still to be written.
    /// They are the next that the connection writes.
    announced: usize,
    keys: Keys,
}

/// The code of a close that is no failure.
const NORMAL: u16 = 1000;

impl WebSocket {
    pub(super) fn new(stream: ByteStream, role: Role, early: BytesMut) -> Self {
        let ends = Ends {
            stream,
            role,
            incoming: Incoming::new(role),
            early,
            may_read: true,
            waiting: BytesMut::new(),
            announced: 0,
            keys: Keys::default(),
        };
        Self { ends: RefCell::new(ends) }
    }
}

impl Carrier for WebSocket {
    fn transport(&self) -> &'static str {
        self.ends.borrow().stream.transport()
    }

    fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ends = self.ends.borrow();
        match ends.may_read {
            true => Poll::Ready(Ok(())),
            false => ends.stream.socket().poll_read_ready(task),
        }
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        self.ends.borrow_mut().read(buffer)
    }

    fn may_have_more(&self) -> bool {
        self.ends.borrow().may_read
    }

    fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut ends = self.ends.borrow_mut();
        if !ends.waiting.is_empty() {
            ready!(ends.poll_flush(task))?;
        }
        ends.stream.socket().poll_write_ready(task)
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut ends = self.ends.borrow_mut();
        ends.write_waiting()?;
        match ends.role {
            Role::Client => ends.write_masked(slices),
            Role::Server => ends.write_bare(slices),
        }
    }

    fn poll_flush(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ends.borrow_mut().poll_flush(task)
    }
}

impl Ends {
    // ----- what arrives --------------------------------------------------------------------------

    /// Reads until there is payload; 0 bytes are the end.
    fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        let begin = buffer.len();
        loop {
            if self.incoming.is_closed {
                return Ok(0);
            }
            if self.fill(buffer)? == 0 {
                return Ok(0);
            }
            let kept = match self.incoming.take(&mut buffer[begin..]) {
                Ok(kept) => kept,
                Err(violation) => return Err(self.refuse(violation)),
            };
            buffer.truncate(begin + kept);
            self.answer_ping()?;
            if self.incoming.is_closed {
                self.close(NORMAL);
            }
            if kept > 0 {
                return Ok(kept);
            }
        }
    }

    fn fill(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        let room = buffer.capacity() - buffer.len();
        if self.early.is_empty() {
            self.may_read = false;
            let read = self.stream.try_read(buffer)?;
            self.may_read = read == room;
            return Ok(read);
        }
        let length = self.early.len().min(room);
        buffer.extend_from_slice(&self.early[..length]);
        self.early.advance(length);
        if self.early.is_empty() {
            self.early = BytesMut::new();
        }
        Ok(length)
    }

    /// Answers the last ping between two frames; one that comes before the answer has left is
    /// answered in its place.
    fn answer_ping(&mut self) -> io::Result<()> {
        if self.announced > 0 || !self.waiting.is_empty() {
            return Ok(());
        }
        let Some(payload) = self.incoming.ping.take() else { return Ok(()) };
        let key = self.key();
        frames::put_pong(&mut self.waiting, key, &payload);
        unless_blocked(self.write_waiting())
    }

    /// Tells the peer what it did, as far as it still listens, and returns the error.
    fn refuse(&mut self, violation: Violation) -> io::Error {
        self.close(violation.code());
        io::Error::new(ErrorKind::InvalidData, violation)
    }

    /// Sends the last frame, if that is possible at once.
    fn close(&mut self, code: u16) {
        self.incoming.is_closed = true;
        if self.announced > 0 {
            return;
        }
        let key = self.key();
        frames::put_close(&mut self.waiting, key, code);
        // Otherwise the peer sees the end of the connection.
        let _ = self.write_waiting();
    }

    // ----- what is sent --------------------------------------------------------------------------

    /// The key for the next frame, if this end masks.
    fn key(&mut self) -> Option<[u8; 4]> {
        (self.role == Role::Client).then(|| self.keys.next())
    }

    /// Takes a message, and writes as much of it as the stream takes.
    fn write_masked(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let length = slices.iter().map(|slice| slice.len()).sum::<usize>().min(MASKED_BYTES);
        let mut left = length;
        let parts = slices.iter().map(|slice| {
            let part = &slice[..slice.len().min(left)];
            left -= part.len();
            part
        });
        let key = self.keys.next();
        self.waiting = buffers::take(MAX_HEADER_BYTES + length);
        frames::put_masked(&mut self.waiting, key, length, parts);
        unless_blocked(self.write_waiting())?;
        Ok(length)
    }

    /// Writes as much of a message as the stream takes. The rest of what its header has announced
    /// is written by the next calls.
    fn write_bare(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.announced == 0 {
            self.answer_ping()?;
            let length = slices.iter().map(|slice| slice.len()).sum();
            frames::put_message_header(&mut self.waiting, length);
            self.announced = length;
        }
        let header = self.waiting.len();
        let mut all = [IoSlice::new(&[]); 1 + MAX_WRITE_SLICES];
        let mut count = 0;
        if header > 0 {
            all[0] = IoSlice::new(&self.waiting);
            count = 1;
        }
        let mut left = self.announced;
        for slice in slices {
            let part = &slice[..slice.len().min(left)];
            if part.is_empty() || count == all.len() {
                break;
            }
            left -= part.len();
            all[count] = IoSlice::new(part);
            count += 1;
        }
        let written = self.stream.try_write(&all[..count])?;
        self.advance(written.min(header));
        let payload = written.saturating_sub(header);
        self.announced -= payload;
        if payload == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(payload)
    }

    /// Writes what waits.
    fn write_waiting(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            let written = self.stream.try_write(&[IoSlice::new(&self.waiting)])?;
            if written == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            self.advance(written);
        }
        Ok(())
    }

    fn advance(&mut self, written: usize) {
        self.waiting.advance(written);
        if self.waiting.is_empty() {
            // An idle connection keeps no buffer, and what it had is used again.
            self.waiting = BytesMut::new();
        }
    }

    fn poll_flush(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let flushed = self.write_waiting().and_then(|()| self.answer_ping());
            match flushed.and_then(|()| self.stream.try_flush()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready!(self.stream.socket().poll_write_ready(task))?;
                }
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}

impl Drop for WebSocket {
    /// Says goodbye, so that the peer, and whatever is on the way, need not wait.
    fn drop(&mut self) {
        let ends = self.ends.get_mut();
        if !ends.incoming.is_closed {
            ends.close(NORMAL);
        }
        ends.stream.end();
    }
}

/// A stream that takes nothing more at the moment is no failure of a message that was taken.
fn unless_blocked(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests;
