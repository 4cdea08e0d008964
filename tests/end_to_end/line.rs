//! A line with a rate and a delay, between two ends on loopback.

// The line's threads are no arbiters, and time is what it is made of.
#![allow(clippy::disallowed_methods)]

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use socket2::SockRef;

/// How a line passes bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// One way.
    pub(crate) delay: Duration,
    /// Bytes a second in each direction.
    pub(crate) rate: f64,
    /// Bytes that wait for the line, in each direction, before it takes no more.
    pub(crate) queue: usize,
}

/// Bytes that the line takes at a time.
const PIECE: usize = 8 * 1024;

/// What is on the line in one direction, and when it arrives.
#[derive(Default)]
struct Way {
    pieces: Mutex<VecDeque<(Instant, Vec<u8>)>>,
    changed: Condvar,
}

impl Line {
    /// Starts a line to `far`; returns the address of its near end.
    pub(crate) fn start(self, far: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = listener.local_addr().unwrap();
        thread::spawn(move || {
            for one in listener.incoming().flatten() {
                let other = TcpStream::connect(far).unwrap();
                for stream in [&one, &other] {
                    stream.set_nodelay(true).unwrap();
                    // The system's own buffers are no part of the line.
                    SockRef::from(stream).set_recv_buffer_size(4 * PIECE).unwrap();
                }
                self.carry(one.try_clone().unwrap(), other.try_clone().unwrap());
                self.carry(other, one);
            }
        });
        near
    }

    fn carry(self, mut from: TcpStream, mut to: TcpStream) {
        let way = Arc::new(Way::default());
        let arriving = way.clone();
        thread::spawn(move || {
            let (mut free, mut piece) = (Instant::now(), vec![0; PIECE]);
            loop {
                let read = from.read(&mut piece).unwrap_or(0);
                free = free.max(Instant::now()) + Duration::from_secs_f64(read as f64 / self.rate);
                let mut pieces = way.pieces.lock().unwrap();
                pieces.push_back((free + self.delay, piece[..read].to_vec()));
                way.changed.notify_one();
                drop(pieces);
                if read == 0 {
                    return;
                }
                let waits = Duration::from_secs_f64(self.queue as f64 / self.rate);
                thread::sleep(free.saturating_duration_since(Instant::now() + waits));
            }
        });
        thread::spawn(move || loop {
            let mut pieces = arriving.pieces.lock().unwrap();
            while pieces.is_empty() {
                pieces = arriving.changed.wait(pieces).unwrap();
            }
            let Some((at, piece)) = pieces.pop_front() else { continue };
            drop(pieces);
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if piece.is_empty() || to.write_all(&piece).is_err() {
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        });
    }
}
