//! The write queue of one connection, and how it is written.
//!
//! Messages are turned into frames when they enter the queue and written many at a time: whatever
//! has gathered by the time that the socket takes more goes into one vectored write.
//!
//! No task is woken when a message enters the queue: only the connection's own actor adds to it, in
//! its handlers and before it spawns the future that writes, and actix polls the spawned futures
//! after the handlers, in the same turn of the actor's task.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, IoSlice},
    rc::Rc,
    task::{ready, Context, Poll},
};

use ockam_actix_runtime::{
    message::{
        codec::{routes_fit, Encoder},
        undelivered::Undelivered,
    },
    Message, MessageParts, Notice, Payload, Permit, UndeliverableReason,
};

use crate::{connection::carrier::Carrier, frame::LENGTH_BYTES, limits::MAX_WRITE_SLICES};

/// Frames that wait to be written. Clones share the queue; it belongs to one arbiter.
#[derive(Clone, Default)]
pub(crate) struct WriteQueue {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    frames: RefCell<VecDeque<Frame>>,
    encoder: RefCell<Encoder>,
    limit: Cell<usize>,
}

/// A frame as at most two slices: the length and the header if the payload had no room for them,
/// and the payload with its permit.
struct Frame {
    prefix: Vec<u8>,
    payload: Payload,
    written: usize,
    _permit: Option<Permit>,
}

impl WriteQueue {
    /// An empty queue for frames of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let queue = Self::default();
        queue.shared.limit.set(limit);
        queue
    }

    /// Adds a message.
    ///
    /// # Errors
    /// Gives it back if it, or one of its routes, is larger than the peer takes.
    pub(crate) fn push(&self, message: Message) -> Result<(), Box<Undelivered>> {
        let header = self.shared.encoder.borrow_mut().encode_header(&message);
        let length = header.len() + message.payload.len();
        if length > self.shared.limit.get() || !routes_fit(&message) {
            let hop = message.onward_route.first().cloned().unwrap_or_else(|| "?".into());
            let notice = Notice::new(hop, UndeliverableReason::TooLarge);
            return Err(Box::new(Undelivered { message, notice }));
        }
        let MessageParts { payload, permit, .. } = message.into_parts();
        let frame = Frame::new(&header, length, payload, permit);
        self.shared.frames.borrow_mut().push_back(frame);
        Ok(())
    }

    /// Writes frames for as long as the carrier takes them; ready when the carrier fails.
    pub(crate) fn poll_write(
        &self,
        carrier: &impl Carrier,
        task: &mut Context<'_>,
    ) -> Poll<io::Error> {
        while !self.shared.frames.borrow().is_empty() {
            if let Err(error) = ready!(carrier.poll_write_ready(task)) {
                return Poll::Ready(error);
            }
            match self.write_once(carrier) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(error),
            }
        }
        Poll::Pending
    }

    fn write_once(&self, carrier: &impl Carrier) -> io::Result<()> {
        let mut frames = self.shared.frames.borrow_mut();
        let mut slices = [IoSlice::new(&[]); MAX_WRITE_SLICES];
        let mut count = 0;
        for frame in frames.iter() {
            for slice in frame.unwritten() {
                if count < slices.len() && !slice.is_empty() {
                    slices[count] = IoSlice::new(slice);
                    count += 1;
                }
            }
            if count == slices.len() {
                break;
            }
        }
        let mut written = carrier.try_write_vectored(&slices[..count])?;
        while let Some(frame) = frames.front_mut() {
            written = frame.advance(written);
            if !frame.is_written() {
                break;
            }
            frames.pop_front();
        }
        Ok(())
    }
}

impl Frame {
    fn new(header: &[u8], length: usize, mut payload: Payload, permit: Option<Permit>) -> Self {
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        let mut prefix = Vec::new();
        if payload.headroom() >= header.len() + LENGTH_BYTES {
            payload.prepend(header);
            payload.prepend(&length);
        } else {
            prefix = [&length, header].concat();
        }
        Self { prefix, payload, written: 0, _permit: permit }
    }

    fn unwritten(&self) -> [&[u8]; 2] {
        let in_prefix = self.written.min(self.prefix.len());
        let in_payload = self.written - in_prefix;
        [&self.prefix[in_prefix..], &self.payload[in_payload.min(self.payload.len())..]]
    }

    /// Counts up to `written` bytes as written and returns how many were not of this frame.
    fn advance(&mut self, written: usize) -> usize {
        let open = self.prefix.len() + self.payload.len() - self.written;
        let own = written.min(open);
        self.written += own;
        written - own
    }

    fn is_written(&self) -> bool {
        self.written == self.prefix.len() + self.payload.len()
    }
}
