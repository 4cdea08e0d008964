//! The write queue of one connection, and how it is written.
//!
//! Messages are turned into frames when they enter the queue, wait in their [lane](SendLanes), and
//! are written many at a time: whatever may be sent by the time that the socket takes more goes
//! into one vectored write.
//!
//! A message that may be lost leaves as a datagram instead, where the carrier takes it as one. It
//! takes its turn like the others, so that a flood of them holds nobody up, but waits for no frame
//! that was staged before, and for no credit.
//!
//! No task is woken when a message enters the queue: only the connection's own actor adds to it, in
//! its handlers and before it spawns the future that writes, and actix polls the spawned futures
//! after the handlers, in the same turn of the actor's task.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, IoSlice},
    rc::Rc,
    sync::Arc,
    task::{ready, Context, Poll},
};

use ockam_actix_runtime::{
    edge::lane::{Grant, Lanes},
    message::{
        codec::{routes_fit, Encoder},
        undelivered::Undelivered,
    },
    metrics::link::Traffic,
    Message, MessageKind, MessageParts, Notice, Payload, Permit, UndeliverableReason,
};

use crate::{
    connection::{
        carrier::Carrier,
        pulse::Signs,
        send_lanes::{BadGrant, LaneKey, SendLanes},
    },
    frame::{encode_grants, header, Signal, HEADER_BYTES},
    limits::{EXPENDABLE_BYTES, MAX_QUEUED_BYTES, MAX_WRITE_SLICES, STAGED_BYTES},
};

#[cfg(test)]
mod tests;

/// Frames that wait to be written. Clones share the queue; it belongs to one arbiter.
#[derive(Clone, Default)]
pub(crate) struct WriteQueue {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    lanes: RefCell<SendLanes<Frame>>,
    /// Frames that are written next, in this order.
    staged: RefCell<VecDeque<Frame>>,
    encoder: RefCell<Encoder>,
    limit: Cell<usize>,
    /// Bytes of all frames.
    queued: Cell<usize>,
    /// Signals that are still to be staged, each at most once, however often the peer asks.
    signals: Cell<[bool; Signal::ALL.len()]>,
    /// Whether the carrier takes nothing at the moment.
    is_blocked: Cell<bool>,
    /// Whether the carrier may keep the last datagram until there is room for it.
    keeps_datagram: Cell<bool>,
    signs: Signs,
    traffic: Arc<Traffic>,
}

/// A frame as at most two slices: its header and that of the message if the payload had no room for
/// them, and the payload with its permit.
struct Frame {
    prefix: Vec<u8>,
    payload: Payload,
    written: usize,
    carries: Carries,
    _permit: Option<Permit>,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carries {
    /// Something of this end's own.
    Own,
    /// A message.
    Message,
    /// A message on a lane that may be lost: it may leave as a datagram.
    Expendable { lane: u16 },
}

impl WriteQueue {
    /// An empty queue for frames with bodies of at most `limit` bytes, which counts what passes in
    /// `traffic`.
    pub(crate) fn new(limit: usize, traffic: Arc<Traffic>) -> Self {
        let shared = Shared { limit: limit.into(), traffic, ..Shared::default() };
        Self { shared: shared.into() }
    }

    /// Adds a message.
    ///
    /// # Errors
    /// Gives it back if it, or one of its routes, is larger than the peer takes, or if far too much
    /// waits for the peer.
    pub(crate) fn push(&self, message: Message) -> Result<(), Box<Undelivered>> {
        let shared = &*self.shared;
        let encoded = shared.encoder.borrow_mut().encode_header(&message);
        let length = encoded.len() + message.payload.len();
        let reason = if length > shared.limit.get() || !routes_fit(&message) {
            Some(UndeliverableReason::TooLarge)
        } else if shared.queued.get() > MAX_QUEUED_BYTES {
            Some(UndeliverableReason::Overloaded)
        } else {
            None
        };
        let lane = match reason {
            Some(_) => None,
            None => {
                let mut lanes = shared.lanes.borrow_mut();
                let key = lane_of(&message, |flow| lanes.is_in_use(flow));
                let is_limited = message.expendable && matches!(key, LaneKey::From { .. });
                let lane = lanes.number(key);
                lane.filter(|lane| !is_limited || lanes.waiting(*lane) <= EXPENDABLE_BYTES)
            }
        };
        let Some(lane) = lane else {
            let hop = message.onward_route.first().cloned().unwrap_or_else(|| "?".into());
            let notice = Notice::new(hop, reason.unwrap_or(UndeliverableReason::Overloaded));
            return Err(Box::new(Undelivered { message, notice }));
        };
        let MessageParts { payload, permit, expendable, .. } = message.into_parts();
        let carries = if expendable { Carries::Expendable { lane } } else { Carries::Message };
        let frame = Frame::new(&header(length, lane), &encoded, payload, permit, carries);
        shared.count(shared.queued.get() + length);
        shared.lanes.borrow_mut().push(lane, length, frame);
        Ok(())
    }

    /// Has a signal sent soon.
    pub(crate) fn signal(&self, signal: Signal) {
        let mut signals = self.shared.signals.get();
        signals[signal as usize] = true;
        self.shared.signals.set(signals);
    }

    /// Whether a signal is still to be sent.
    pub(super) fn is_to_send(&self, signal: Signal) -> bool {
        self.shared.signals.get()[signal as usize]
    }

    /// What is known of the peer.
    pub(super) fn signs(&self) -> &Signs {
        &self.shared.signs
    }

    /// Where the bytes of the connection are counted.
    pub(super) fn traffic(&self) -> &Traffic {
        &self.shared.traffic
    }

    /// Adds credit that the peer granted.
    pub(crate) fn grant(&self, grant: Grant) -> Result<(), BadGrant> {
        self.shared.lanes.borrow_mut().grant(grant)
    }

    /// Announces what `lanes` grant to the peer, and writes frames for as long as the carrier takes
    /// them; ready when the carrier fails.
    pub(crate) fn poll_write(
        &self,
        carrier: &impl Carrier,
        lanes: &Lanes,
        task: &mut Context<'_>,
    ) -> Poll<io::Error> {
        self.announce(&lanes.take_grants(task.waker()));
        self.stage(carrier, task);
        let shared = &*self.shared;
        while !shared.staged.borrow().is_empty() || shared.has_signals() {
            if let Err(error) = ready!(self.poll_room(carrier, task)) {
                return Poll::Ready(error);
            }
            self.stage_signals();
            match self.write_once(carrier) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(error),
            }
            self.stage(carrier, task);
        }
        match carrier.poll_flush(task) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    /// Ready when the carrier takes something. Where it did not for a while, the peer's system has
    /// taken what was before.
    fn poll_room(&self, carrier: &impl Carrier, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ready = carrier.poll_write_ready(task);
        if self.shared.is_blocked.replace(ready.is_pending()) && ready.is_ready() {
            self.shared.signs.hear();
        }
        ready
    }

    fn announce(&self, grants: &[Grant]) {
        if !grants.is_empty() {
            self.stage_first(encode_grants(grants));
        }
    }

    fn stage_signals(&self) {
        let mut signals = self.shared.signals.take();
        // The last that this end says: after all that may be sent.
        let last = Signal::GoAway as usize;
        if signals[last] && !self.shared.staged.borrow().is_empty() {
            self.signal(Signal::GoAway);
            signals[last] = false;
        }
        for (signal, _) in Signal::ALL.into_iter().zip(signals).filter(|(_, due)| *due) {
            self.stage_first(signal.encode());
        }
    }

    /// Puts a frame of this end's own before all frames of which nothing was written.
    fn stage_first(&self, prefix: Vec<u8>) {
        let mut staged = self.shared.staged.borrow_mut();
        let begun = usize::from(staged.front().is_some_and(|frame| frame.written > 0));
        let (payload, carries) = (Payload::default(), Carries::Own);
        let frame = Frame { prefix, payload, written: 0, carries, _permit: None };
        self.shared.count(self.shared.queued.get() + frame.body_length());
        staged.insert(begun, frame);
    }

    /// Decides on the order of what the next write takes. What leaves as a datagram does so at
    /// once.
    fn stage(&self, carrier: &impl Carrier, task: &mut Context<'_>) {
        if !self.has_datagram_room(carrier, task) {
            return;
        }
        let mut staged = self.shared.staged.borrow_mut();
        let mut lanes = self.shared.lanes.borrow_mut();
        if lanes.is_idle() {
            return;
        }
        let mut bytes: usize = staged.iter().map(Frame::unwritten_length).sum();
        while bytes < STAGED_BYTES && staged.len() < MAX_WRITE_SLICES {
            let Some(frame) = lanes.pop() else { return };
            match frame.carries {
                Carries::Expendable { lane } if self.send_datagram(&frame, carrier) => {
                    lanes.left_beside(lane, frame.body_length());
                    if !self.has_datagram_room(carrier, task) {
                        return;
                    }
                    continue;
                }
                _ => {}
            }
            bytes += frame.unwritten_length();
            staged.push_back(frame);
        }
    }

    /// Whether the datagram that was sent last has left. Until it has, nothing else is staged: its
    /// turn lasts so long, and what was staged before goes on.
    fn has_datagram_room(&self, carrier: &impl Carrier, task: &mut Context<'_>) -> bool {
        let keeps = &self.shared.keeps_datagram;
        if keeps.get() {
            keeps.set(carrier.poll_datagram_room(task).is_pending());
        }
        !keeps.get()
    }

    /// Sends a message as a datagram, without the header of a frame, if the carrier takes it.
    fn send_datagram(&self, frame: &Frame, carrier: &impl Carrier) -> bool {
        let (shared, length) = (&self.shared, frame.body_length());
        if !carrier.try_send_datagram(&frame.parts(HEADER_BYTES).map(IoSlice::new)) {
            return false;
        }
        shared.keeps_datagram.set(true);
        shared.traffic.count_sent(length);
        shared.signs.wrote_message();
        shared.count(shared.queued.get() - length);
        true
    }

    fn write_once(&self, carrier: &impl Carrier) -> io::Result<()> {
        let mut frames = self.shared.staged.borrow_mut();
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
        self.shared.traffic.count_sent(written);
        while let Some(frame) = frames.front_mut() {
            written = frame.advance(written);
            if !frame.is_written() {
                break;
            }
            let length = frame.body_length();
            if frame.carries != Carries::Own {
                self.shared.signs.wrote_message();
            }
            self.shared.count(self.shared.queued.get() - length);
            frames.pop_front();
        }
        Ok(())
    }
}

impl Shared {
    /// There are so many bytes in all frames now.
    fn count(&self, queued: usize) {
        self.queued.set(queued);
        self.signs.is_queueing.set(queued > 0);
    }

    fn has_signals(&self) -> bool {
        self.signals.get().contains(&true)
    }
}

/// The lane that a message belongs to. All that one sender sends to one receiver has the same, so
/// that it keeps its order:
///
/// * what is passed on: that of the lane on which it came in;
/// * what may be lost: one apart from all that has to arrive;
/// * a stream: its own, although its route changes from the outlet's address to that of the stream
///   there;
/// * a notice that a stream has ended: that of the stream, as long as something of it is under way;
/// * all else, such as the records of a channel, and notices about them: that of the next address.
fn lane_of(message: &Message, is_in_use: impl Fn(&LaneKey) -> bool) -> LaneKey {
    let permit = message.permit.as_ref();
    let passed_on = permit.filter(|_| !message.origin.is_local()).and_then(Permit::lane);
    if let Some((connection, lane)) = passed_on {
        return LaneKey::From { connection, lane };
    }
    let key = if message.expendable { LaneKey::Expendable } else { LaneKey::To };
    let flow = permit.and_then(Permit::flow).map(|flow| key(flow.clone()));
    let flow = flow.filter(|key| message.kind != MessageKind::Notice || is_in_use(key));
    flow.unwrap_or_else(|| key(message.onward_route.first().cloned().unwrap_or_else(|| "".into())))
}

impl Frame {
    /// A frame of its own `header`, the `encoded` fields of a message and its payload.
    fn new(
        header: &[u8; HEADER_BYTES],
        encoded: &[u8],
        mut payload: Payload,
        permit: Option<Permit>,
        carries: Carries,
    ) -> Self {
        let mut prefix = Vec::new();
        if payload.headroom() >= encoded.len() + HEADER_BYTES {
            payload.prepend(encoded);
            payload.prepend(header);
        } else {
            prefix = [header, encoded].concat();
        }
        Self { prefix, payload, written: 0, carries, _permit: permit }
    }

    fn body_length(&self) -> usize {
        self.prefix.len() + self.payload.len() - HEADER_BYTES
    }

    fn unwritten_length(&self) -> usize {
        self.prefix.len() + self.payload.len() - self.written
    }

    fn unwritten(&self) -> [&[u8]; 2] {
        self.parts(self.written)
    }

    /// Everything from byte number `start` on.
    fn parts(&self, start: usize) -> [&[u8]; 2] {
        let in_prefix = start.min(self.prefix.len());
        let in_payload = start - in_prefix;
        [&self.prefix[in_prefix..], &self.payload[in_payload.min(self.payload.len())..]]
    }

    /// Counts up to `written` bytes as written and returns how many were not of this frame.
    fn advance(&mut self, written: usize) -> usize {
        let own = written.min(self.unwritten_length());
        self.written += own;
        written - own
    }

    fn is_written(&self) -> bool {
        self.unwritten_length() == 0
    }
}
