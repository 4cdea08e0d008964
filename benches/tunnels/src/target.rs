//! The far end of every tunnel: one server whose services the first byte of a connection chooses.
//!
//! Every service answers that byte with itself, so a client that has read one byte knows that the
//! whole tunnel is open. The server's threads all wait in `accept`, and each serves what it accepts
//! itself; the last one to leave `accept` starts another thread. So a new connection costs no
//! hand-over between threads, and a busy thread blocks nobody.

use ockam_actix_harness::{pattern::Pattern, role::ready, transfer};
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc, Condvar, Mutex, PoisonError,
    },
    thread,
};

/// Sends everything back.
pub(crate) const ECHO: u8 = b'e';
/// Reads as many bytes as the 8 that follow say, or to the end of the stream, checks them, and
/// answers with how many there were.
pub(crate) const SINK: u8 = b'u';
/// Waits for a byte and sends as many as the 8 that came first say; then waits for the client to
/// close.
pub(crate) const SOURCE: u8 = b'd';
/// As [`SINK`], but reads nothing before [`RELEASE`].
pub(crate) const HOLD: u8 = b'h';
/// Lets all held streams go on.
pub(crate) const RELEASE: u8 = b'r';

/// Role `target`: serves until the parent goes away.
pub(crate) fn run() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    ready(listener.local_addr()?)?;
    let server = Server { listener, free: AtomicUsize::new(1), gate: Gate::default() };
    serve(&Arc::new(server));
    Ok(())
}

struct Server {
    listener: TcpListener,
    /// Threads in `accept`, or about to call it.
    free: AtomicUsize,
    gate: Gate,
}

fn serve(server: &Arc<Server>) {
    while let Ok((stream, _)) = server.listener.accept() {
        if server.free.fetch_sub(1, Ordering::AcqRel) == 1 {
            server.free.fetch_add(1, Ordering::AcqRel);
            let another = Arc::clone(server);
            thread::spawn(move || serve(&another));
        }
        // A client that goes away early reports that itself: it is the one that measures.
        let _ = answer(stream, &server.gate);
        server.free.fetch_add(1, Ordering::AcqRel);
    }
}

fn answer(mut stream: TcpStream, gate: &Gate) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut service = [0];
    stream.read_exact(&mut service)?;
    let count = if service[0] == ECHO { 0 } else { read_count(&mut stream)? };
    if service[0] == RELEASE {
        gate.open();
    }
    stream.write_all(&service)?;
    match service[0] {
        ECHO => echo(stream),
        SINK => sink(stream, count),
        SOURCE => source(stream, count),
        HOLD => {
            gate.wait();
            sink(stream, count)
        }
        _ => Ok(()),
    }
}

/// Reads the eight bytes of a count.
pub(crate) fn read_count(stream: &mut TcpStream) -> io::Result<u64> {
    let mut count = [0; 8];
    stream.read_exact(&mut count)?;
    Ok(u64::from_be_bytes(count))
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes)? {
            0 => return Ok(()),
            count => stream.write_all(&bytes[..count])?,
        }
    }
}

fn sink(mut stream: TcpStream, count: u64) -> io::Result<()> {
    let received = receive_checked(&mut stream, count)?;
    report(stream, received)
}

/// Answers with what was received, and keeps the connection until the client closes it: its tunnel
/// must not end before the client has measured it.
fn report(mut stream: TcpStream, received: u64) -> io::Result<()> {
    stream.write_all(&received.to_be_bytes())?;
    until_closed(stream)
}

fn source(mut stream: TcpStream, count: u64) -> io::Result<()> {
    stream.read_exact(&mut [0])?;
    send(&mut stream, count)?;
    until_closed(stream)
}

fn until_closed(mut stream: TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(())
}

/// Writes `count` bytes of the pattern.
pub(crate) fn send(stream: &mut TcpStream, count: u64) -> io::Result<()> {
    transfer::send(stream, count, &Pattern::stamps(0)).map(drop)
}

/// Reads `count` bytes, or to the end of the stream; returns how many there were. Fails if they are
/// not those of the pattern.
pub(crate) fn receive_checked(stream: &mut TcpStream, count: u64) -> io::Result<u64> {
    transfer::receive_up_to(stream, count, &Pattern::stamps(0))
}

/// Held streams wait here until it is opened for all of them.
#[derive(Default)]
struct Gate {
    times_opened: Mutex<u64>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.times_opened.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.opened.notify_all();
    }

    fn wait(&self) {
        let times = self.times_opened.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *times;
        // A poisoned lock means that another thread panicked; there is nothing left to wait for.
        drop(self.opened.wait_while(times, |now| *now == before));
    }
}
