//! The two ends of a simulated connection, and listening sockets, as programs have them.

use std::{
    fmt,
    future::poll_fn,
    io::{self, ErrorKind, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    simulated::{
        connection::{Awaited, End, SEND_BUFFER},
        network::SimulatedNetwork,
        state::{ip_of, Listening},
    },
    socket::Keepalive,
};

/// One end of a simulated connection. Dropping it closes it.
///
/// It has tokio's traits for reading and writing.
pub struct Stream {
    network: SimulatedNetwork,
    number: u64,
    end: usize,
    addresses: [SocketAddr; 2],
}

impl Stream {
    pub(super) async fn connect(
        network: &SimulatedNetwork,
        host: usize,
        to: SocketAddr,
    ) -> io::Result<Self> {
        let number = network.with(|state| state.connect(host, to))?;
        // Dropped if nobody waits any more.
        let stream = Self::new(network, number, 0)?;
        poll_fn(|task| {
            stream.poll(task, Awaited::Write, |end| match end.error.take() {
                Some(error) => Some(Err(error.into())),
                None => end.is_established.then_some(Ok(())),
            })
        })
        .await?;
        Ok(stream)
    }

    fn new(network: &SimulatedNetwork, number: u64, end: usize) -> io::Result<Self> {
        let addresses = network
            .with(|state| state.connections.get(&number).map(|connection| connection.addresses));
        let [one, other] = addresses.ok_or(ErrorKind::NotConnected)?;
        let addresses = if end == 0 { [one, other] } else { [other, one] };
        Ok(Self { network: network.clone(), number, end, addresses })
    }

    /// Ready when `check` finds something in the state of this end; otherwise this task is woken.
    fn poll<T>(
        &self,
        task: &mut Context<'_>,
        what: Awaited,
        check: impl FnOnce(&mut End) -> Option<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.network.with(|state| {
            let Some(connection) = state.connections.get_mut(&self.number) else {
                return Poll::Ready(Err(ErrorKind::NotConnected.into()));
            };
            let end = &mut connection.ends[self.end];
            match check(end) {
                Some(found) => Poll::Ready(found),
                None => {
                    end.wait(what, task.waker());
                    Poll::Pending
                }
            }
        })
    }

    fn set(&self, change: impl FnOnce(&mut End)) {
        self.network.with(|state| {
            let connection = state.connections.get_mut(&self.number);
            if let Some(connection) = connection {
                change(&mut connection.ends[self.end]);
            }
        });
    }

    /// Its own address.
    pub fn local_address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// The address of the other end.
    pub fn peer_address(&self) -> SocketAddr {
        self.addresses[1]
    }

    /// Ready when a read finds something, or an end.
    pub fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(task, Awaited::Read, |end| end.is_readable().then_some(Ok(())))
    }

    /// Ready when a write takes something, or fails.
    pub fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let unsent = self.network.with(|state| {
            let connection = state.connections.get(&self.number);
            connection.map_or(0, |connection| connection.flows[self.end].unsent.len())
        });
        self.poll(task, Awaited::Write, |end| {
            (end.is_dead || (end.is_established && unsent < SEND_BUFFER)).then_some(Ok(()))
        })
    }

    /// Ready when the connection was reset, or has timed out.
    pub fn poll_failed(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(task, Awaited::Error, |end| end.was_reset.then_some(Ok(())))
    }

    /// Ready when the other end sends no more, or is gone.
    pub fn poll_ended(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let has_ended = |end: &mut End| end.has_received_fin || end.is_dead;
        self.poll(task, Awaited::Read, |end| has_ended(end).then_some(Ok(())))
    }

    /// Reads what there is; 0 bytes are the end.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if there is nothing yet.
    pub fn try_read(&self, buffer: &mut impl BufMut) -> io::Result<usize> {
        self.network.with(|state| state.read(self.number, self.end, buffer))
    }

    /// Writes as much as there is room for.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if there is none.
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.network.with(|state| state.write(self.number, self.end, slices))
    }

    /// Ends the direction to the other end.
    pub fn shut_down(&self) {
        self.network.with(|state| state.shut_down(self.number, self.end));
    }

    /// Whether closing it resets a connection that has not ended in both directions.
    pub fn set_resets_on_close(&self, resets: bool) {
        self.set(|end| end.resets_on_close = resets);
    }

    /// How long what was sent may go unacknowledged.
    pub fn set_user_timeout(&self, limit: Duration) {
        self.set(|end| end.user_timeout = Some(limit));
    }

    /// Has the system ask from time to time whether the other end is there.
    pub fn set_keepalive(&self, options: Keepalive) {
        self.network.with(|state| state.set_keepalive(self.number, self.end, options));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.network.with(|state| state.close(self.number, self.end));
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream(#{}, {} - {})", self.number, self.addresses[0], self.addresses[1])
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.try_read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // Nothing can have come since, as all is one thread.
                self.poll_read_ready(task)
            }
            read => Poll::Ready(read.map(drop)),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.try_write(&[IoSlice::new(bytes)]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.poll_write_ready(task).map_ok(|()| 0)
            }
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut_down();
        Poll::Ready(Ok(()))
    }
}

/// A listening socket of a simulated host. Clones share it; dropping the last one closes it.
#[derive(Clone, Debug)]
pub struct Listener(Arc<Bound>);

#[derive(Debug)]
struct Bound {
    network: SimulatedNetwork,
    host: usize,
    address: SocketAddr,
}

impl Listener {
    pub(super) fn bind(
        network: &SimulatedNetwork,
        host: usize,
        mut address: SocketAddr,
    ) -> io::Result<Self> {
        let own = ip_of(host);
        if !(address.ip().is_loopback() || address.ip().is_unspecified() || address.ip() == own) {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        network.with(|state| {
            if address.port() == 0 {
                address.set_port(state.free_port(host));
            }
            if state.listeners.contains_key(&(host, address)) {
                return Err(io::Error::from(ErrorKind::AddrInUse));
            }
            state.listeners.insert((host, address), Listening::default());
            Ok(())
        })?;
        Ok(Self(Arc::new(Bound { network: network.clone(), host, address })))
    }

    /// The address that it is bound to.
    pub fn local_address(&self) -> SocketAddr {
        self.0.address
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// None at present.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let Bound { network, host, address } = &*self.0;
        loop {
            let number = poll_fn(|task| {
                network.with(|state| {
                    let Some(listening) = state.listeners.get_mut(&(*host, *address)) else {
                        return Poll::Pending;
                    };
                    match listening.backlog.pop_front() {
                        Some(number) => Poll::Ready(number),
                        None => {
                            listening.waker = Some(task.waker().clone());
                            Poll::Pending
                        }
                    }
                })
            })
            .await;
            // One whose host has lost its power meanwhile is not there any more.
            if let Ok(stream) = Stream::new(network, number, 1) {
                let peer = stream.peer_address();
                return Ok((stream, peer));
            }
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.network.with(|state| {
            let listening = state.listeners.remove(&(self.host, self.address));
            for number in listening.into_iter().flat_map(|listening| listening.backlog) {
                if let Some(connection) = state.connections.get_mut(&number) {
                    connection.ends[1].resets_on_close = true;
                }
                state.close(number, 1);
            }
        });
    }
}
