//! Sockets, and reads and writes that take as little of the system's time as possible.
//!
//! | idea | module |
//! |---|---|
//! | where names are looked up, and sockets made: the system, or a simulated network | [`network`] |
//! | connected and listening sockets | [`stream`], [`listener`] |
//! | where they are bound, and who is at their other end | [`endpoint`] |
//! | accepting, and connecting to names with several addresses | [`accept`], [`connect`] |
//! | hosts and ports as people write them | [`host_port`] |
//! | looking names up, with few threads | `lookup` |
//! | listening on paths | [`unix`] |
//! | the reuse of large buffers | [`buffers`] |

pub mod accept;
pub mod buffers;
pub mod connect;
pub mod endpoint;
pub mod host_port;
pub mod listener;
mod lookup;
pub mod network;
pub mod stream;
pub mod unix;

use std::{
    io::{self, IoSlice},
    time::Duration,
};

use socket2::TcpKeepalive;
use tokio::{io::Interest, net::TcpStream};

/// When the system asks whether the other end of an idle connection is there, and when it gives up.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// The pause between probes.
    pub interval: Duration,
    /// Probes without an answer until the connection counts as lost.
    pub probes: u32,
}

impl From<Keepalive> for TcpKeepalive {
    fn from(Keepalive { idle, interval, probes }: Keepalive) -> Self {
        Self::new().with_time(idle).with_interval(interval).with_retries(probes)
    }
}

/// Notes that a read took all that `socket` had, which saves a further read that would find
/// nothing. Only for a read that returned fewer bytes than there was room for. The next event wakes
/// the reader again, and an end or an error that was announced stays announced. Not for a socket
/// whose peer may send urgent bytes: a read stops before those, and no event announces the bytes
/// after them.
///
/// [epoll(7)](https://man7.org/linux/man-pages/man7/epoll.7.html) says why that is enough for a
/// stream.
pub fn drained(socket: &TcpStream) {
    let nothing_left = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
    // The outcome is the error that it was given.
    let _ = socket.try_io(Interest::READABLE, nothing_left);
}

/// Writes as much of `slices` as `socket` takes, in one system call. A single slice, as of most
/// small messages, is written with the call that has no vector to copy first.
///
/// # Errors
/// As [`TcpStream::try_write_vectored`].
pub fn try_write(socket: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    match slices {
        [only] => socket.try_write(only),
        _ => socket.try_write_vectored(slices),
    }
}
