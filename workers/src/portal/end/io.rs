//! The socket side of a stream worker: one future inside the actor's task.
//!
//! actix polls it whenever the actor's task wakes: when the socket is ready, when a message has
//! come, when the first edge has room again, and when the link of the first hop is lost. So there
//! is one task and one wake-up for each turn, and nothing is shared between tasks.
//!
//! Ring of imports: with the [worker](super::worker), whose state this future acts on.

use std::{
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context as Task, Poll},
};

use actix::{fut::ActorFuture, ActorContext, Context};
use ockam_actix_runtime::{socket::stream::Socket, Payload, Permit};
use tokio::{
    task::{unconstrained, yield_now, JoinHandle},
    time::{sleep, Sleep},
};

use crate::portal::{
    end::{
        opened_delay::{opened_delay, OpenedDelay},
        worker::StreamWorker,
    },
    limits::{
        CHUNKS_IN_A_ROW, LAST_READ_BYTES, MAX_READ_BYTES, MIN_READ_BYTES, SMALL_PAYLOAD_BYTES,
        YIELDS_BEFORE_FIN,
    },
};

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// The progress of a stream worker's socket.
pub(crate) struct Io {
    read_size: usize,
    permit: Option<Permit>,
    waiting_permit: Option<Boxed<Option<Permit>>>,
    waiting_urgent: Option<Boxed<Option<Permit>>>,
    link_lost: Option<Boxed<()>>,
    silence: Silence,
    opened_delay: Option<OpenedDelay>,
    socket_error: Option<Boxed<io::Result<()>>>,
    eof: bool,
    /// Runs from `eof` until the other end is told of it.
    yielding_before_fin: Option<JoinHandle<()>>,
    /// Whether the socket may have bytes that no event has announced yet.
    speculative: bool,
    /// Whether the last read found less than it had room for, so that most likely nothing is left.
    was_short: bool,
}

impl Default for Io {
    fn default() -> Self {
        Self {
            read_size: MIN_READ_BYTES,
            permit: None,
            waiting_permit: None,
            waiting_urgent: None,
            link_lost: None,
            silence: Silence::Begins,
            opened_delay: None,
            socket_error: None,
            eof: false,
            yielding_before_fin: None,
            speculative: true,
            was_short: false,
        }
    }
}

impl ActorFuture<StreamWorker> for Io {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        worker: &mut StreamWorker,
        context: &mut Context<StreamWorker>,
        task: &mut Task<'_>,
    ) -> Poll<()> {
        let io = self.get_mut();
        io.poll_link(worker, task);
        io.poll_silence(worker, task);
        match worker.socket.clone() {
            Some(socket) => io.poll_socket(&socket, worker, task),
            None => worker.write_buffer.settle(),
        }
        worker.perform_actions();
        if worker.socket.is_none() {
            io.release();
        }
        io.poll_flush(worker, task);
        if worker.is_over() {
            context.stop();
        }
        Poll::Pending
    }
}

impl Io {
    /// The socket closes when nobody holds it any more, and the room for its next read goes to
    /// others.
    fn release(&mut self) {
        self.socket_error = None;
        self.permit = None;
        self.waiting_permit = None;
    }

    fn poll_socket(&mut self, socket: &Rc<Socket>, worker: &mut StreamWorker, task: &mut Task<'_>) {
        if !worker.was_reset {
            if let Err(error) = write(socket, worker, task) {
                worker.note_reset(&error);
            }
        }
        if worker.expects_answer && (worker.was_reset || self.poll_answer(socket, task)) {
            worker.expects_answer = false;
            worker.perform_actions();
        }
        if self.turn(socket, worker, task).is_err() {
            if self.eof {
                // The end came before the reset; there is no more yielding.
                worker.stream.socket_eof();
            }
            worker.stream.socket_reset();
        }
    }

    /// Whether the target has answered, or had time enough to.
    fn poll_answer(&mut self, socket: &Socket, task: &mut Task<'_>) -> bool {
        let time = self.opened_delay.get_or_insert_with(opened_delay);
        let over = Pin::new(time).poll(task).is_ready();
        if over || !matches!(socket.poll_read_ready(task), Poll::Pending) {
            self.opened_delay = None;
            return true;
        }
        false
    }

    /// Reads up to [`CHUNKS_IN_A_ROW`] chunks, as far as credit and the first edge allow.
    ///
    /// An application that reset its connection may have sent bytes before, which can still be
    /// read: they go ahead of the reset, as far as credit allows.
    fn turn(
        &mut self,
        socket: &Rc<Socket>,
        worker: &mut StreamWorker,
        task: &mut Task<'_>,
    ) -> io::Result<()> {
        self.poll_end(worker, task);
        self.was_short = false;
        let (mut chunks, mut readable) = (0, worker.stream.readable());
        if self.eof || readable == 0 {
            return match worker.was_reset {
                true => Err(io::ErrorKind::ConnectionReset.into()),
                false => self.poll_error(socket, task),
            };
        }
        self.speculative |= worker.was_reset;
        self.socket_error = None;
        while socket.poll_read_ready(task)?.is_ready() || self.speculative {
            if !self.poll_permit(worker, task) {
                return Ok(());
            }
            match self.read(socket, readable)? {
                Read::End | Read::NotReady if worker.was_reset => {
                    self.eof = worker.ended_first;
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Read::NotReady => {}
                Read::End => {
                    self.eof = true;
                    self.yielding_before_fin = Some(actix::spawn(yield_before_fin()));
                    self.poll_end(worker, task);
                    return self.poll_error(socket, task);
                }
                Read::Chunk(payload, permit) => {
                    worker.send_data(payload, permit);
                    (chunks, readable) = (chunks + 1, worker.stream.readable());
                    if chunks == CHUNKS_IN_A_ROW || readable == 0 || worker.was_reset {
                        // The actors that the chunks pass take their turn before more is read.
                        task.waker().wake_by_ref();
                        return Ok(());
                    }
                }
            }
        }
        // Nothing to read for now: the room on the edge goes to others.
        self.permit = None;
        Ok(())
    }

    /// Tells the stream of the application's end once the yielding is over.
    fn poll_end(&mut self, worker: &mut StreamWorker, task: &mut Task<'_>) {
        if self
            .yielding_before_fin
            .as_mut()
            .is_some_and(|yields| Pin::new(yields).poll(task).is_ready())
        {
            self.yielding_before_fin = None;
            worker.stream.socket_eof();
        }
    }

    fn read(&mut self, socket: &Socket, readable: usize) -> io::Result<Read> {
        let Some(mut permit) = self.permit.take() else { return Ok(Read::NotReady) };
        let speculative = std::mem::take(&mut self.speculative);
        let was_short = std::mem::take(&mut self.was_short);
        let most = match (speculative, was_short) {
            (true, _) => MIN_READ_BYTES,
            (false, true) => LAST_READ_BYTES,
            (false, false) => self.read_size,
        };
        let capacity = most.min(readable);
        let read = match (speculative, was_short) {
            (true, _) => read_small::<MIN_READ_BYTES>(capacity, |bytes| socket.read_now(bytes)),
            (false, true) => {
                read_small::<LAST_READ_BYTES>(capacity, |bytes| socket.try_read(bytes))
            }
            (false, false) => read_ready(socket, capacity),
        };
        match read {
            Ok(payload) if payload.is_empty() => Ok(Read::End),
            Ok(payload) => {
                self.was_short = !speculative && payload.len() < capacity;
                if !was_short {
                    self.adapt(payload.len());
                }
                permit.shrink_to(payload.len());
                Ok(Read::Chunk(payload, permit))
            }
            Err(error) if is_transient(&error) => {
                self.permit = Some(permit);
                Ok(Read::NotReady)
            }
            Err(error) => Err(error),
        }
    }

    fn adapt(&mut self, read: usize) {
        if read >= self.read_size {
            self.read_size = (self.read_size * 4).min(MAX_READ_BYTES);
        } else if read < self.read_size / 8 {
            self.read_size = (self.read_size / 2).max(MIN_READ_BYTES);
        }
    }

    /// Takes room on the first edge for the next read; waits for it if there is none.
    fn poll_permit(&mut self, worker: &mut StreamWorker, task: &mut Task<'_>) -> bool {
        if self.permit.is_some() {
            return true;
        }
        let size = if self.was_short { LAST_READ_BYTES } else { self.read_size };
        if self.waiting_permit.is_none() {
            self.permit = worker.first_hop.budget.try_acquire(size);
            if self.permit.is_some() {
                return true;
            }
        }
        let budget = worker.first_hop.budget.clone();
        let acquire = || -> Boxed<_> { Box::pin(async move { budget.acquire(size).await }) };
        let waiting = self.waiting_permit.get_or_insert_with(acquire);
        match waiting.as_mut().poll(task) {
            Poll::Ready(permit) => {
                self.waiting_permit = None;
                self.permit = permit;
                if self.permit.is_none() {
                    worker.lose_first_hop();
                }
                self.permit.is_some()
            }
            Poll::Pending => false,
        }
    }

    /// Sends the messages that found no bytes to go with, if the first edge has room for them. They
    /// do not queue after data: data of the other direction may be waiting for them.
    fn poll_flush(&mut self, worker: &mut StreamWorker, task: &mut Task<'_>) {
        if !worker.has_unsent() {
            // They went with bytes meanwhile: the room that was waited for goes to others.
            self.waiting_urgent = None;
            return;
        }
        if self.waiting_urgent.is_none() {
            if let Some(permit) = worker.first_hop.budget.try_acquire_urgent() {
                return worker.flush(Some(permit));
            }
        }
        let budget = worker.first_hop.budget.clone();
        let acquire = || -> Boxed<_> { Box::pin(async move { budget.acquire_urgent().await }) };
        let waiting = self.waiting_urgent.get_or_insert_with(acquire);
        if let Poll::Ready(permit) = waiting.as_mut().poll(task) {
            self.waiting_urgent = None;
            match permit {
                Some(permit) => worker.flush(Some(permit)),
                None => {
                    worker.lose_first_hop();
                    worker.perform_actions();
                }
            }
        }
    }

    fn poll_link(&mut self, worker: &mut StreamWorker, task: &mut Task<'_>) {
        let lost = self.link_lost.get_or_insert_with(|| {
            let (mut first_hop, epoch) = (worker.first_hop.clone(), worker.epoch);
            Box::pin(async move { first_hop.lost(epoch).await })
        });
        if lost.as_mut().poll(task).is_ready() {
            self.link_lost = Some(Box::pin(std::future::pending()));
            worker.lose_first_hop();
        }
    }

    /// Checks a stream that has lasted. Its timer is polled once, to wake this task, and then only
    /// queried.
    fn poll_silence(&mut self, worker: &mut StreamWorker, task: &mut Task<'_>) {
        if let Silence::Lasts(timer) = &self.silence {
            if !timer.is_elapsed() {
                return;
            }
        }
        let again = match &self.silence {
            Silence::Begins => Some(worker.silence()),
            Silence::Lasts(_) => worker.check_silence(),
            Silence::Unchecked => None,
        };
        self.silence = again.map_or(Silence::Unchecked, |time| {
            let mut timer = Box::pin(sleep(time));
            // Without tokio's budget: a poll that the budget cuts short would be the last.
            if Pin::new(&mut unconstrained(timer.as_mut())).poll(task).is_ready() {
                task.waker().wake_by_ref();
            }
            Silence::Lasts(timer)
        });
    }

    /// While the socket is not read, a reset must still be seen.
    fn poll_error(&mut self, socket: &Rc<Socket>, task: &mut Task<'_>) -> io::Result<()> {
        let watched = socket.clone();
        let watch = self
            .socket_error
            .get_or_insert_with(|| Box::pin(async move { watched.failed().await }));
        if watch.as_mut().poll(task).is_ready() {
            self.socket_error = Some(Box::pin(std::future::pending()));
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

/// Whether the stream is to be checked for silence.
enum Silence {
    /// It has just begun.
    Begins,
    /// It is checked when the timer ends.
    Lasts(Pin<Box<Sleep>>),
    /// It is not checked: its first hop tells if the peer is lost.
    Unchecked,
}

async fn yield_before_fin() {
    for _ in 0..YIELDS_BEFORE_FIN {
        yield_now().await;
    }
}

/// Reads up to `capacity` bytes, at most `N`, without allocating a buffer first:
///
/// * before any event has said that there is something: a client that speaks first has often done
///   so by the time that it is accepted, and its first bytes then go with `Open`;
/// * when most likely nothing is left.
fn read_small<const N: usize>(
    capacity: usize,
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<Payload> {
    let mut bytes = [0; N];
    let read = read(&mut bytes[..capacity.min(N)])?;
    Ok(Payload::from(&bytes[..read]))
}

/// Reads into a buffer with the room that the headers need.
fn read_ready(socket: &Socket, capacity: usize) -> io::Result<Payload> {
    let (mut buffer, start) = StreamWorker::read_buffer(capacity).into_buffer();
    // The room after the data is for the tag: the read must not fill it.
    let read = socket.try_read_buf(&mut bytes::BufMut::limit(&mut buffer, capacity))?;
    let payload = Payload::from_buffer(buffer, start);
    let small = read <= SMALL_PAYLOAD_BYTES && capacity > 2 * SMALL_PAYLOAD_BYTES;
    Ok(if small { Payload::from(&payload[..]) } else { payload })
}

enum Read {
    Chunk(Payload, Permit),
    End,
    NotReady,
}

/// Writes the buffered bytes until the socket takes no more.
fn write(socket: &Socket, worker: &mut StreamWorker, task: &mut Task<'_>) -> io::Result<()> {
    while !worker.write_buffer.is_empty() && socket.poll_write_ready(task)?.is_ready() {
        let (slices, count) = worker.write_buffer.slices();
        match socket.try_write(&slices[..count]) {
            Ok(written) => {
                worker.write_buffer.advance(written);
                worker.socket_wrote(written);
            }
            Err(error) if is_transient(&error) => {}
            Err(error) => return Err(error),
        }
    }
    worker.write_buffer.settle();
    Ok(())
}

pub(crate) fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
