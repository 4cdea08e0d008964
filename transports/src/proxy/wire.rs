//! Bytes to and from a proxy, before the connection is the peer's.

use std::{
    future::poll_fn,
    io::{self, ErrorKind, IoSlice},
};

use ockam_actix_runtime::socket::stream::Socket;

/// Why a proxy does not connect to a peer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection to it is lost.
    Lost(io::Error),
    /// It does not want to, or cannot.
    Refused(String),
    /// It wants to know who asks, or to hear it from somebody else.
    Unauthorized(String),
    /// It says something that is no answer.
    Invalid(&'static str),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// Reads as many bytes as `buffer` has, and not one more: those after them may be the peer's.
pub(super) async fn read_exact(socket: &Socket, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        poll_fn(|task| socket.poll_read_ready(task)).await?;
        match socket.try_read(buffer) {
            Ok(0) => {
                let text = "it has closed the connection";
                return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
            }
            Ok(length) => buffer = &mut buffer[length..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `bytes`.
pub(super) async fn write_all(socket: &Socket, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        poll_fn(|task| socket.poll_write_ready(task)).await?;
        match socket.try_write(&[IoSlice::new(bytes)]) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
