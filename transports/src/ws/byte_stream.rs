//! What WebSockets run on: a socket, or TLS on one.

use std::{
    future::poll_fn,
    io::{self, ErrorKind, IoSlice},
};

use bytes::BytesMut;
use ockam_actix_runtime::socket::stream::Socket;

#[cfg(feature = "tls")]
use crate::tls::TlsStream;

/// A stream of bytes that does not block. What of it can be read or written at once tells its
/// socket.
#[derive(Debug)]
pub(crate) enum ByteStream {
    Plain(Socket),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
}

impl ByteStream {
    /// The name of the transport of which it carries the messages.
    pub(super) fn transport(&self) -> &'static str {
        match self {
            Self::Plain(_) => crate::WS.name(),
            #[cfg(feature = "tls")]
            Self::Tls(_) => crate::WSS.name(),
        }
    }

    /// The socket, whose readiness is that of the stream once a call was refused.
    pub(super) fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.socket(),
        }
    }

    /// Appends what has arrived to `buffer`, as far as it has room; 0 bytes are the end.
    pub(super) fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => {
                let room = buffer.capacity() - buffer.len();
                let read = socket.try_read_buf(buffer)?;
                if read > 0 && read < room {
                    socket.drained();
                }
                Ok(read)
            }
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.try_read(buffer),
        }
    }

    /// Writes as much of `slices` as it takes.
    pub(super) fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.try_write(slices),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.try_write(slices),
        }
    }

    /// Hands to the socket what was written.
    pub(super) fn try_flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.try_flush(),
        }
    }

    /// Says that nothing more will be written.
    pub(super) fn end(&mut self) {
        #[cfg(feature = "tls")]
        if let Self::Tls(stream) = self {
            stream.end();
        }
        // If the connection is lost, the peer sees that.
        let _ = self.socket().shut_down();
    }

    // ----- for handshakes ------------------------------------------------------------------------

    /// Waits until something has arrived, and appends it; 0 bytes are the end.
    pub(super) async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        loop {
            match self.try_read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            poll_fn(|task| self.socket().poll_read_ready(task)).await?;
        }
    }

    /// Writes all of `bytes`.
    pub(super) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            let outcome = match bytes {
                [] => self.try_flush(),
                _ => self.try_write(&[IoSlice::new(bytes)]).map(|n| bytes = &bytes[n..]),
            };
            match outcome {
                Ok(()) if bytes.is_empty() => return self.try_flush(),
                Ok(()) => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            poll_fn(|task| self.socket().poll_write_ready(task)).await?;
        }
    }
}
