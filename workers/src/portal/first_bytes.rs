//! Bytes that pass on an application's socket before its stream does: read and written whole.

use std::{
    future::poll_fn,
    io::{self, ErrorKind, IoSlice},
};

use bytes::BufMut;
use ockam_actix_runtime::socket::stream::Socket;

/// Reads until `buffer` has `length` bytes, and not one more.
///
/// # Errors
/// [`ErrorKind::UnexpectedEof`] if the other end ends before.
pub(crate) async fn read_up_to(
    socket: &Socket,
    buffer: &mut Vec<u8>,
    length: usize,
) -> io::Result<()> {
    while buffer.len() < length {
        poll_fn(|task| socket.poll_read_ready(task)).await?;
        let missing = length - buffer.len();
        match socket.try_read_buf(&mut (&mut *buffer).limit(missing)) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if !is_transient(&error) => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Writes all of `bytes`.
///
/// # Errors
/// Those of the socket.
pub(crate) async fn write_all(socket: &Socket, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        poll_fn(|task| socket.poll_write_ready(task)).await?;
        match socket.try_write(&[IoSlice::new(bytes)]) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if is_transient(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
