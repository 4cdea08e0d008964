//! A portal through a secure channel and a hop that reads along, over a link with high latency: two
//! nodes of one process, joined by a link with 50 ms in each direction.
//!
//! The link's clock is the real one, because sockets are at both ends. The assertions are about how
//! far the windows have grown; all that they require of the machine is that it moves 50 MB/s.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    future::Future,
    io::{self, ErrorKind},
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use actix::{Actor, Handler};
use ockam::{
    route, Address, Context, Entity, NodeBuilder, OutletOptions, Payload, Route, Routed,
    SecureChannels, TcpTransport, TrustEveryonePolicy, Vault,
};
use ockam_actix_harness::{
    pattern::Pattern,
    transfer::{next_chunk, CHUNK},
};
use ockam_actix_transports::memory::{Link, LinkOptions};
use ockam_actix_workers::portal::{
    limits::{INITIAL_WINDOW, RESUME_FOR},
    protocol::message::{decode, Control, Decoded},
    Inlet, InletOptions,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

const LATENCY: Duration = Duration::from_millis(50);

/// How long streams wait for a link that does not come back, where a test waits for that.
const RESUME: Duration = Duration::from_secs(3);

/// How much later they may be reset.
const MOMENT: Duration = Duration::from_secs(2);

/// Bytes under way on this link at 100 MB/s.
const BANDWIDTH_DELAY_PRODUCT: u64 = 10_000_000;

const DEADLINE: Duration = Duration::from_secs(30);

/// More than the largest window.
const BURST: u64 = 40_000_000;

/// A hop that forwards everything and reads along. It notes how much credit a reader grants beyond
/// what it has been sent, which is its window or less.
#[derive(Clone, Default)]
struct Spy {
    sent: Arc<AtomicU64>,
    most_credit: Arc<AtomicU64>,
}

impl Spy {
    fn note(&self, message: Decoded<'_>) {
        match message {
            Decoded::Data { offset, range } => {
                self.sent.fetch_max(offset.value() + range.len() as u64, Ordering::SeqCst);
            }
            Decoded::Control(Control::Window { limit }) => {
                let credit = limit.value().saturating_sub(self.sent.load(Ordering::SeqCst));
                self.most_credit.fetch_max(credit, Ordering::SeqCst);
            }
            Decoded::Control(_) => {}
        }
    }
}

impl Actor for Spy {
    type Context = actix::Context<Self>;
}

impl Handler<Routed<Payload>> for Spy {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut actix::Context<Self>) {
        let mut rest: &[u8] = message.body();
        while let Ok((first, length)) = decode(rest) {
            self.note(first);
            rest = &rest[length..];
        }
        // A message after the end of its stream is undeliverable; its sender gets a notice.
        let _ = message.forward();
    }
}

/// Two nodes, the link between them, and the two ends of one connection that was tunnelled.
struct Tunnel {
    nodes: [Context; 2],
    link: Link,
    spy: Spy,
    client: TcpStream,
    target: TcpStream,
}

/// The end that reads. The spy has to be on its node, and not on the one where the writer waits for
/// room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Client,
    Target,
}

impl Tunnel {
    async fn open(spied_at: Option<Reader>) -> Self {
        Self::resuming_for(RESUME_FOR, spied_at).await
    }

    async fn resuming_for(resume_for: Duration, spied_at: Option<Reader>) -> Self {
        let builder = NodeBuilder::new().arbiters(1);
        let (here, there) = (
            builder.clone().start_with_context().await.unwrap(),
            builder.start_with_context().await.unwrap(),
        );
        // The link does not limit the bandwidth: it holds ten times what is to be under way.
        let capacity = 10 * usize::try_from(BANDWIDTH_DELAY_PRODUCT).unwrap();
        let options = LinkOptions { latency: LATENCY, capacity, ..LinkOptions::default() };
        let link = Link::new(here.node(), there.node(), options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().to_string();
        TcpTransport::create(there.node())
            .await
            .unwrap()
            .create_outlet("outlet", OutletOptions::to(target).resume_for(resume_for))
            .await
            .unwrap();
        entity(&there).create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
        let to_listener = route![link.address(), "listener"];
        let channel =
            entity(&here).create_secure_channel(to_listener, TrustEveryonePolicy).unwrap();
        channel.established().await.unwrap();
        let spy = Spy::default();
        let route = route_past_spy(&here, &there, &spy, spied_at, Address::from(&channel));
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let options = InletOptions::along(route).resume_for(resume_for);
        let inlet = Inlet::start(here.node(), socket, options).unwrap().address();
        let client = TcpStream::connect(inlet).await.unwrap();
        let (target, _) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
        Self { nodes: [here, there], link, spy, client, target }
    }

    async fn close(self) {
        drop((self.client, self.target));
        for node in self.nodes {
            node.node().stop().await;
        }
    }
}

fn entity(ctx: &Context) -> Entity {
    let vault = Vault::create(ctx).unwrap();
    Entity::create(ctx, &vault).unwrap()
}

fn route_past_spy(
    here: &Context,
    there: &Context,
    spy: &Spy,
    spied_at: Option<Reader>,
    channel: Address,
) -> Route {
    let (node, route) = match spied_at {
        None => return route![channel, "outlet"],
        Some(Reader::Target) => (there, route![channel, "spy", "outlet"]),
        Some(Reader::Client) => (here, route!["spy", channel, "outlet"]),
    };
    node.worker("spy", spy.clone()).start().unwrap();
    route
}

/// Writes the pattern until `is_enough`; returns how much. It pauses after each [`BURST`] until all
/// of it was read: then the reader grants its whole window, but for a step.
async fn write(
    socket: &mut TcpStream,
    pattern: &Pattern,
    mut taken: watch::Receiver<u64>,
    is_enough: impl Fn() -> bool,
) -> io::Result<u64> {
    let mut sent = 0;
    while !is_enough() {
        let burst = sent + BURST;
        while sent < burst {
            sent += socket.write(&next_chunk(pattern, sent, burst - sent)).await? as u64;
        }
        // An error means that the reader was reset, as the next write will be.
        let _ = taken.wait_for(|taken| *taken == sent).await;
    }
    socket.shutdown().await?;
    Ok(sent)
}

/// Compares with the pattern until the end; returns how many bytes arrived.
async fn read(
    socket: &mut TcpStream,
    pattern: &Pattern,
    progress: watch::Sender<u64>,
) -> io::Result<u64> {
    let (mut taken, mut chunk) = (0, vec![0; CHUNK]);
    loop {
        let read = socket.read(&mut chunk).await?;
        if read == 0 {
            return Ok(taken);
        }
        assert_eq!(pattern.check(taken, &chunk[..read]), Ok(()));
        taken += read as u64;
        progress.send_replace(taken);
    }
}

fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(async {
        timeout(3 * DEADLINE, test).await.expect("the test ends in time");
    });
}

/// One direction of a stream fills the link: its credit grows to what 100 MB/s need.
async fn fills(reader: Reader) {
    let (begun, mut tunnel) = (Instant::now(), Tunnel::open(Some(reader)).await);
    let pattern = Pattern::new(1);
    let (from, to) = match reader {
        Reader::Target => (&mut tunnel.client, &mut tunnel.target),
        Reader::Client => (&mut tunnel.target, &mut tunnel.client),
    };
    let most = tunnel.spy.most_credit.clone();
    let is_enough =
        || most.load(Ordering::SeqCst) >= BANDWIDTH_DELAY_PRODUCT || begun.elapsed() > DEADLINE;
    let (progress, taken) = watch::channel(0);
    let writing = write(from, &pattern, taken, is_enough);
    let (sent, taken) = tokio::join!(writing, read(to, &pattern, progress));
    let (sent, credit) = (sent.unwrap(), most.load(Ordering::SeqCst));
    println!(
        "from {INITIAL_WINDOW} to {credit} bytes under way after {sent} bytes and {:?}",
        begun.elapsed()
    );
    assert!(credit >= BANDWIDTH_DELAY_PRODUCT, "only {credit} after {sent} bytes, {DEADLINE:?}");
    assert_eq!(taken.unwrap(), sent);
    tunnel.close().await;
}

#[test]
fn upload_is_not_limited_by_its_window() {
    run(fills(Reader::Target));
}

#[test]
fn download_is_not_limited_by_its_window() {
    run(fills(Reader::Client));
}

/// The link is cut, and stays so, while an upload is under way; returns how long after that each
/// end was reset.
async fn until_reset_by_a_cut(resume_for: Duration) -> [Duration; 2] {
    let mut tunnel = Tunnel::resuming_for(resume_for, None).await;
    let pattern = Pattern::new(2);
    let (progress, taken) = watch::channel(0);
    let (mut arrived, link) = (taken.clone(), tunnel.link.clone());
    let cutting = async {
        arrived.wait_for(|taken| *taken > 2_000_000).await.unwrap();
        // Noted before, as whoever the cut wakes may run first.
        let cut = Instant::now();
        link.cut();
        cut
    };
    let writing = async {
        let sent = write(&mut tunnel.client, &pattern, taken, || false).await;
        (sent.unwrap_err().kind(), Instant::now())
    };
    let reading = async {
        let taken = read(&mut tunnel.target, &pattern, progress).await;
        (taken.unwrap_err().kind(), Instant::now())
    };
    let (cut, (sent, client), (taken, target)) = tokio::join!(cutting, writing, reading);
    assert!(matches!(sent, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{sent}");
    assert_eq!(taken, ErrorKind::ConnectionReset);
    tunnel.close().await;
    [client - cut, target - cut]
}

#[test]
fn a_cut_link_resets_both_ends_in_time() {
    run(async {
        for end in until_reset_by_a_cut(RESUME).await {
            assert!((RESUME..RESUME + MOMENT).contains(&end), "{end:?}");
        }
    });
}

#[test]
fn without_resumption_a_cut_link_resets_at_once() {
    run(async {
        for end in until_reset_by_a_cut(Duration::ZERO).await {
            assert!(end < MOMENT, "{end:?}");
        }
    });
}
