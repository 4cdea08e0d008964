//! Streams through the tunnel, each checked at both of its ends.
//!
//! A stream that nothing disturbed must look as it would without the tunnel. One that was open
//! while a program was down may break, but only with a reset at both ends, after a prefix of what
//! was sent.

use crate::{
    client,
    exchange::{End, Order, Request, Seen, ENDING},
    outages::Outages,
    target,
    verdict::{Figure, Verdict, Violation},
};
use ockam_actix_harness::random::Random;
use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// The longest that a client may be left without a byte and without an end: while a program is
/// away, and until its streams go on, or are known to be lost.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);

/// The pause of a client that was refused.
const REFUSED_AGAIN: Duration = Duration::from_millis(10);

/// Maximum bytes in each direction of streams that test their ends.
const SMALL: u64 = 64 << 10;

/// What all streams share.
pub(crate) struct Traffic {
    /// Where the tunnel begins.
    pub(crate) inlet: SocketAddr,
    /// Where it leads.
    pub(crate) target: SocketAddr,
    /// When it was not whole.
    pub(crate) outages: Outages,
    /// What went wrong.
    pub(crate) verdict: Verdict,
    /// Streams through the tunnel so far.
    pub(crate) opened: AtomicU64,
    /// Streams that an outage broke, as it may.
    pub(crate) broken: AtomicU64,
    /// Bytes that arrived, at clients and at the target.
    pub(crate) bytes: AtomicU64,
    /// Streams of each order that went as without the tunnel.
    pub(crate) compared: [AtomicU64; ENDING.len()],
    streams: AtomicU64,
}

impl Traffic {
    /// No streams yet.
    pub(crate) fn new(inlet: SocketAddr, target: SocketAddr) -> Self {
        Self {
            inlet,
            target,
            outages: Outages::default(),
            verdict: Verdict::default(),
            opened: AtomicU64::default(),
            broken: AtomicU64::default(),
            bytes: AtomicU64::default(),
            compared: Default::default(),
            streams: AtomicU64::default(),
        }
    }

    /// Streams that went as without the tunnel.
    pub(crate) fn all_compared(&self) -> u64 {
        self.compared.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// A request with a number of its own.
    pub(crate) fn request(&self, order: Order, up: u64, down: u64) -> Request {
        let stream = self.streams.fetch_add(1, Relaxed) + 1;
        Request { order, stream, up, down }
    }

    /// Carries a stream through the tunnel and checks both of its ends.
    pub(crate) fn carry(&self, order: Order, up: u64, down: u64) -> Result<(), Violation> {
        let request = self.request(order, up, down);
        let begun = Instant::now();
        self.opened.fetch_add(1, Relaxed);
        let here = client::exchange(self.inlet, &request, SILENCE);
        let disturbed = self.outages.may_break(begun);
        match here {
            Ok(seen) => self.check_client(&request, seen, disturbed)?,
            Err(error) if disturbed && error.kind() == ErrorKind::ConnectionRefused => {
                self.broken.fetch_add(1, Relaxed);
                thread::sleep(REFUSED_AGAIN);
                return Ok(());
            }
            Err(error) => {
                let figure = if disturbed { Figure::Kills } else { Figure::Orders };
                let when = if disturbed { "in an outage" } else { "with all programs up" };
                return Err(Violation::new(figure, format!("{request:?}, {when}: {error}")));
            }
        }
        self.check_target(&request, begun)
    }

    /// Carries a small stream of a random order through the tunnel, and the same without it, which
    /// must be no different.
    pub(crate) fn compare(&self, random: &mut Random) -> Result<(), Violation> {
        let index = random.below(ENDING.len() as u64) as usize;
        let order = ENDING[index];
        let mut size = || if random.below(4) == 0 { 0 } else { random.below(SMALL) };
        // Without an answer, neither end would know whether the other had its bytes before the
        // reset.
        let fewest = u64::from(matches!(order, Order::ClientResets | Order::TargetResets));
        let (up, down) = if order == Order::Empty { (0, 0) } else { (size(), size().max(fewest)) };
        let begun = Instant::now();
        self.carry(order, up, down)?;
        let direct = self.request(order, up, down);
        let here = client::exchange(self.target, &direct, SILENCE);
        let there = (order != Order::Empty).then(|| target::ask(self.target, direct.stream));
        if self.outages.may_break(begun) {
            return Ok(());
        }
        // The stream through the tunnel was compared with the same two.
        let same = matches!(here, Ok(seen) if seen == at_client(&direct))
            && there
                .as_ref()
                .is_none_or(|there| matches!(there, Ok(seen) if *seen == at_target(&direct)));
        if !same {
            let text = format!("direct TCP behaves differently: {direct:?}: {here:?}, {there:?}");
            return Err(Violation::new(Figure::Orders, text));
        }
        self.compared[index].fetch_add(1, Relaxed);
        Ok(())
    }

    fn check_client(
        &self,
        request: &Request,
        seen: Seen,
        disturbed: bool,
    ) -> Result<(), Violation> {
        self.bytes.fetch_add(seen.received, Relaxed);
        let wanted = at_client(request);
        if seen == wanted {
            return Ok(());
        }
        if disturbed && seen.end == End::Reset {
            self.broken.fetch_add(1, Relaxed);
            return Ok(());
        }
        Err(differs("the client", request, seen, wanted, disturbed))
    }

    fn check_target(&self, request: &Request, begun: Instant) -> Result<(), Violation> {
        if request.order == Order::Empty {
            return Ok(());
        }
        let answer = target::ask(self.target, request.stream);
        let disturbed = self.outages.may_break(begun);
        let seen = match answer {
            Ok(seen) => seen,
            Err(_) if disturbed => return Ok(()),
            Err(error) => {
                let text = format!("the target does not answer: {error}");
                return Err(Violation::new(Figure::Orders, text));
            }
        };
        self.bytes.fetch_add(seen.received, Relaxed);
        let wanted = at_target(request);
        let broken = matches!(seen.end, End::Reset | End::Unknown);
        // A client may be reset although the target has everything, and has finished.
        if seen == wanted || (disturbed && broken) {
            return Ok(());
        }
        Err(differs("the target", request, seen, wanted, disturbed))
    }
}

fn differs(who: &str, request: &Request, seen: Seen, wanted: Seen, disturbed: bool) -> Violation {
    let when = if disturbed { "in an outage" } else { "with all programs up" };
    let text = format!("{request:?}, {when}: {who} saw {seen:?} instead of {wanted:?}");
    Violation::new(Figure::Orders, text)
}

/// What a client sees of an exchange that nothing disturbs.
fn at_client(request: &Request) -> Seen {
    let end = match request.order {
        Order::ClientResets => End::Own,
        Order::TargetResets => End::Reset,
        _ => End::Fin,
    };
    Seen { received: request.down, end }
}

/// What the target sees of it.
fn at_target(request: &Request) -> Seen {
    let end = match request.order {
        Order::ClientResets => End::Reset,
        Order::TargetResets => End::Own,
        _ => End::Fin,
    };
    Seen { received: request.up, end }
}
