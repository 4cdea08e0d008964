//! The far end of the tunnel, a process of its own: it carries out its part of each exchange,
//! remembers what it saw, and answers direct questions about that.
//!
//! Its sockets have `SO_LINGER` 0 until their stream is finished: when it is killed, the system
//! resets them. Otherwise the system would close them cleanly, and no client could tell a stream
//! that was cut from a whole one.

use crate::{
    client::reset,
    exchange::{send_and_receive, End, Order, Request, Seen, REQUEST},
    nodes::RESUME_FOR_SECONDS,
};
use ockam_actix_harness::{
    client::connect,
    role::ready,
    transfer::{is_reset, receive, receive_all, send},
};
use socket2::SockRef;
use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// The first byte of a question about a stream.
const QUESTION: u8 = b'?';
/// How long an answer waits for the end of a stream: longer than an outlet waits for an inlet that
/// does not come back.
const END_WITHIN: Duration = Duration::from_secs(5 + RESUME_FOR_SECONDS);
const PATIENCE: Duration = Duration::from_secs(10 + RESUME_FOR_SECONDS);

/// Role `target`: serves at `address` until the parent goes away.
pub(crate) fn run(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    // Accepted sockets inherit it: no moment is left in which a kill looks like an end.
    SockRef::from(&listener).set_linger(Some(Duration::ZERO))?;
    ready(listener.local_addr()?)?;
    let ledger = Arc::new(Ledger::default());
    for stream in listener.incoming() {
        let (stream, ledger) = (stream?, Arc::clone(&ledger));
        // An error of a stream shows when somebody asks about it.
        thread::spawn(move || serve(&stream, &ledger));
    }
    Ok(())
}

/// Asks the target at `address` what it saw of a stream. It answers when the stream has ended or
/// should have.
pub(crate) fn ask(address: SocketAddr, stream: u64) -> io::Result<Seen> {
    let mut question = [QUESTION; REQUEST];
    question[1..9].copy_from_slice(&stream.to_be_bytes());
    let mut socket = connect(address, PATIENCE)?;
    socket.write_all(&question)?;
    let mut answer = [0; 9];
    socket.read_exact(&mut answer)?;
    let received = answer[1..].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
    let ends = [End::Fin, End::Reset, End::Own, End::Wrong, End::Open];
    let end = ends.into_iter().find(|end| *end as u8 == answer[0]).unwrap_or(End::Unknown);
    Ok(Seen { received, end })
}

fn serve(mut stream: &TcpStream, ledger: &Ledger) -> io::Result<()> {
    reset(stream)?;
    stream.set_nodelay(true)?;
    let mut bytes = [0; REQUEST];
    if stream.read(&mut bytes[..1])? == 0 {
        return finish(stream);
    }
    stream.read_exact(&mut bytes[1..])?;
    if bytes[0] == QUESTION {
        return answer(
            stream,
            u64::from_be_bytes(bytes[1..9].try_into().unwrap_or_default()),
            ledger,
        );
    }
    let request = Request::from_bytes(&bytes).ok_or(ErrorKind::InvalidData)?;
    ledger.note(request.stream, Seen { received: 0, end: End::Open });
    let mut received = 0;
    let end = match carry_out(stream, &request, &mut received) {
        Ok(end) => end,
        Err(error) if is_reset(&error) => End::Reset,
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => End::Fin,
        Err(_) => End::Wrong,
    };
    ledger.note(request.stream, Seen { received, end });
    Ok(())
}

fn answer(mut stream: &TcpStream, number: u64, ledger: &Ledger) -> io::Result<()> {
    let seen = ledger.end_of(number);
    let mut answer = [seen.end as u8; 9];
    answer[1..].copy_from_slice(&seen.received.to_be_bytes());
    stream.write_all(&answer)?;
    finish(stream)
}

fn carry_out(mut stream: &TcpStream, request: &Request, received: &mut u64) -> io::Result<End> {
    let Request { order, up, down, .. } = *request;
    match order {
        Order::ClientFirst => {
            receive_all(stream, up, &request.upward(), received)?;
            send(stream, down, &request.downward())?;
        }
        Order::TargetFirst => {
            send(stream, down, &request.downward())?;
            stream.shutdown(Shutdown::Write)?;
            receive_all(stream, up, &request.upward(), received)?;
        }
        Order::Both => {
            let (upward, downward) = (request.upward(), request.downward());
            send_and_receive(stream, (down, downward), (up, upward), received)?;
        }
        Order::ClientResets => {
            receive(stream, up, &request.upward(), received)?;
            send(stream, down, &request.downward())?;
            receive_all(stream, up, &request.upward(), received)?;
        }
        Order::TargetResets => {
            receive(stream, up, &request.upward(), received)?;
            send(stream, down, &request.downward())?;
            stream.read_exact(&mut [0])?;
            return Ok(End::Own);
        }
        Order::Hold => {
            send(stream, down, &request.downward())?;
            receive_all(stream, up, &request.upward(), received)?;
        }
        Order::Empty => {}
    }
    finish(stream)?;
    Ok(End::Fin)
}

/// Lets the stream end cleanly when it is closed.
fn finish(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(None)
}

/// What was seen of each stream, until somebody asks.
#[derive(Default)]
struct Ledger {
    seen: Mutex<HashMap<u64, Seen>>,
    changed: Condvar,
}

impl Ledger {
    fn note(&self, stream: u64, seen: Seen) {
        self.lock().insert(stream, seen);
        self.changed.notify_all();
    }

    /// Waits a while for the end of a stream, and forgets it.
    fn end_of(&self, stream: u64) -> Seen {
        let open = |all: &mut HashMap<u64, Seen>| {
            all.get(&stream).is_some_and(|seen| seen.end == End::Open)
        };
        let waited = self.changed.wait_timeout_while(self.lock(), END_WITHIN, open);
        let (mut all, _) = waited.unwrap_or_else(PoisonError::into_inner);
        all.remove(&stream).unwrap_or(Seen { received: 0, end: End::Unknown })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
