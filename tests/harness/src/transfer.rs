//! Sending a pattern's bytes, and checking them as they arrive.

use std::io::{self, ErrorKind, Read, Write};

use crate::pattern::Pattern;

/// Bytes that are read or written at a time.
pub const CHUNK: usize = 256 * 1024;

/// Sends the pattern's first `count` bytes; returns how many that were.
pub fn send(mut to: impl Write, count: u64, pattern: &Pattern) -> io::Result<u64> {
    let mut chunk = chunk(count);
    let mut sent = 0;
    while sent < count {
        let part = at_most(&mut chunk, count - sent);
        pattern.fill(sent, part);
        to.write_all(part)?;
        sent += part.len() as u64;
    }
    Ok(sent)
}

/// The next bytes to send, from `offset` on, where `left` are still to be sent: as many as are sent
/// at a time.
pub fn next_chunk(pattern: &Pattern, offset: u64, left: u64) -> Vec<u8> {
    pattern.bytes(offset, size(left))
}

/// Reads and checks until there are `count` bytes, `received` of which were there before. An end
/// that comes earlier is an error of the kind `UnexpectedEof`.
pub fn receive(
    mut from: impl Read,
    count: u64,
    pattern: &Pattern,
    received: &mut u64,
) -> io::Result<()> {
    let mut chunk = chunk(count - *received);
    while *received < count {
        let part = at_most(&mut chunk, count - *received);
        let read = from.read(part)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        pattern.check(*received, &part[..read]).map_err(wrong)?;
        *received += read as u64;
    }
    Ok(())
}

/// As [`receive`], and then the end, which must come right after the last byte.
pub fn receive_all(
    mut from: impl Read,
    count: u64,
    pattern: &Pattern,
    received: &mut u64,
) -> io::Result<()> {
    receive(&mut from, count, pattern, received)?;
    match from.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(io::Error::new(ErrorKind::InvalidData, format!("more than {count} bytes"))),
    }
}

/// Reads and checks up to `most` bytes, or to a clean end; returns how many there were.
pub fn receive_up_to(from: impl Read, most: u64, pattern: &Pattern) -> io::Result<u64> {
    let mut received = 0;
    match receive(from, most, pattern, &mut received) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(received),
        outcome => outcome.map(|()| received),
    }
}

/// Whether this error means that the other end, or somebody between, reset the connection.
pub fn is_reset(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    // The last one is the error of `shutdown` for a socket that was reset.
    matches!(error.kind(), ConnectionReset | ConnectionAborted | BrokenPipe | NotConnected)
}

fn chunk(count: u64) -> Vec<u8> {
    vec![0; size(count)]
}

fn at_most(chunk: &mut [u8], count: u64) -> &mut [u8] {
    let length = size(count).min(chunk.len());
    &mut chunk[..length]
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(CHUNK).min(CHUNK)
}

fn wrong(at: u64) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("a wrong byte at {at}"))
}
