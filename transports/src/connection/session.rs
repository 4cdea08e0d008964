//! The session on a connected carrier: greeting, then one future that writes and reads.
//!
//! The session and the workers of its arbiter run on one thread, so a message goes from the socket
//! to such a worker's inbox without leaving the thread, and no other thread contends for the locks
//! that it takes.

use std::{
    future::{poll_fn, Future},
    io::{self, IoSlice},
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
};

use bytes::BytesMut;
use futures::FutureExt;
use ockam_actix_runtime::{
    edge::lane::Lanes, message::codec::Decoder, metrics::link::Traffic, socket::buffers,
    trust::origin::Ingress, Error, Host, Node, Origin, Result,
};
use tokio::time::{timeout, timeout_at, Instant};

use crate::{
    connection::{
        carrier::Carrier,
        datagrams::Datagrams,
        evacuation::Evacuation,
        pulse::{Beat, Pulse},
        queue::WriteQueue,
    },
    frame::{decode_grants, missing, next_frame, Frame, Greeting, Signal, CONTROL, HEADER_BYTES},
    limits::{
        patience, FRAME_TIMEOUT, GREETING_TIMEOUT, MAX_READ_BYTES, MIN_READ_BYTES,
        PROGRESS_TIMEOUT, SHARED_FRAME_BYTES, USUAL_FRAME_BYTES,
    },
};

#[cfg(test)]
mod tests;

/// A connection after both ends have greeted.
pub(crate) struct Session<C> {
    carrier: Rc<C>,
    arrived: BytesMut,
    max_frame: usize,
    decoder: Decoder,
    /// The peer's name, for people.
    peer: String,
}

impl<C: Carrier> Session<C> {
    /// Greets the peer and waits for its greeting.
    ///
    /// # Errors
    /// If the connection fails, the peer is no node or of another version, or says nothing in time.
    pub(crate) async fn greet(carrier: C, peer: String) -> Result<Self> {
        let greeting = timeout(GREETING_TIMEOUT, exchange(&carrier, &peer)).await;
        let (arrived, max_frame) = greeting.unwrap_or_else(|_| {
            let waited_for = format!("the greeting of {peer}");
            Err(Error::TimedOut { waited_for, limit: GREETING_TIMEOUT })
        })?;
        let decoder = Decoder::default();
        Ok(Self { carrier: Rc::new(carrier), arrived, max_frame, decoder, peer })
    }

    /// The queue for messages to the peer; bytes of either direction are counted in `traffic`.
    pub(crate) fn queue(&self, traffic: Arc<Traffic>) -> WriteQueue {
        WriteQueue::new(self.max_frame, traffic)
    }

    /// The name of what carries it.
    pub(crate) fn transport(&self) -> &'static str {
        self.carrier.transport()
    }

    /// How many connections of the network carry it.
    pub(crate) fn parts(&self) -> usize {
        self.carrier.parts()
    }

    /// Reads and writes until the connection ends; says how. When the node stops, it sends what it
    /// may still send, tells the peer, and waits for it to end the connection. A peer that is about
    /// to stop has `start_move` called, which returns whether this end moves to another one.
    pub(crate) async fn run(
        self,
        node: Node,
        ingress: Arc<Ingress>,
        queue: WriteQueue,
        lanes: Lanes,
        start_move: impl Fn() -> bool + 'static,
    ) -> SessionEnd {
        let (carrier, peer) = (self.carrier.clone(), self.peer.clone());
        let lost = |error| Poll::Ready(SessionEnd::Lost(lost(&peer, error)));
        let (host, _link) = (node.clone(), node.link());
        let mut pulse = Pulse::new(patience(&ingress.door, carrier.ask_after()));
        let mut datagrams = Datagrams::new(node.clone(), ingress.clone(), &queue, &lanes);
        let evacuation = Evacuation::new(&node, &ingress.door, start_move);
        let leaving = async {
            evacuation.ask(&queue).await;
            host.leaving().await;
        };
        let mut leaving = pin!(leaving.fuse());
        let mut reading = pin!(self.read(node, ingress, &queue, &lanes, &evacuation));
        poll_fn(|task| {
            match pulse.poll(queue.signs(), task) {
                Poll::Ready(Ok(Some(Beat::Ask))) => {
                    queue.signs().ask();
                    queue.signal(Signal::Ping);
                }
                Poll::Ready(Ok(Some(Beat::Live))) => queue.signal(Signal::Pong),
                Poll::Ready(Err(error)) => return lost(error),
                Poll::Ready(Ok(None)) | Poll::Pending => {}
            }
            if leaving.as_mut().poll(task).is_ready() {
                queue.signal(Signal::GoAway);
            }
            if !queue.is_to_send(Signal::GoAway) {
                if let Poll::Ready(bad) = datagrams.poll(&*carrier, task) {
                    return Poll::Ready(protocol_error(&peer, bad).into());
                }
            }
            for reads in [true, false] {
                if let Poll::Ready(error) = queue.poll_write(&*carrier, &lanes, task) {
                    // A peer that takes no more may have said before that it stops.
                    return match reading.as_mut().poll(task) {
                        Poll::Ready(end) => Poll::Ready(end),
                        Poll::Pending => lost(error),
                    };
                }
                // What arrives may bring credit, and what has moved on is to be granted: it is
                // written in the same turn.
                if reads && !queue.is_to_send(Signal::GoAway) {
                    if let Poll::Ready(end) = reading.as_mut().poll(task) {
                        return Poll::Ready(end);
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    async fn read(
        mut self,
        node: Node,
        ingress: Arc<Ingress>,
        queue: &WriteQueue,
        lanes: &Lanes,
        evacuation: &Evacuation,
    ) -> SessionEnd {
        let mut buffered = Buffered { lanes, bytes: 0 };
        let mut capacity = MIN_READ_BYTES;
        let mut deadline = None;
        let mut more = More::No;
        loop {
            match self.route_arrived(&node, &ingress, queue, lanes, evacuation) {
                Ok(0) => {}
                Ok(_) => deadline = None,
                Err(end) => return end,
            }
            if more == More::Perhaps {
                // Routed messages are handled before more is read, while they are still in the
                // cache.
                yield_to_woken_tasks().await;
            }
            let (unfinished, before) = (missing(&self.arrived), self.arrived.len());
            let waits = !lanes.has_room() && !is_nearly_whole(&self.arrived);
            if waits && self.arrived.is_empty() {
                // Others may have the room of the buffer meanwhile.
                self.arrived = BytesMut::new();
            }
            buffered.set(self.arrived.capacity());
            let reading = async {
                if waits {
                    // What fills the node may wait for credit that comes over connections which
                    // wait here: one of them has to give way in the end.
                    queue.signs().is_full.set(true);
                    let room = timeout(PROGRESS_TIMEOUT, lanes.room()).await;
                    queue.signs().is_full.set(false);
                    room.map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
                }
                let most = if lanes.is_half_empty() { MAX_READ_BYTES } else { MIN_READ_BYTES };
                capacity = capacity.min(most);
                fill(&*self.carrier, &mut self.arrived, &mut capacity).await
            };
            let read = if unfinished > 0 {
                // A frame that has begun must end in time.
                let end = *deadline.get_or_insert_with(|| Instant::now() + FRAME_TIMEOUT);
                let late = |_| Err(io::ErrorKind::TimedOut.into());
                timeout_at(end, reading).await.unwrap_or_else(late)
            } else {
                reading.await
            };
            buffered.set(self.arrived.capacity());
            more = match read {
                Ok(more) => {
                    queue.traffic().count_received(self.arrived.len() - before);
                    queue.signs().hear();
                    more
                }
                Err(error) => return lost(&self.peer, error).into(),
            };
        }
    }

    /// Handles the whole frames that have arrived and returns their number.
    fn route_arrived(
        &mut self,
        node: &Node,
        ingress: &Arc<Ingress>,
        queue: &WriteQueue,
        lanes: &Lanes,
        evacuation: &Evacuation,
    ) -> Result<usize, SessionEnd> {
        let mut handled = 0;
        loop {
            let next = next_frame(&mut self.arrived, self.max_frame);
            let Some(Frame { lane, body }) = next.map_err(|error| self.broke_off(error))? else {
                return Ok(handled);
            };
            handled += 1;
            if let (CONTROL, Some(signal)) = (lane, Signal::decode(&body)) {
                match signal {
                    Signal::Ping => queue.signal(Signal::Pong),
                    Signal::Pong => {
                        queue.traffic().note_round_trip(queue.signs().answered());
                        evacuation.stays();
                    }
                    Signal::Drain => queue.signal(evacuation.answer()),
                    Signal::Move => evacuation.moves(),
                    Signal::GoAway => return Err(SessionEnd::GoneAway),
                }
                continue;
            }
            if lane == CONTROL {
                let grants = decode_grants(&body).map_err(|error| self.broke_off(error))?;
                for grant in grants {
                    queue.grant(grant).map_err(|error| self.broke_off(error))?;
                }
                continue;
            }
            let permit = lanes.arrive(lane, body.len()).map_err(|error| self.broke_off(error))?;
            let origin = Origin::Remote(ingress.clone());
            let decoded = self.decoder.decode(copy_if_small(body).into(), origin);
            let mut message = decoded.map_err(|error| {
                self.broke_off(format_args!("it sent a message that breaks the protocol: {error}"))
            })?;
            message.return_route.push_front(ingress.via.clone());
            node.route(message.with_permit(permit.into()));
        }
    }

    /// The error of a peer that did not keep to the protocol.
    fn broke_off(&self, error: impl std::fmt::Display) -> Error {
        protocol_error(&self.peer, error)
    }
}

/// How a session has ended.
#[derive(Debug)]
pub(crate) enum SessionEnd {
    /// The peer stops, and has said so.
    GoneAway,
    /// The connection was lost, or the peer did not keep to the protocol.
    Lost(Error),
}

impl From<Error> for SessionEnd {
    fn from(error: Error) -> Self {
        Self::Lost(error)
    }
}

/// Counts the buffer that frames arrive in, beyond the least that every connection has.
struct Buffered<'a> {
    lanes: &'a Lanes,
    bytes: usize,
}

impl Buffered<'_> {
    fn set(&mut self, capacity: usize) {
        let bytes = capacity.saturating_sub(MIN_READ_BYTES);
        if bytes > self.bytes {
            self.lanes.hold(bytes - self.bytes);
        } else if bytes < self.bytes {
            self.lanes.release(self.bytes - bytes);
        }
        self.bytes = bytes;
    }
}

impl Drop for Buffered<'_> {
    fn drop(&mut self) {
        self.lanes.release(self.bytes);
    }
}

/// Whether a frame has begun that nodes send as a rule, the records of a channel: that is read to
/// its end also when there is no room, as nobody's unfinished frames may keep all others from
/// ending theirs.
fn is_nearly_whole(arrived: &BytesMut) -> bool {
    let missing = missing(arrived);
    missing > 0 && arrived.len() + missing <= HEADER_BYTES + USUAL_FRAME_BYTES
}

/// Lets a slow worker keep a frame without much more memory than its permit counts: a small frame
/// is copied out of the buffer that it was read into.
fn copy_if_small(frame: BytesMut) -> BytesMut {
    match frame.len() < SHARED_FRAME_BYTES {
        true => BytesMut::from(&frame[..]),
        false => frame,
    }
}

/// Lets the tasks run that have been woken. tokio's own yield would look for events first, which is
/// a system call for every message.
async fn yield_to_woken_tasks() {
    let mut taken = false;
    poll_fn(|task| {
        if std::mem::replace(&mut taken, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The error of a carrier: the peer's fault if it did not keep to the carrier's own protocol.
fn lost(peer: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData => protocol_error(peer, error),
        _ => Error::transport(format!("the connection with {peer} was lost"), error),
    }
}

fn protocol_error(peer: &str, error: impl std::fmt::Display) -> Error {
    Error::Peer { who: peer.to_owned(), what: format!("was disconnected: {error}") }
}

/// Sends our greeting and waits for the peer's.
async fn exchange(carrier: &impl Carrier, peer: &str) -> Result<(BytesMut, usize)> {
    let failed = |error| Error::transport(format!("no greeting from {peer}"), error);
    write_all(carrier, &Greeting::ours().encode()).await.map_err(failed)?;
    let (mut arrived, mut capacity) = (BytesMut::new(), MIN_READ_BYTES);
    loop {
        if let Some(greeting) =
            Greeting::decode(&mut arrived).map_err(|e| protocol_error(peer, e))?
        {
            return Ok((arrived, greeting.agreed_frame()));
        }
        fill(carrier, &mut arrived, &mut capacity).await.map_err(failed)?;
    }
}

async fn write_all(carrier: &impl Carrier, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        poll_fn(|task| carrier.poll_write_ready(task)).await?;
        match carrier.try_write_vectored(&[IoSlice::new(bytes)]) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    poll_fn(|task| carrier.poll_flush(task)).await
}

/// Whether a read has left more in the socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum More {
    No,
    Perhaps,
}

/// Reads what the socket has, at least one byte. The buffer grows with what the peer sends.
async fn fill(
    carrier: &impl Carrier,
    arrived: &mut BytesMut,
    capacity: &mut usize,
) -> io::Result<More> {
    loop {
        make_room(arrived, room(arrived, *capacity));
        let room = arrived.capacity() - arrived.len();
        match carrier.try_read(arrived) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                if read >= *capacity / 2 {
                    *capacity = (*capacity * 2).min(MAX_READ_BYTES);
                } else if read < *capacity / 16 {
                    *capacity = (*capacity / 2).max(MIN_READ_BYTES);
                }
                if read == room || carrier.may_have_more() {
                    return Ok(More::Perhaps);
                }
                carrier.clear_read_ready();
                return Ok(More::No);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if arrived.is_empty() {
                    // An idle connection keeps no buffer: it would be most of what one costs.
                    *arrived = BytesMut::new();
                }
                poll_fn(|task| carrier.poll_read_ready(task)).await?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Moves what has arrived to another buffer if parts of this one are still in use.
fn make_room(arrived: &mut BytesMut, room: usize) {
    if !arrived.try_reclaim(room) {
        let mut next = buffers::take(arrived.len() + room);
        next.extend_from_slice(arrived);
        *arrived = next;
    }
}

/// How much more the buffer must have room for: the rest of a frame that has begun, but no more
/// than has arrived of it, so that nobody makes the buffer large only by announcing a large frame.
fn room(arrived: &BytesMut, capacity: usize) -> usize {
    capacity.max(missing(arrived).min(arrived.len()))
}
