//! The near end of every tunnel: what a client does, one blocking thread for each stream.

use crate::target::{self, ECHO, SINK, SOURCE};
use ockam_actix_harness::{client, deadline::PATIENCE};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// Connects, without Nagle's algorithm; after [`PATIENCE`] without a byte a tunnel has failed.
pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    client::connect(address, PATIENCE)
}

/// Opens a stream to a service that wants a count, and waits until the service has answered.
pub(crate) fn open(address: SocketAddr, service: u8, count: u64) -> io::Result<TcpStream> {
    let mut stream = connect(address)?;
    let mut request = [service; 9];
    request[1..].copy_from_slice(&count.to_be_bytes());
    stream.write_all(&request)?;
    stream.read_exact(&mut [0])?;
    Ok(stream)
}

/// Connects, sends one byte, waits for it to come back, and closes.
pub(crate) fn echo_once(address: SocketAddr) -> io::Result<()> {
    round_trip(&mut connect(address)?)
}

/// The direction in which a measurement sends data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the client to the target.
    Up,
    /// From the target to the client.
    Down,
}

impl Direction {
    /// The target's service for it.
    pub(crate) fn service(self) -> u8 {
        match self {
            Direction::Up => SINK,
            Direction::Down => SOURCE,
        }
    }

    /// Carries `count` bytes over an open stream and returns when the last has arrived.
    pub(crate) fn carry(self, stream: &mut TcpStream, count: u64) -> io::Result<()> {
        match self {
            Direction::Up => upload(stream, count),
            Direction::Down => download(stream, count),
        }
    }
}

fn upload(stream: &mut TcpStream, count: u64) -> io::Result<()> {
    target::send(stream, count)?;
    expect_count(stream, count)
}

/// Fails unless the target says that it received `count` bytes.
pub(crate) fn expect_count(stream: &mut TcpStream, count: u64) -> io::Result<()> {
    all_arrived(target::read_count(stream)?, count)
}

fn download(stream: &mut TcpStream, count: u64) -> io::Result<()> {
    stream.write_all(&[0])?;
    receive_all(stream, count)
}

/// Fails unless `count` bytes of the pattern arrive.
pub(crate) fn receive_all(stream: &mut TcpStream, count: u64) -> io::Result<()> {
    all_arrived(target::receive_checked(stream, count)?, count)
}

fn all_arrived(received: u64, count: u64) -> io::Result<()> {
    match received == count {
        true => Ok(()),
        false => Err(io::Error::other(format!("{received} of {count} bytes arrived"))),
    }
}

/// Round trips of one byte over one stream, in microseconds, shortest first.
pub(crate) fn round_trips(address: SocketAddr, times: usize) -> io::Result<Vec<f64>> {
    let mut stream = connect(address)?;
    // The first ones wake everything up.
    for _ in 0..times / 10 + 1 {
        round_trip(&mut stream)?;
    }
    let mut taken = Vec::with_capacity(times);
    for _ in 0..times {
        let sent = Instant::now();
        round_trip(&mut stream)?;
        taken.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    taken.sort_by(f64::total_cmp);
    Ok(taken)
}

fn round_trip(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&[ECHO])?;
    stream.read_exact(&mut [0])
}

/// Connections that one thread opens, uses for one byte and closes until `end`.
pub(crate) fn connections_until(address: SocketAddr, end: Instant) -> io::Result<u64> {
    let mut made = 0;
    while Instant::now() < end {
        echo_once(address)?;
        made += 1;
    }
    Ok(made)
}

/// Fails unless the end of one direction leaves the other one open, and no byte is lost before it.
pub(crate) fn half_closes(address: SocketAddr) -> io::Result<()> {
    const SENT: u64 = 1_000_000;
    let mut stream = open(address, SINK, u64::MAX)?;
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    target::send(&mut stream, SENT)?;
    stream.shutdown(Shutdown::Write)?;
    expect_count(&mut stream, SENT)
}
