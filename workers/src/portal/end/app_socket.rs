//! The application's socket: its bytes in, its bytes out, its end and its reset.
//!
//! It knows no actor and no stream. Its owner says how much may be read, takes room for that first,
//! and is told the result of a read. Received bytes that the socket does not take wait here.
//!
//! ```text
//! input    Open -> Ending -> Ended       reset   None -> Some, once a write has failed
//! ```

pub(crate) mod reads;
#[cfg(test)]
mod tests;
mod write_buffer;

use std::{
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use ockam_actix_runtime::socket::stream::Socket;
use tokio::task::{yield_now, JoinHandle};

use crate::portal::{
    end::app_socket::{
        reads::{is_transient, AppRead, Reads},
        write_buffer::WriteBuffer,
    },
    limits::{KEEPALIVE, YIELDS_BEFORE_FIN},
};

/// The socket of one end of a stream: not connected yet, open, or closed.
pub(crate) struct AppSocket {
    socket: Option<Rc<Socket>>,
    /// Received bytes in order, which the socket has not taken.
    unwritten: WriteBuffer,
    reads: Reads,
    input: Input,
    /// Set when a write, or the connecting, found that the application has reset its connection:
    /// what can still be read is all that is left.
    reset: Option<AppReset>,
    /// Runs while the socket is not read.
    failure: Option<Pin<Box<dyn Future<Output = io::Result<()>>>>>,
}

/// How far the application's direction has come.
enum Input {
    Open,
    /// Its end was read, and others take their turns before anybody is told.
    Ending(JoinHandle<()>),
    Ended,
}

/// The application, or its host, has reset the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AppReset {
    /// Whether it had ended its direction before.
    pub(crate) ended_first: bool,
}

impl AppSocket {
    /// A socket that is connected, or will be once [`connected`](Self::connected) is called.
    pub(crate) fn new(socket: Option<Socket>) -> Self {
        Self {
            socket: socket.map(Rc::new),
            unwritten: WriteBuffer::default(),
            reads: Reads::default(),
            input: Input::Open,
            reset: None,
            failure: None,
        }
    }

    /// Gives it the socket that is connected now; `reset` is the error with which the connecting
    /// ended, if something can still be read although the target has reset it.
    pub(crate) fn connected(&mut self, socket: Socket, reset: Option<&io::Error>) {
        self.socket = Some(Rc::new(socket));
        if let Some(error) = reset {
            self.note_reset(error);
        }
    }

    /// Whether it is connected and not closed.
    pub(crate) const fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Closes it: with a reset, unless [`close_cleanly`](Self::close_cleanly) did it before.
    pub(crate) fn close(&mut self) {
        self.failure = None;
        self.socket = None;
    }

    /// Closes it as a socket of which both directions have ended.
    pub(crate) fn close_cleanly(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = socket.set_resets_on_close(false);
        }
        self.close();
    }

    /// Sets keep-alive for a stream that has lasted, so that an application whose host has vanished
    /// does not hold its stream, and the other application's session, for ever. It takes four
    /// system calls, which a short stream is spared; repeating it changes nothing.
    pub(crate) fn keep_alive(&self) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.set_keepalive(KEEPALIVE) {
            log::debug!("an application's socket takes no keep-alive: {error}");
        }
    }

    // ----- to the application --------------------------------------------------------------------

    /// Adds received bytes, which may be a part of a read buffer, to those that wait.
    pub(crate) fn queue(&mut self, bytes: Bytes) {
        self.unwritten.push(bytes);
    }

    /// How many received bytes wait.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        self.unwritten.bytes()
    }

    /// Whether received bytes wait.
    pub(crate) fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// Forgets the received bytes that wait.
    pub(crate) fn drop_unwritten(&mut self) {
        self.unwritten.clear();
    }

    /// Writes what waits until the socket takes no more, and gives the rest memory of its own.
    /// Returns how many bytes it took.
    pub(crate) fn poll_write(&mut self, task: &mut Context<'_>) -> usize {
        let written = match self.socket.clone().filter(|_| self.reset.is_none()) {
            Some(socket) => self.write(|slices| loop {
                match socket.poll_write_ready(task)? {
                    // After a write that found no room, the task is to be woken when there is some.
                    Poll::Ready(()) => match socket.try_write(slices) {
                        Err(error) if is_transient(&error) => {}
                        result => return result,
                    },
                    Poll::Pending => return Ok(0),
                }
            }),
            None => 0,
        };
        self.unwritten.settle();
        written
    }

    /// Writes what the socket takes at once, although no event has said yet that it takes any.
    /// Returns how many bytes it took.
    pub(crate) fn write_now(&mut self) -> usize {
        let Some(socket) = self.socket.clone() else { return 0 };
        self.write(|slices| socket.write_now(slices))
    }

    /// Writes bytes that are not the stream's, of which the first ones find room in any socket.
    pub(crate) fn write_first(&mut self, bytes: &[u8]) {
        let Some(socket) = &self.socket else { return };
        match socket.write_now(&[io::IoSlice::new(bytes)]) {
            Ok(written) if written == bytes.len() => {}
            Ok(_) => self.note_reset(&io::ErrorKind::WriteZero.into()),
            Err(error) => self.note_reset(&error),
        }
    }

    /// Writes until `write` takes nothing more.
    fn write(&mut self, mut write: impl FnMut(&[io::IoSlice<'_>]) -> io::Result<usize>) -> usize {
        let mut all = 0;
        while !self.unwritten.is_empty() {
            let (slices, count) = self.unwritten.slices();
            match write(&slices[..count]) {
                Ok(0) => break,
                Ok(written) => {
                    self.unwritten.advance(written);
                    all += written;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_transient(&error) => break,
                Err(error) => {
                    self.note_reset(&error);
                    break;
                }
            }
        }
        all
    }

    /// Ends the direction to the application.
    pub(crate) fn shut_down(&self) {
        if let Some(socket) = &self.socket {
            // A socket that was reset meanwhile reports it to the next read.
            let _ = socket.shut_down();
        }
    }

    // ----- from the application ------------------------------------------------------------------

    /// Begins a turn of reads.
    pub(crate) fn begin_reads(&mut self) {
        self.reads.begin(self.reset.is_some());
        self.failure = None;
    }

    /// Whether the application has ended its direction.
    pub(crate) const fn has_ended(&self) -> bool {
        !matches!(self.input, Input::Open)
    }

    /// Whether a write has found that the application reset its connection.
    pub(crate) const fn was_reset(&self) -> bool {
        self.reset.is_some()
    }

    /// Whether something can be read, or the socket has ended or failed.
    pub(crate) fn is_readable(&self, task: &mut Context<'_>) -> bool {
        let polled = self.socket.as_ref().map(|socket| socket.poll_read_ready(task));
        polled.is_some_and(|polled| polled.is_ready())
    }

    /// Whether a read is worth its system call.
    pub(crate) fn poll_readable(&mut self, task: &mut Context<'_>) -> Result<bool, AppReset> {
        let Some(socket) = &self.socket else { return Ok(false) };
        match socket.poll_read_ready(task) {
            Poll::Ready(Ok(())) => Ok(true),
            Poll::Ready(Err(_)) => Err(self.reset_now()),
            Poll::Pending => Ok(self.reads.are_speculative()),
        }
    }

    /// How many bytes the next read may find.
    pub(crate) const fn next_read_bytes(&self) -> usize {
        self.reads.next_bytes()
    }

    /// Reads up to `most` bytes.
    ///
    /// An application that reset its connection may have sent bytes before, which can still be
    /// read.
    pub(crate) fn read(&mut self, most: usize) -> Result<AppRead, AppReset> {
        let Some(socket) = &self.socket else { return Ok(AppRead::Nothing) };
        let read = self.reads.read(socket, most);
        match (read, self.reset) {
            (Ok(AppRead::End | AppRead::Nothing), Some(reset)) => Err(reset),
            (Ok(AppRead::End), None) => {
                self.input = Input::Ending(actix::spawn(yield_before_fin()));
                Ok(AppRead::End)
            }
            (Ok(read), _) => Ok(read),
            (Err(_), _) => Err(self.reset_now()),
        }
    }

    /// Whether the yielding after the application's end is over: true once.
    pub(crate) fn poll_end(&mut self, task: &mut Context<'_>) -> bool {
        let Input::Ending(yields) = &mut self.input else { return false };
        let over = Pin::new(yields).poll(task).is_ready();
        if over {
            self.input = Input::Ended;
        }
        over
    }

    /// While the socket is not read, a reset must still be seen.
    pub(crate) fn poll_reset(&mut self, task: &mut Context<'_>) -> Result<(), AppReset> {
        if self.reset.is_some() {
            return Err(self.reset_now());
        }
        let Some(socket) = &self.socket else { return Ok(()) };
        let watched = socket.clone();
        let watch =
            self.failure.get_or_insert_with(|| Box::pin(async move { watched.failed().await }));
        if watch.as_mut().poll(task).is_ready() {
            self.failure = Some(Box::pin(std::future::pending()));
            return Err(self.reset_now());
        }
        Ok(())
    }

    /// Has what came before a reset read first, which is told again when nothing is left.
    pub(crate) fn read_before(&mut self, reset: AppReset) {
        self.reset.get_or_insert(reset);
    }

    /// A reset that is seen now, with what was read before it.
    const fn reset_now(&self) -> AppReset {
        AppReset { ended_first: self.has_ended() }
    }

    /// Notes that a write or the connecting failed. The first error tells, on Linux, whether a FIN
    /// came before the RST; later errors do not.
    fn note_reset(&mut self, error: &io::Error) {
        let ended_first = cfg!(target_os = "linux") && error.kind() == io::ErrorKind::BrokenPipe;
        self.reset.get_or_insert(AppReset { ended_first });
    }
}

async fn yield_before_fin() {
    for _ in 0..YIELDS_BEFORE_FIN {
        yield_now().await;
    }
}
