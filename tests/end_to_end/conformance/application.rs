//! One side of a connection: performs its steps and records what it has seen.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::TcpStream,
    time::timeout,
};

use super::{expected::History, script::Step};
use ockam_actix_harness::{
    pattern::Pattern,
    transfer::{next_chunk, CHUNK},
};

/// A socket that took nothing for [`FULL`] is full, if it took at least [`LEAST`] bytes before,
/// which is less than what fits between any two ends.
const FULL: Duration = Duration::from_millis(100);
const LEAST: u64 = 300_000;

/// The most that is written to fill a connection.
const MOST: u64 = 64_000_000;

/// Bytes of a direction: a pattern from an offset of its own, so that no other connection's bytes
/// match.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    pub(super) pattern: &'a Pattern,
    pub(super) begin: u64,
}

/// A program at one end of a connection.
pub(super) struct Application<'a> {
    socket: Option<TcpStream>,
    own: Bytes<'a>,
    other: Bytes<'a>,
    history: History,
}

impl<'a> Application<'a> {
    pub(super) fn new(socket: TcpStream, own: Bytes<'a>, other: Bytes<'a>) -> Self {
        Self { socket: Some(socket), own, other, history: History::default() }
    }

    pub(super) fn history(&self) -> History {
        self.history
    }

    /// Performs a step. An application that has seen a reset does nothing more.
    pub(super) async fn perform(&mut self, step: Step) -> Result<(), String> {
        let Some(mut socket) = self.socket.take().filter(|_| !self.history.reset) else {
            return Ok(());
        };
        let done = match step {
            Step::SendTo(count) => self.send(&mut socket, count).await,
            Step::Fill => self.fill(&socket).await,
            Step::Finish => finish(&mut socket).await,
            Step::ReadTo(count) => {
                self.read(&mut socket, Some(count)).await?.map_err(text)?;
                return self.has_read(socket, count);
            }
            Step::ReadToEnd => self.read(&mut socket, None).await?,
            Step::Arrival => socket.peek(&mut [0]).await.map(|_| ()),
            Step::SeeReset => {
                let reset = socket.ready(Interest::ERROR).await;
                reset.and(Err(ErrorKind::ConnectionReset.into()))
            }
            Step::Reset => {
                return SockRef::from(&socket).set_linger(Some(Duration::ZERO)).map_err(text)
            }
            Step::Close => return Ok(()),
        };
        self.socket = Some(socket);
        match done.map_err(|error| error.kind()) {
            Ok(()) => Ok(()),
            Err(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                self.history.reset = true;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    async fn send(&mut self, socket: &mut TcpStream, count: u64) -> io::Result<()> {
        while self.history.sent < count {
            let chunk = self.own.at(self.history.sent, count - self.history.sent);
            self.history.sent += socket.write(&chunk).await? as u64;
        }
        Ok(())
    }

    async fn fill(&mut self, socket: &TcpStream) -> io::Result<()> {
        while self.history.sent < MOST {
            match timeout(FULL, socket.writable()).await {
                Ok(writable) => writable?,
                Err(_) if self.history.sent < LEAST => continue,
                Err(_) => break,
            }
            match socket.try_write(&self.own.at(self.history.sent, MOST - self.history.sent)) {
                Ok(written) => self.history.sent += written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads until there are `count` bytes in all, or to the end. The outer error is a wrong byte.
    async fn read(
        &mut self,
        socket: &mut TcpStream,
        count: Option<u64>,
    ) -> Result<io::Result<()>, String> {
        let mut chunk = vec![0; CHUNK];
        while !self.history.end && count.is_none_or(|count| self.history.received < count) {
            let rest = count.map_or(u64::MAX, |count| count - self.history.received);
            let room = usize::try_from(rest).unwrap_or(usize::MAX).min(CHUNK);
            match socket.read(&mut chunk[..room]).await {
                Ok(0) => self.history.end = true,
                Ok(read) => self.take(&chunk[..read])?,
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }

    fn take(&mut self, arrived: &[u8]) -> Result<(), String> {
        let Bytes { pattern, begin } = self.other;
        let right = pattern.check(begin + self.history.received, arrived);
        right.map_err(|at| format!("wrong byte at {}", at - begin))?;
        self.history.received += arrived.len() as u64;
        Ok(())
    }

    /// Bytes that were sent before anything ended must arrive.
    fn has_read(&mut self, socket: TcpStream, count: u64) -> Result<(), String> {
        self.socket = Some(socket);
        let all = self.history.received == count && !self.history.end;
        all.then_some(()).ok_or_else(|| "it ended before".into())
    }
}

impl Bytes<'_> {
    fn at(self, offset: u64, left: u64) -> Vec<u8> {
        next_chunk(self.pattern, self.begin + offset, left)
    }
}

/// Ends the direction; after a reset there is nothing to end.
async fn finish(socket: &mut TcpStream) -> io::Result<()> {
    match socket.shutdown().await {
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
        done => done,
    }
}

fn text(error: io::Error) -> String {
    error.to_string()
}
