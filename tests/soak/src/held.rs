//! Clients that are connected when a program is killed: some in the middle of a download, some
//! quiet.

use crate::{
    client,
    exchange::{End, Order, Request},
    target,
    traffic::{Traffic, SILENCE},
    verdict::{Figure, Violation},
};
use ockam_actix_harness::transfer::{is_reset, receive, receive_all};
use std::{
    io::{self, ErrorKind},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        atomic::Ordering::Relaxed,
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Bytes that every client has received before a program is killed, and all that a quiet one
/// receives.
const FIRST: u64 = 1000;

/// Longer than any client may be left without an end, to see by how much one exceeds that.
const PATIENCE: Duration = Duration::from_secs(15);

/// How soon clients are reset once it is known that their streams cannot go on.
pub(crate) const RESET_WITHIN: Duration = Duration::from_secs(5);

/// Clients of either kind.
const EACH: usize = 2;

/// Some clients whose streams are open.
pub(crate) struct Held(Vec<Client>);

struct Client {
    request: Request,
    stream: TcpStream,
    thread: JoinHandle<(Instant, io::Result<()>)>,
}

impl Held {
    /// Connects them and waits until something has arrived at each.
    pub(crate) fn begin(traffic: &Traffic) -> Result<Self, Violation> {
        let (began, begins) = mpsc::channel();
        let sizes = [FIRST, u64::MAX].into_iter().flat_map(|down| [down; EACH]);
        let start = |down| {
            let request = traffic.request(Order::Hold, 0, down);
            let stream = client::open(traffic.inlet, &request, PATIENCE)?;
            traffic.opened.fetch_add(1, Relaxed);
            let (reader, began) = (stream.try_clone()?, began.clone());
            let thread = thread::spawn(move || hold(&reader, &request, &began));
            Ok(Client { request, stream, thread })
        };
        let clients = sizes.map(start).collect::<io::Result<Vec<_>>>();
        let clients = clients.map_err(|error| Violation::new(Figure::Kills, error))?;
        for _ in &clients {
            begins.recv_timeout(SILENCE).map_err(|_| {
                let text = format!("with all programs up, a stream does not begin in {SILENCE:?}");
                Violation::new(Figure::Kills, text)
            })?;
        }
        Ok(Self(clients))
    }

    /// Waits until all have been reset, and returns the time from `known`, when it could be known
    /// that they had to be, to the last reset, and the streams.
    pub(crate) fn all_reset(self, known: Instant) -> Result<(Duration, Vec<u64>), Violation> {
        let mut longest = Duration::ZERO;
        let mut streams = Vec::new();
        for Client { request, thread, .. } in self.0 {
            let (ended, outcome) = thread.join().expect("a client does not panic");
            let took = ended.saturating_duration_since(known);
            match outcome {
                Err(error) if is_reset(&error) && took <= RESET_WITHIN => {
                    longest = longest.max(took);
                }
                Err(error) => {
                    let text = format!("a client was not reset but got {error} after {took:?}");
                    return Err(Violation::new(Figure::Kills, text));
                }
                Ok(()) => {
                    let text = format!("a client got a clean end after {took:?}: {request:?}");
                    return Err(Violation::new(Figure::Kills, text));
                }
            }
            streams.push(request.stream);
        }
        Ok((longest, streams))
    }

    /// Ends all of them, which must have noticed nothing: the quiet ones still carry an end both
    /// ways, to the target at `at`, and the others have not ended by themselves.
    pub(crate) fn all_go_on(self, at: SocketAddr) -> Result<(), Violation> {
        for Client { request, stream, thread } in self.0 {
            let is_quiet = request.down == FIRST;
            let had_ended = thread.is_finished();
            // An error shows as the stream's end.
            let _ = stream.shutdown(if is_quiet { Shutdown::Write } else { Shutdown::Both });
            let (_, outcome) = thread.join().expect("a client does not panic");
            // What still arrives after the shutdown may reset the connection.
            let goes_on = match &outcome {
                Ok(()) => is_quiet,
                Err(error) => {
                    !is_quiet && (error.kind() == ErrorKind::UnexpectedEof || is_reset(error))
                }
            };
            let there = target::ask(at, request.stream);
            let ends = if is_quiet { End::Fin } else { End::Reset };
            if had_ended || !goes_on || !matches!(there, Ok(seen) if seen.end == ends) {
                let when = if had_ended { "before" } else { "at" };
                let text = format!(
                    "an open stream broke {when} its end: {request:?}: {outcome:?}, {there:?}"
                );
                return Err(Violation::new(Figure::Kills, text));
            }
        }
        Ok(())
    }
}

/// Fails unless the target's ends of the streams were reset as well.
pub(crate) fn target_was_reset(at: SocketAddr, streams: &[u64]) -> Result<(), Violation> {
    for stream in streams {
        let seen = target::ask(at, *stream);
        if !matches!(seen, Ok(seen) if seen.end == End::Reset) {
            let text = format!("the target's end of stream {stream} was not reset: {seen:?}");
            return Err(Violation::new(Figure::Kills, text));
        }
    }
    Ok(())
}

fn hold(stream: &TcpStream, request: &Request, began: &Sender<()>) -> (Instant, io::Result<()>) {
    let mut received = 0;
    let outcome = receive(stream, FIRST, &request.downward(), &mut received).and_then(|()| {
        // Nobody listens any more if another client could not begin.
        let _ = began.send(());
        receive_all(stream, request.down, &request.downward(), &mut received)
    });
    (Instant::now(), outcome)
}
