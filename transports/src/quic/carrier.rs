//! The one stream of a QUIC connection as a carrier, with its datagrams beside it.
//!
//! quinn has no readiness apart from moving bytes, so this remembers for each direction whether
//! the last attempt found nothing. Attempts register nobody. Who waits is registered by
//! [`poll_read_ready`](Carrier::poll_read_ready) and
//! [`poll_write_ready`](Carrier::poll_write_ready), which look once more, so that nothing that
//! happened in between is missed.

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    io::{self, ErrorKind, IoSlice},
    pin::{pin, Pin},
    task::{ready, Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use futures::{
    future::LocalBoxFuture,
    stream::{self, LocalBoxStream},
    FutureExt, StreamExt,
};
use ockam_actix_runtime::clock::Instant;
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream, VarInt};
use tokio::{
    io::AsyncReadExt,
    time::{sleep, Sleep},
};

use crate::{
    connection::carrier::Carrier,
    limits::{MAX_READ_BYTES, PROGRESS_TIMEOUT, UNSENT_BYTES},
    quic::{
        limits::{ASK_AFTER, MAX_SEND_BYTES},
        windows::{ReceiveWindow, SharedBytes},
    },
};

/// The stream between two nodes, with its connection, which ends when this is dropped.
#[derive(Debug)]
pub struct QuicCarrier {
    connection: Connection,
    reading: RefCell<Reading>,
    writing: RefCell<Writing>,
    datagrams: RefCell<Datagrams>,
}

#[derive(Debug)]
struct Reading {
    stream: RecvStream,
    /// What came with the news that something has come: at most one packet's worth.
    first: Bytes,
    /// Nothing more had arrived when it was looked at last.
    is_drained: bool,
    window: ReceiveWindow,
}

#[derive(Debug)]
struct Writing {
    stream: SendStream,
    /// Nothing was taken when it was tried last.
    is_blocked: bool,
    /// Runs while nothing is taken.
    patience: Pin<Box<Sleep>>,
    /// Bytes that may be unacknowledged or unsent.
    window: u64,
}

/// The datagrams of a connection: those that come, and the last that was sent, if there was no room
/// for it.
struct Datagrams {
    incoming: LocalBoxStream<'static, Bytes>,
    waiting: Option<LocalBoxFuture<'static, ()>>,
}

impl Datagrams {
    fn of(connection: Connection) -> Self {
        let incoming = stream::unfold(connection, |connection| async move {
            let datagram = connection.read_datagram().await.ok()?;
            Some((datagram, connection))
        });
        Self { incoming: incoming.fuse().boxed_local(), waiting: None }
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Datagrams(one waits: {})", self.waiting.is_some())
    }
}

impl QuicCarrier {
    /// A carrier on `streams`, the only ones of `connection`.
    pub(super) fn new(
        connection: Connection,
        (send, receive): (SendStream, RecvStream),
        shared: SharedBytes,
    ) -> Self {
        let reading = Reading {
            stream: receive,
            first: Bytes::new(),
            is_drained: false,
            window: ReceiveWindow::new(shared),
        };
        let writing = Writing {
            stream: send,
            is_blocked: false,
            patience: Box::pin(sleep(PROGRESS_TIMEOUT)),
            window: u64::from(UNSENT_BYTES),
        };
        let datagrams = Datagrams::of(connection.clone());
        Self {
            connection,
            reading: RefCell::new(reading),
            writing: RefCell::new(writing),
            datagrams: RefCell::new(datagrams),
        }
    }

    /// Lets the peer send more if that is what it waits for.
    fn count_read(&self, window: &mut ReceiveWindow, read: usize) {
        let larger = window.count(read, Instant::now(), || self.connection.rtt());
        if let Some(bytes) = larger.and_then(|bytes| VarInt::from_u64(bytes).ok()) {
            self.connection.set_receive_window(bytes);
        }
    }

    /// Has quinn keep what the path takes in one round trip, and a little more, so that the order
    /// of the rest is still open. Returns whether that is more than before.
    fn follow_path(&self, window: &mut u64) -> bool {
        let path = self.connection.stats().path.cwnd;
        let wanted = (path + u64::from(UNSENT_BYTES)).min(MAX_SEND_BYTES);
        let before = std::mem::replace(window, wanted);
        if before != wanted {
            self.connection.set_send_window(wanted);
        }
        before < wanted
    }
}

impl Carrier for QuicCarrier {
    fn transport(&self) -> &'static str {
        crate::QUIC.name()
    }

    fn ask_after(&self) -> Duration {
        ASK_AFTER
    }

    fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let reading = &mut *self.reading.borrow_mut();
        if !reading.is_drained || !reading.first.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let found = {
            let next = pin!(reading.stream.read_chunk(MAX_READ_BYTES, true));
            next.poll(task)
        };
        let chunk = match found {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(chunk) => chunk,
        };
        reading.is_drained = false;
        match chunk {
            Ok(Some(chunk)) => reading.first = chunk.bytes,
            // The next attempt finds the end again.
            Ok(None) => {}
            Err(error) if is_end(&error) => {}
            Err(error) => return Poll::Ready(Err(error.into())),
        }
        Poll::Ready(Ok(()))
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        let reading = &mut *self.reading.borrow_mut();
        let room = buffer.capacity() - buffer.len();
        let first = reading.first.len().min(room);
        buffer.extend_from_slice(&reading.first[..first]);
        reading.first.advance(first);
        let mut read = first;
        if read < room && !reading.is_drained {
            let found = {
                let more = pin!(reading.stream.read_buf(buffer));
                more.poll(&mut Context::from_waker(std::task::Waker::noop()))
            };
            match found {
                Poll::Ready(Ok(more)) => read += more,
                Poll::Pending => reading.is_drained = true,
                // What came before is handled before the end, or the error, is found again.
                Poll::Ready(Err(_)) if read > 0 => {}
                Poll::Ready(Err(error)) if is_end_of_connection(&error) => return Ok(0),
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        if read == 0 && reading.is_drained {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.count_read(&mut reading.window, read);
        Ok(read)
    }

    fn clear_read_ready(&self) {
        let reading = &mut *self.reading.borrow_mut();
        reading.is_drained = reading.first.is_empty();
    }

    fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let writing = &mut *self.writing.borrow_mut();
        if !writing.is_blocked {
            return Poll::Ready(Ok(()));
        }
        self.follow_path(&mut writing.window);
        // Nothing is taken of an empty slice, but whether something would be is told.
        match Pin::new(&mut writing.stream).poll_write(task, &[]) {
            Poll::Ready(taken) => {
                writing.is_blocked = false;
                Poll::Ready(taken.map(drop).map_err(io::Error::from))
            }
            Poll::Pending => writing.patience.as_mut().poll(task).map(|()| {
                let why = format!("the peer has taken nothing for {PROGRESS_TIMEOUT:.0?}");
                Err(io::Error::new(ErrorKind::TimedOut, why))
            }),
        }
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let writing = &mut *self.writing.borrow_mut();
        let mut written = 0;
        let mut task = Context::from_waker(std::task::Waker::noop());
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            match Pin::new(&mut writing.stream).poll_write(&mut task, slice) {
                Poll::Ready(Ok(taken)) => {
                    written += taken;
                    if taken < slice.len() {
                        break;
                    }
                }
                Poll::Pending => {
                    if written == 0 && !writing.is_blocked {
                        writing.is_blocked = true;
                        writing.patience.as_mut().reset(Instant::now() + PROGRESS_TIMEOUT);
                    }
                    break;
                }
                Poll::Ready(Err(_)) if written > 0 => break,
                Poll::Ready(Err(error)) => return Err(error.into()),
            }
        }
        match written {
            0 if writing.is_blocked => Err(ErrorKind::WouldBlock.into()),
            written => Ok(written),
        }
    }

    fn try_send_datagram(&self, slices: &[IoSlice<'_>]) -> bool {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.connection.max_datagram_size().is_none_or(|most| length > most) {
            return false;
        }
        let mut bytes = BytesMut::with_capacity(length);
        slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
        let bytes = bytes.freeze();
        if self.connection.datagram_send_buffer_space() >= length {
            return self.connection.send_datagram(bytes).is_ok();
        }
        let connection = self.connection.clone();
        let sending = async move {
            // If the path has become too narrow meanwhile, or was lost, so is this.
            let _ = connection.send_datagram_wait(bytes).await;
        };
        self.datagrams.borrow_mut().waiting = Some(sending.boxed_local());
        true
    }

    fn poll_datagram_room(&self, task: &mut Context<'_>) -> Poll<()> {
        let waiting = &mut self.datagrams.borrow_mut().waiting;
        if let Some(sending) = waiting {
            ready!(sending.poll_unpin(task));
            *waiting = None;
        }
        Poll::Ready(())
    }

    fn poll_datagram(&self, task: &mut Context<'_>) -> Poll<Bytes> {
        match self.datagrams.borrow_mut().incoming.poll_next_unpin(task) {
            Poll::Ready(Some(datagram)) => Poll::Ready(datagram),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// Whether the peer has closed the connection on purpose, as one does that has nothing to say.
fn is_end(error: &ReadError) -> bool {
    matches!(error, ReadError::ConnectionLost(ConnectionError::ApplicationClosed(close))
        if close.error_code == VarInt::from_u32(0))
}

fn is_end_of_connection(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.is_some_and(is_end)
}

#[cfg(test)]
mod tests;
