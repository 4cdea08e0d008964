//! Clients that are connected when a program is killed: some in the middle of a download, some
//! quiet.

use crate::{
    client,
    exchange::{Order, Request},
    target,
    traffic::{Traffic, SILENCE},
    verdict::{Figure, Violation},
};
use ockam_actix_harness::transfer::{is_reset, receive, receive_all};
use std::{
    io,
    net::SocketAddr,
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

/// Clients of either kind.
const EACH: usize = 2;

/// Some clients whose streams are open.
pub(crate) struct Held(Vec<Client>);

struct Client {
    request: Request,
    thread: JoinHandle<(Instant, io::Result<()>)>,
}

impl Held {
    /// Connects them and waits until something has arrived at each.
    pub(crate) fn begin(traffic: &Traffic) -> Result<Self, Violation> {
        let (began, begins) = mpsc::channel();
        let sizes = [FIRST, u64::MAX].into_iter().flat_map(|down| [down; EACH]);
        let clients: Vec<Client> = sizes
            .map(|down| {
                let request = traffic.request(Order::Hold, 0, down);
                let (to, began) = (traffic.inlet, began.clone());
                traffic.opened.fetch_add(1, Relaxed);
                Client { request, thread: thread::spawn(move || hold(to, &request, &began)) }
            })
            .collect();
        for _ in &clients {
            begins.recv_timeout(SILENCE).map_err(|_| {
                let text = format!("with all programs up, a stream does not begin in {SILENCE:?}");
                Violation::new(Figure::Kills, text)
            })?;
        }
        Ok(Self(clients))
    }

    /// Waits until all have been reset, and returns the time from `killed` to the last reset, and
    /// the streams.
    pub(crate) fn all_reset(self, killed: Instant) -> Result<(Duration, Vec<u64>), Violation> {
        let mut longest = Duration::ZERO;
        let mut streams = Vec::new();
        for Client { request, thread } in self.0 {
            let (ended, outcome) = thread.join().expect("a client does not panic");
            let took = ended.saturating_duration_since(killed);
            match outcome {
                Err(error) if is_reset(&error) && took <= SILENCE => longest = longest.max(took),
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
}

/// Fails unless the target's ends of the streams were reset as well.
pub(crate) fn target_was_reset(at: SocketAddr, streams: &[u64]) -> Result<(), Violation> {
    for stream in streams {
        let seen = target::ask(at, *stream);
        if !matches!(seen, Ok(seen) if seen.end == crate::exchange::End::Reset) {
            let text = format!("the target's end of stream {stream} was not reset: {seen:?}");
            return Err(Violation::new(Figure::Kills, text));
        }
    }
    Ok(())
}

fn hold(to: SocketAddr, request: &Request, began: &Sender<()>) -> (Instant, io::Result<()>) {
    let mut received = 0;
    let outcome = client::open(to, request, PATIENCE).and_then(|stream| {
        receive(&stream, FIRST, &request.downward(), &mut received)?;
        // Nobody listens any more if another client could not begin.
        let _ = began.send(());
        receive_all(&stream, request.down, &request.downward(), &mut received)
    });
    (Instant::now(), outcome)
}
