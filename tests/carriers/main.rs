//! The guide's step 04 with every pair of carriers: an inlet's node reaches the hub by one, an
//! outlet's node by another.
//!
//! `OCKAM_MEGABYTES=100 cargo test --test carriers` sends 100 MB over each stream, in each
//! direction, instead of one; however long that takes, nothing may stand still.

#![cfg(all(feature = "tls", feature = "quic"))]
// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

mod carrier;

use std::{
    future::{Future, IntoFuture},
    net::SocketAddr,
    time::{Duration, Instant},
};

use carrier::{Carrier, Files};
use futures::future::{join_all, try_join_all};
use ockam::{
    route, Address, Context, Entity, ForwardingOptions, ForwardingService, Inlet, Node,
    NodeBuilder, NodeLimits, RemoteForwarder, SecureChannels, TcpTransport, TrustEveryonePolicy,
    Vault,
};
use ockam_actix_harness::{pattern::Pattern, transfer::next_chunk};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(60);
const LISTENER: &str = "listener";
const OUTLET: &str = "outlet";

/// Streams that transfer at the same time.
const STREAMS: u64 = 4;

/// Connections that are open at the same time.
const CONNECTIONS: u64 = 50;

async fn in_time<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// The port of an address in routes; 0 for one that has none.
fn port(address: &Address) -> u16 {
    address.as_str().rsplit_once(':').map_or(0, |(_, port)| port.parse().unwrap())
}

/// A hub, and a node at each of its sides, with an inlet on one and an outlet on the other.
struct Tunnel {
    hub: Node,
    near: (Context, Inlet),
    far: Context,
    /// The hub's address for the inlet's node.
    at: Address,
}

async fn hub(arbiters: usize) -> Node {
    let hub = NodeBuilder::new().arbiters(arbiters).start().await.unwrap();
    ForwardingService::start(&hub, ForwardingOptions::new()).unwrap();
    hub
}

impl Tunnel {
    async fn through(sides: [Carrier; 2], files: &Files, arbiters: usize) -> Self {
        let hub = hub(arbiters).await;
        let first = sides[0].listen(&hub, files, 0).await.unwrap();
        let second = match sides[0] == sides[1] {
            true => first.clone(),
            false => sides[1].listen(&hub, files, 0).await.unwrap(),
        };
        let start = || NodeBuilder::new().arbiters(arbiters).start_with_context();
        let (far, near) = (start().await.unwrap(), start().await.unwrap());
        let identity = |ctx: &Context| Entity::create(ctx, &Vault::create(ctx).unwrap()).unwrap();

        sides[1].join(far.node(), files).await;
        let mut entity = identity(&far);
        entity.create_secure_channel_listener(LISTENER, TrustEveryonePolicy).unwrap();
        let tcp = TcpTransport::create(&far).await.unwrap();
        tcp.create_outlet(OUTLET, echo_server().await.to_string()).await.unwrap();
        let registering = RemoteForwarder::create(&far, route![second], LISTENER);
        let forwarder = in_time("a forwarder", registering).await.unwrap();

        sides[0].join(near.node(), files).await;
        let to_listener = route![first.clone(), forwarder.remote_address()];
        let channel =
            identity(&near).create_secure_channel(to_listener, TrustEveryonePolicy).unwrap();
        let tcp = TcpTransport::create(&near).await.unwrap();
        let inlet = tcp.create_inlet("127.0.0.1:0", route![channel, OUTLET]).await.unwrap();
        Self { hub, near: (near, inlet), far, at: first }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.near.1.address()).await.unwrap()
    }

    async fn stop(self) {
        self.near.0.node().stop().await;
        self.far.node().stop().await;
        self.hub.stop().await;
    }
}

/// A server that sends back what it is sent.
async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    actix_rt::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            actix_rt::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    address
}

/// Sends `count` bytes to a server that sends them back, and checks each, and the end.
async fn echoes(mut stream: TcpStream, seed: u64, count: u64) {
    let (mut from, mut to) = stream.split();
    let pattern = Pattern::new(seed);
    let sending = async {
        let mut sent = 0;
        while sent < count {
            let chunk = next_chunk(&pattern, sent, count - sent);
            in_time("room for bytes", to.write_all(&chunk)).await.unwrap();
            sent += chunk.len() as u64;
        }
        to.shutdown().await.unwrap();
    };
    let receiving = async {
        let (mut came, mut buffer) = (0, vec![0; 64 * 1024]);
        loop {
            let read = in_time("bytes", from.read(&mut buffer)).await.unwrap();
            pattern.check(came, &buffer[..read]).unwrap();
            came += read as u64;
            if read == 0 {
                break assert_eq!(came, count);
            }
        }
    };
    tokio::join!(sending, receiving);
}

/// Runs a test with every pair, with one arbiter and with two.
fn with_every_pair<F: Future<Output = ()>>(test: impl Fn(Tunnel) -> F) {
    let files = Files::new();
    for arbiters in [1, 2] {
        for pair in Carrier::ALL.iter().flat_map(|near| Carrier::ALL.map(|far| [*near, far])) {
            let begun = Instant::now();
            actix_rt::System::new().block_on(async {
                test(Tunnel::through(pair, &files, arbiters).await).await;
            });
            println!("{pair:?}, {arbiters} arbiters: {:.1?}", begun.elapsed());
        }
    }
}

#[test]
fn every_pair_of_carriers_changes_no_byte() {
    let megabytes = std::env::var("OCKAM_MEGABYTES").map_or(1, |text| text.parse().unwrap());
    with_every_pair(|tunnel| async move {
        let connecting = in_time("connections", join_all((0..STREAMS).map(|_| tunnel.connect())));
        let count = megabytes * 1_000_000;
        let numbered = connecting.await.into_iter().zip(0..);
        let streams = numbered.map(|(stream, seed)| echoes(stream, seed, count));
        join_all(streams).await;
        tunnel.stop().await;
    });
}

#[test]
fn every_pair_of_carriers_serves_many_connections() {
    with_every_pair(|tunnel| async move {
        let all =
            try_join_all((0..CONNECTIONS).map(|_| TcpStream::connect(tunnel.near.1.address())));
        let all = in_time("connections", all).await.unwrap();
        let numbered = all.into_iter().zip(0..);
        join_all(numbered.map(|(stream, seed)| echoes(stream, seed, 10_000))).await;
        tunnel.stop().await;
    });
}

/// Says a byte and hears it.
async fn speak(stream: &mut TcpStream, byte: u8) {
    stream.write_all(&[byte]).await.unwrap();
    assert_eq!(in_time("a byte", stream.read_u8()).await.unwrap(), byte);
}

#[test]
fn streams_outlive_a_hub_on_every_carrier() {
    let files = Files::new();
    for carrier in Carrier::ALL {
        println!("{carrier:?}");
        actix_rt::System::new().block_on(async {
            let mut tunnel = Tunnel::through([carrier; 2], &files, 1).await;
            let mut stream = tunnel.connect().await;
            speak(&mut stream, 1).await;
            tunnel.hub.stop().await;
            tunnel.hub = hub(1).await;
            let listening = async {
                // QUIC keeps its socket for a moment, for what is still under way to it.
                while carrier.listen(&tunnel.hub, &files, port(&tunnel.at)).await.is_err() {
                    tokio::task::yield_now().await;
                }
            };
            in_time("the hub's address", listening).await;
            speak(&mut stream, 2).await;
            tunnel.stop().await;
        });
    }
}

#[test]
fn sources_have_a_limit_on_every_carrier() {
    let files = Files::new();
    for carrier in Carrier::ALL.into_iter().filter(|carrier| *carrier != Carrier::Unix) {
        println!("{carrier:?}");
        actix_rt::System::new().block_on(async {
            let limits = NodeLimits { connections_per_source: 2, ..NodeLimits::default() };
            let server = NodeBuilder::new().limits(limits).start().await.unwrap();
            ockam::Echoer::start(&server, "echoer").unwrap();
            let address = carrier.listen(&server, &files, 0).await.unwrap();
            let mut clients = Vec::new();
            for number in 0..3 {
                let ctx = NodeBuilder::new().arbiters(1).start_with_context().await.unwrap();
                carrier.join(ctx.node(), &files).await;
                let asking = ctx.ask(route![address.clone(), "echoer"], String::from("hello"));
                let answer = in_time("an answer", asking.reply_as::<String>().into_future()).await;
                assert_eq!(answer.is_ok(), number < 2, "client {number}: {answer:?}");
                clients.push(ctx);
            }
            for ctx in clients {
                ctx.node().stop().await;
            }
            server.stop().await;
        });
    }
}
