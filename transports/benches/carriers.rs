//! How fast a node sends to another over each carrier, and how fast a plain quinn program is beside
//! that.
//!
//! ```sh
//! cargo bench -p ockam-actix-transports --features quic,ws --bench carriers
//! ```
//!
//! runs all of them on loopback, each in turn, in three rounds, with two threads, and prints the
//! medians and how they compare, as a table; `... -- quick` only shows that it runs. For a line
//! between two machines: `... -- listen` on one, with the host's addresses, and `... -- send
//! tcp#host:4000` on the other.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    env,
    net::Ipv4Addr,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use actix::{Actor, Context as ActorContext, Handler};
use bytes::Bytes;
use ockam_actix_harness::table::table;
use ockam_actix_runtime::{
    route, worker::mailbox::Registered, Address, Context, NodeBuilder, Payload, Route, Routed,
    TransportType,
};
use ockam_actix_transports::{
    quic::{self, endpoint},
    tcp, unix, ws, ListenOptions, QUIC, TCP, UNIX, WS,
};
use quinn::{TransportConfig, VarInt};
use tokio::runtime;

/// Bytes of a message: a chunk of a portal.
const CHUNK: usize = 60 * 1024;

/// How long each is measured, after as long a time as it takes to grow.
const MEASURED: Duration = Duration::from_secs(5);

/// The same for a look whether it runs.
const QUICK: Duration = Duration::from_millis(200);

/// How often each is measured.
const ROUNDS: usize = 3;

/// Counts what arrives.
struct Sink(Arc<AtomicU64>);

impl Actor for Sink {
    type Context = ActorContext<Self>;
}

impl Handler<Registered> for Sink {
    type Result = ();

    fn handle(&mut self, _: Registered, _: &mut ActorContext<Self>) {}
}

impl Handler<Routed<Payload>> for Sink {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        self.0.fetch_add(message.body().len() as u64, Ordering::Relaxed);
    }
}

async fn node() -> Context {
    let ctx = NodeBuilder::new().arbiters(1).start_with_context().await.unwrap();
    tcp::add(ctx.node()).unwrap();
    quic::add(ctx.node());
    unix::add(ctx.node());
    ws::add(ctx.node()).unwrap();
    ctx
}

/// A node that counts what it is sent.
async fn sink() -> (Context, Arc<AtomicU64>) {
    let ctx = node().await;
    let arrived = Arc::new(AtomicU64::new(0));
    ctx.worker("sink", Sink(arrived.clone())).start().unwrap();
    (ctx, arrived)
}

/// Has a node listen at `host:port`, for Unix sockets at a path, and returns its address in routes.
async fn listen(ctx: &Context, transport: TransportType, at: &str) -> Address {
    let (node, options) = (ctx.node(), ListenOptions::on(at).expose("sink"));
    let bound = match transport {
        UNIX => {
            unix::listen(node, options).unwrap();
            return (UNIX, at).into();
        }
        QUIC => quic::listener::listen(node, options).await,
        WS => ws::listener::listen(node, options).await,
        _ => tcp::listener::listen(node, options).await,
    };
    (transport, bound.unwrap().address().to_string()).into()
}

/// Sends along `route` for ever.
async fn send(ctx: &Context, route: Route) {
    loop {
        ctx.send(route.clone(), Payload::from(vec![7; CHUNK])).await.unwrap();
    }
}

/// Megabytes a second of what `arrived` counts.
async fn rate(arrived: &AtomicU64, time: Duration) -> f64 {
    tokio::time::sleep(time).await;
    let (before, begun) = (arrived.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(time).await;
    let bytes = arrived.load(Ordering::Relaxed) - before;
    bytes as f64 / begun.elapsed().as_secs_f64() / 1e6
}

fn main() {
    let arguments: Vec<_> = env::args().skip(1).filter(|text| text != "--bench").collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => on_loopback(MEASURED, ROUNDS),
        ["quick"] => on_loopback(QUICK, 1),
        ["listen", address] => actix_rt::System::new().block_on(async {
            let (ctx, arrived) = sink().await;
            listen(&ctx, TCP, address).await;
            listen(&ctx, QUIC, address).await;
            loop {
                let rate = rate(&arrived, MEASURED).await;
                println!("{rate:.2} MB/s");
            }
        }),
        ["send", peer, seconds] => actix_rt::System::new().block_on(async {
            let ctx = node().await;
            let route = route![peer.parse::<Address>().unwrap(), "sink"];
            let limit = Duration::from_secs(seconds.parse().unwrap());
            let _ = tokio::time::timeout(limit, send(&ctx, route)).await;
        }),
        _ => println!("quick | listen HOST:PORT | send TRANSPORT#HOST:PORT SECONDS"),
    }
}

fn on_loopback(time: Duration, rounds: usize) {
    const NAMES: [&str; 5] = ["tcp", "ws", "unix", "quic", "plain quinn"];
    let mut found: [Vec<f64>; NAMES.len()] = Default::default();
    for _ in 0..rounds {
        let nodes = |transport| nodes(transport, time);
        let round = [nodes(TCP), nodes(WS), nodes(UNIX), nodes(QUIC), plain_quinn(time)];
        found.iter_mut().zip(round).for_each(|(rates, rate)| rates.push(rate));
    }
    found.iter_mut().for_each(|rates| rates.sort_by(f64::total_cmp));
    let median = |index: usize| found[index][rounds / 2];
    let heading = ["carrier", "MB/s", "from", "to", "compared"].map(String::from).to_vec();
    let line = |index: usize| {
        let beside = match NAMES[index] {
            "ws" | "unix" => Some(0),
            "quic" => Some(4),
            _ => None,
        };
        let compare = |other| format!("{:.2} x {}", median(index) / median(other), NAMES[other]);
        let [rate, least, most] = [median(index), found[index][0], found[index][rounds - 1]]
            .map(|rate| format!("{rate:.1}"));
        let compared = beside.map(compare).unwrap_or_default();
        vec![NAMES[index].to_owned(), rate, least, most, compared]
    };
    let lines: Vec<_> = std::iter::once(heading).chain((0..NAMES.len()).map(line)).collect();
    print!("{}", table(&lines));
}

/// Two nodes of this process, each with a thread.
fn nodes(transport: TransportType, time: Duration) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    actix_rt::System::new().block_on(async {
        let (there, arrived) = sink().await;
        let path = folder.path().join("sink.sock").display().to_string();
        let at = if transport == UNIX { &path } else { "127.0.0.1:0" };
        let route = route![listen(&there, transport, at).await, "sink"];
        let here = node().await;
        let rate = tokio::select! {
            rate = rate(&arrived, time) => rate,
            () = send(&here, route) => unreachable!("it sends for ever"),
        };
        here.stop().await.unwrap();
        there.stop().await.unwrap();
        rate
    })
}

/// The same with quinn alone, and with windows that loopback never fills: two threads, one stream,
/// chunks that are not copied.
fn plain_quinn(time: Duration) -> f64 {
    let arrived = Arc::new(AtomicU64::new(0));
    let (bound, address) = std::sync::mpsc::channel();
    let counter = arrived.clone();
    std::thread::spawn(move || {
        run(async move {
            let socket = endpoint::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
            let mut config = endpoint::server_config().unwrap();
            config.transport_config(Arc::new(wide_open()));
            let endpoint = endpoint::server(socket, config).unwrap();
            bound.send(endpoint.local_addr().unwrap()).unwrap();
            let connection = endpoint.accept().await.unwrap().await.unwrap();
            let (_, mut stream) = connection.accept_bi().await.unwrap();
            let mut chunks: [Bytes; 32] = Default::default();
            while let Ok(Some(count)) = stream.read_chunks(&mut chunks).await {
                let read: usize = chunks[..count].iter().map(Bytes::len).sum();
                counter.fetch_add(read as u64, Ordering::Relaxed);
            }
        });
    });
    let address = address.recv().unwrap();
    run(async move {
        let mut endpoint = endpoint::client(address).unwrap();
        let mut config = endpoint::client_config().unwrap();
        config.transport_config(Arc::new(wide_open()));
        endpoint.set_default_client_config(config);
        let connection = endpoint.connect(address, "peer").unwrap().await.unwrap();
        let (mut stream, _) = connection.open_bi().await.unwrap();
        let chunk = Bytes::from(vec![7; CHUNK]);
        let sending = async {
            loop {
                stream.write_chunk(chunk.clone()).await.unwrap();
            }
        };
        tokio::select! {
            rate = rate(&arrived, time) => rate,
            () = sending => unreachable!("it sends for ever"),
        }
    })
}

fn wide_open() -> TransportConfig {
    let mut config = TransportConfig::default();
    config.stream_receive_window(VarInt::from_u32(4 << 20)).send_window(4 << 20);
    config
}

fn run<T>(task: impl std::future::Future<Output = T>) -> T {
    runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task)
}
