//! A connected socket: one of the system, for TCP or at a path, or one of a simulated network.
//!
//! A Unix socket knows no reset: where TCP would reset, it is closed, which the other end sees as
//! an end. Options that only TCP has do nothing to it.

use std::{
    io::{self, IoSlice, Read as _, Write as _},
    net::Shutdown,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BufMut;
use socket2::SockRef;
use tokio::{
    io::Interest,
    net::{TcpStream, UnixStream},
};

#[cfg(feature = "testing")]
use crate::simulated;
use crate::socket::{drained, try_write, Keepalive};

/// A connected socket that does not block.
#[derive(Debug)]
pub enum Socket {
    /// One of the system, for TCP.
    System(TcpStream),
    /// One of the system, at a path.
    Unix(UnixStream),
    /// One of a simulated network.
    #[cfg(feature = "testing")]
    Simulated(simulated::Stream),
}

/// A socket on its way to another arbiter.
#[derive(Debug)]
pub enum Detached {
    /// One of the system, for TCP.
    System(std::net::TcpStream),
    /// One of the system, at a path.
    Unix(std::os::unix::net::UnixStream),
    /// One of a simulated network, which has one thread.
    #[cfg(feature = "testing")]
    Simulated(simulated::Stream),
}

impl Socket {
    /// Takes it off this arbiter.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn detach(self) -> io::Result<Detached> {
        match self {
            Self::System(socket) => Ok(Detached::System(socket.into_std()?)),
            Self::Unix(socket) => Ok(Detached::Unix(socket.into_std()?)),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => Ok(Detached::Simulated(socket)),
        }
    }

    /// The system's TCP socket, for options that only it has.
    pub fn system(&self) -> Option<SockRef<'_>> {
        match self {
            Self::System(socket) => Some(SockRef::from(socket)),
            Self::Unix(_) => None,
            #[cfg(feature = "testing")]
            Self::Simulated(_) => None,
        }
    }

    // ----- readiness -----------------------------------------------------------------------------

    /// Ready when a read may find something, or an end.
    pub fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::System(socket) => socket.poll_read_ready(task),
            Self::Unix(socket) => socket.poll_read_ready(task),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => socket.poll_read_ready(task),
        }
    }

    /// Ready when a write may take something.
    pub fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::System(socket) => socket.poll_write_ready(task),
            Self::Unix(socket) => socket.poll_write_ready(task),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => socket.poll_write_ready(task),
        }
    }

    /// Waits for an error, such as a reset.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn failed(&self) -> io::Result<()> {
        match self {
            Self::System(socket) => socket.ready(Interest::ERROR).await.map(|_| ()),
            Self::Unix(socket) => socket.ready(Interest::ERROR).await.map(|_| ()),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => std::future::poll_fn(|task| socket.poll_failed(task)).await,
        }
    }

    /// Waits until the other end sends no more, or is gone, whatever is still to be read. Whoever
    /// wants to read that attaches the socket anew, so that he learns of it.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn ended(&self) -> io::Result<()> {
        match self {
            Self::System(socket) => {
                while !socket.ready(Interest::READABLE).await?.is_read_closed() {
                    drained(socket);
                }
            }
            Self::Unix(socket) => {
                let nothing_left = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                while !socket.ready(Interest::READABLE).await?.is_read_closed() {
                    let _ = socket.try_io(Interest::READABLE, nothing_left);
                }
            }
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => std::future::poll_fn(|task| socket.poll_ended(task)).await?,
        }
        Ok(())
    }

    /// See [`drained`].
    pub fn drained(&self) {
        match self {
            Self::System(socket) => drained(socket),
            // They know.
            Self::Unix(_) => {}
            #[cfg(feature = "testing")]
            Self::Simulated(_) => {}
        }
    }

    // ----- bytes ---------------------------------------------------------------------------------

    /// Appends what there is to `buffer`, as far as it has room; 0 bytes are the end.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is nothing.
    pub fn try_read_buf(&self, buffer: &mut impl BufMut) -> io::Result<usize> {
        match self {
            Self::System(socket) => socket.try_read_buf(buffer),
            Self::Unix(socket) => socket.try_read_buf(buffer),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => socket.try_read(buffer),
        }
    }

    /// Waits for the first byte that a read would find, and leaves it there; `None` at the end, and
    /// for a socket of a simulated network, or at a path.
    ///
    /// # Errors
    /// If the connection was lost.
    pub async fn peek(&self) -> io::Result<Option<u8>> {
        let Self::System(socket) = self else { return Ok(None) };
        let mut first = [0];
        Ok((socket.peek(&mut first).await? > 0).then_some(first[0]))
    }

    /// As [`try_read_buf`](Self::try_read_buf), into a slice.
    ///
    /// # Errors
    /// As [`try_read_buf`](Self::try_read_buf).
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::System(socket) => socket.try_read(buffer),
            Self::Unix(socket) => socket.try_read(buffer),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => socket.try_read(&mut &mut *buffer),
        }
    }

    /// As [`try_read`](Self::try_read), also when no event has said that there is something.
    ///
    /// # Errors
    /// As [`try_read_buf`](Self::try_read_buf).
    pub fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::System(socket) => (&*SockRef::from(socket)).read(buffer),
            Self::Unix(socket) => (&*SockRef::from(socket)).read(buffer),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => socket.try_read(&mut &mut *buffer),
        }
    }

    /// Writes as much as the socket takes.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if it takes nothing.
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::System(socket) => try_write(socket, slices),
            Self::Unix(socket) => match slices {
                [only] => socket.try_write(only),
                _ => socket.try_write_vectored(slices),
            },
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => socket.try_write(slices),
        }
    }

    /// As [`try_write`](Self::try_write), also when no event has said that the socket takes any.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    pub fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::System(socket) => (&*SockRef::from(socket)).write_vectored(slices),
            Self::Unix(socket) => (&*SockRef::from(socket)).write_vectored(slices),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => socket.try_write(slices),
        }
    }

    /// Ends the direction to the other end, after what was written.
    ///
    /// # Errors
    /// If the connection was reset.
    pub fn shut_down(&self) -> io::Result<()> {
        match self {
            Self::System(socket) => SockRef::from(socket).shutdown(Shutdown::Write),
            Self::Unix(socket) => SockRef::from(socket).shutdown(Shutdown::Write),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => {
                socket.shut_down();
                Ok(())
            }
        }
    }

    // ----- options -------------------------------------------------------------------------------

    /// Whether closing it resets a connection that has not ended in both directions, however the
    /// program ends.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_resets_on_close(&self, resets: bool) -> io::Result<()> {
        match self {
            Self::System(socket) => {
                SockRef::from(socket).set_linger(resets.then_some(Duration::ZERO))
            }
            Self::Unix(_) => Ok(()),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => {
                socket.set_resets_on_close(resets);
                Ok(())
            }
        }
    }

    /// How long bytes may be under way that nobody acknowledges, or wait for a system that takes
    /// no more, where the system lets that be set.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_user_timeout(&self, limit: Duration) -> io::Result<()> {
        match self {
            #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
            Self::System(socket) => SockRef::from(socket).set_tcp_user_timeout(Some(limit)),
            #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
            Self::System(_) => Ok(()),
            Self::Unix(_) => Ok(()),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => {
                socket.set_user_timeout(limit);
                Ok(())
            }
        }
    }

    /// Has the system ask whether the other end is there when nothing has come for a while.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_keepalive(&self, keepalive: Keepalive) -> io::Result<()> {
        match self {
            Self::System(socket) => SockRef::from(socket).set_tcp_keepalive(&keepalive.into()),
            Self::Unix(_) => Ok(()),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => {
                socket.set_keepalive(keepalive);
                Ok(())
            }
        }
    }
}

impl Detached {
    /// Puts it on this arbiter.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn attach(self) -> io::Result<Socket> {
        match self {
            Self::System(socket) => Ok(Socket::System(TcpStream::from_std(socket)?)),
            Self::Unix(socket) => Ok(Socket::Unix(UnixStream::from_std(socket)?)),
            #[cfg(feature = "testing")]
            Self::Simulated(socket) => Ok(Socket::Simulated(socket)),
        }
    }
}

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Self {
        Self::System(socket)
    }
}

impl From<UnixStream> for Socket {
    fn from(socket: UnixStream) -> Self {
        Self::Unix(socket)
    }
}

#[cfg(feature = "testing")]
impl From<simulated::Stream> for Socket {
    fn from(socket: simulated::Stream) -> Self {
        Self::Simulated(socket)
    }
}
