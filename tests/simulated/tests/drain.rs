//! Hubs that stop: their peers move to other hubs, and no stream waits for long.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use ockam::{
    cluster::Cluster,
    route,
    testing::{explore, LinkOptions, Network, Stream, TestNode},
    Echoer, Entity, ForwardingOptions, ForwardingService, Node, RemoteForwarder, Result,
    SecureChannels, TcpTransport, TrustEveryonePolicy, Vault, TCP,
};
use ockam_actix_harness::pattern::Pattern;
use simulated::bus::MemoryBus;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
    time::{sleep, timeout, Instant},
};

/// Of each link: a round trip from the inlet to the outlet and back takes four times as long.
const LATENCY: Duration = Duration::from_millis(20);

/// Three round trips: two of a handshake, and one in which a stream is resumed.
const SHORT: Duration = Duration::from_millis(20 * 13);

const TARGET: &str = "far:5000";

fn at(hub: &str) -> String {
    format!("{hub}:4000")
}

fn list(hubs: &[&str]) -> String {
    hubs.iter().map(|hub| at(hub)).collect::<Vec<_>>().join(",")
}

async fn hub(node: Node, name: &'static str, bus: Option<MemoryBus>) -> Result<()> {
    let mut options = ForwardingOptions::new();
    if let Some(bus) = bus {
        options = options.cluster(Cluster::join(&node, (TCP, at(name)), bus.join(name))?);
    }
    ForwardingService::start(&node, options)?;
    TcpTransport::create(&node).await?.listen(at(name)).await.map(drop)
}

async fn hubs(net: &Network, names: &[&'static str], bus: Option<MemoryBus>) -> Vec<TestNode> {
    net.set_links(LinkOptions::new().latency(LATENCY));
    let mut nodes = Vec::new();
    for name in names {
        let (mut node, bus, name) = (net.node(name), bus.clone(), *name);
        node.boot(move |node| hub(node, name, bus.clone())).await.unwrap();
        nodes.push(node);
    }
    nodes
}

/// The two ends of a tunnel with one stream, which its target fills.
struct Tunnel {
    _far: TestNode,
    _near: TestNode,
    forwarder: RemoteForwarder,
    client: Stream,
    pouring: JoinHandle<()>,
    read: u64,
}

impl Tunnel {
    /// With an outlet at some hubs, and an inlet that goes through one of others.
    async fn start(net: &Network, outlet: &[&str], inlet: &[&str]) -> Self {
        let (far, near) = (net.node("far"), net.node("near"));
        let tcp = TcpTransport::create(&far).await.unwrap();
        let mut entity = Entity::create(&far, &Vault::in_memory()).unwrap();
        entity.create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
        tcp.create_outlet("outlet", TARGET).await.unwrap();
        let hubs = (TCP, list(outlet));
        let forwarder = RemoteForwarder::create(&far, hubs, "listener").await.unwrap();
        let mut state = forwarder.watch();
        let all = outlet.len() as u64;
        state.wait_for(|state| state.registrations == all).await.unwrap();

        let tcp = TcpTransport::create(&near).await.unwrap();
        let mut entity = Entity::create(&near, &Vault::in_memory()).unwrap();
        let listener = route![(TCP, list(inlet)), forwarder.remote_address()];
        let channel = entity.create_secure_channel(listener, TrustEveryonePolicy).unwrap();
        tcp.create_inlet("near:4001", route![channel, "outlet"]).await.unwrap();
        let listening = net.host("far").listen_on(TARGET).unwrap();
        let client = near.host().connect_to("near:4001").await.unwrap();
        let (mut target, _) = listening.accept().await.unwrap();
        let pouring = actix_rt::spawn(async move {
            for offset in (0..).step_by(1_000) {
                target.write_all(&Pattern::new(1).bytes(offset, 1_000)).await.unwrap();
                sleep(Duration::from_millis(5)).await;
            }
        });
        Self { _far: far, _near: near, forwarder, client, pouring, read: 0 }
    }

    /// Reads for this long; returns the longest time without a byte.
    async fn longest_stall(&mut self, time: Duration) -> Duration {
        let (mut buffer, end) = (vec![0; 64 * 1024], Instant::now() + time);
        let (mut longest, mut last) = (Duration::ZERO, Instant::now());
        while Instant::now() < end {
            let read = timeout(Duration::from_secs(60), self.client.read(&mut buffer)).await;
            let read = read.expect("waited 60 s for a byte").expect("it is not reset");
            assert!(read > 0, "it has not ended");
            Pattern::new(1).check(self.read, &buffer[..read]).unwrap();
            self.read += read as u64;
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        longest
    }

    /// Stops a hub while bytes flow; returns how long they stood still, and how long the hub has
    /// taken.
    async fn drain(&mut self, hub: &TestNode) -> (Duration, Duration) {
        let begun = Instant::now();
        let stopping = async {
            hub.as_ref().stop().await;
            begun.elapsed()
        };
        tokio::join!(self.longest_stall(Duration::from_secs(5)), stopping)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.pouring.abort();
    }
}

#[test]
fn streams_move_within_three_round_trips() {
    explore(5, |net| {
        net.run(async {
            let names = ["one", "two"];
            let mut hubs = hubs(net, &names, None).await;
            let mut tunnel = Tunnel::start(net, &names, &names).await;
            assert!(tunnel.longest_stall(Duration::from_secs(3)).await < SHORT);
            for stopped in [0, 1, 0] {
                let (stall, took) = tunnel.drain(&hubs[stopped]).await;
                assert!(stall < SHORT, "{stall:?}");
                assert!(took < Duration::from_secs(3), "{took:?}");
                hubs[stopped].restart().await.unwrap();
                net.sleep(Duration::from_secs(3)).await;
            }
        });
    });
}

#[test]
fn a_cluster_drains_hubs_nobody_names() {
    explore(5, |net| {
        let bus = MemoryBus::default();
        net.run(async {
            let mut hubs = hubs(net, &["one", "two", "three"], Some(bus.clone())).await;
            let mut tunnel = Tunnel::start(net, &["one", "three"], &["two"]).await;
            tunnel.longest_stall(Duration::from_secs(3)).await;
            for stopped in [0, 2, 0] {
                let (stall, took) = tunnel.drain(&hubs[stopped]).await;
                // Through two hubs, a round trip takes half as long again.
                assert!(stall < 2 * SHORT, "{stall:?}");
                assert!(took < Duration::from_secs(4), "{took:?}");
                hubs[stopped].restart().await.unwrap();
                net.sleep(Duration::from_secs(3)).await;
            }
        });
    });
}

#[test]
fn all_hubs_of_a_cluster_restart_in_turn() {
    explore(5, |net| {
        let (bus, names) = (MemoryBus::default(), ["one", "two", "three"]);
        net.run(async {
            let mut hubs = hubs(net, &names, Some(bus.clone())).await;
            let mut tunnel = Tunnel::start(net, &names, &names).await;
            tunnel.longest_stall(Duration::from_secs(3)).await;
            for _ in 0..2 {
                for hub in &mut hubs {
                    let (stall, _) = tunnel.drain(hub).await;
                    // The inlet may come to a hub before the outlet has come back to that.
                    assert!(stall < Duration::from_secs(1), "{stall:?}");
                    hub.restart().await.unwrap();
                }
            }
            assert!(tunnel.forwarder.watch().borrow().registered);
        });
    });
}

#[test]
fn two_hubs_drain_at_the_same_time() {
    explore(5, |net| {
        let (bus, names) = (MemoryBus::default(), ["one", "two", "three"]);
        net.run(async {
            let hubs = hubs(net, &names, Some(bus.clone())).await;
            let mut tunnel = Tunnel::start(net, &names, &names).await;
            tunnel.longest_stall(Duration::from_secs(3)).await;
            let begun = Instant::now();
            let stopping = async {
                let other = async {
                    net.sleep(Duration::from_millis(net.random(700))).await;
                    hubs[1].as_ref().stop().await;
                };
                tokio::join!(hubs[0].as_ref().stop(), other);
                begun.elapsed()
            };
            let (stall, took) =
                tokio::join!(tunnel.longest_stall(Duration::from_secs(12)), stopping);
            assert!(stall < Duration::from_secs(2), "{stall:?}");
            assert!(took < Duration::from_secs(8), "{took:?}");
        });
    });
}

#[test]
fn a_drain_needs_no_bus() {
    explore(5, |net| {
        let bus = MemoryBus::default();
        net.run(async {
            let hubs = hubs(net, &["one", "two", "three"], Some(bus.clone())).await;
            let mut tunnel = Tunnel::start(net, &["one", "three"], &["two"]).await;
            tunnel.longest_stall(Duration::from_secs(3)).await;
            // Nobody hears that the forwarder has left, until the bus is back, which is empty.
            bus.cut("one", true);
            let back = async {
                net.sleep(Duration::from_millis(net.random(1_500))).await;
                bus.cut("one", false);
            };
            let ((stall, took), ()) = tokio::join!(tunnel.drain(&hubs[0]), back);
            assert!(stall < Duration::from_secs(4), "{stall:?}");
            assert!(took < Duration::from_secs(4), "{took:?}");
        });
    });
}

#[test]
fn who_comes_during_a_drain_delays_nothing() {
    let net = Network::seeded(3);
    net.run(async {
        let names = ["one", "two"];
        let hubs = hubs(&net, &names, None).await;
        let mut tunnel = Tunnel::start(&net, &names, &names).await;
        tunnel.longest_stall(Duration::from_secs(3)).await;
        // It registers and releases all the time, over a connection that is there already.
        let busy = net.node("busy");
        TcpTransport::create(&busy).await.unwrap();
        Echoer::start(&busy, "echo").unwrap();
        let coming = actix_rt::spawn(async move {
            loop {
                if let Ok(forwarder) =
                    RemoteForwarder::create(&busy, (TCP, "one:4000"), "echo").await
                {
                    sleep(Duration::from_millis(3)).await;
                    forwarder.stop().await;
                }
                sleep(Duration::from_millis(3)).await;
            }
        });
        sleep(Duration::from_secs(1)).await;
        let (stall, took) = tunnel.drain(&hubs[0]).await;
        coming.abort();
        assert!(stall < SHORT, "{stall:?}");
        assert!(took < Duration::from_secs(3), "{took:?}");
    });
}

#[test]
fn a_hub_without_another_stops_at_once() {
    let net = Network::seeded(1);
    net.run(async {
        let mut hubs = hubs(&net, &["one"], None).await;
        let mut tunnel = Tunnel::start(&net, &["one"], &["one"]).await;
        tunnel.longest_stall(Duration::from_secs(3)).await;
        let begun = Instant::now();
        hubs[0].as_ref().stop().await;
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
        hubs[0].restart().await.unwrap();
        tunnel.longest_stall(Duration::from_secs(5)).await;
    });
}

#[test]
fn peers_that_do_not_move_are_given_up() {
    let net = Network::seeded(2);
    net.run(async {
        let names = ["one", "two"];
        let hubs = hubs(&net, &names, None).await;
        let mut tunnel = Tunnel::start(&net, &names, &names).await;
        tunnel.longest_stall(Duration::from_secs(3)).await;
        // Neither finds the other hub.
        hubs[1].kill();
        let begun = Instant::now();
        hubs[0].as_ref().stop().await;
        let took = begun.elapsed();
        assert!(took > Duration::from_secs(9) && took < Duration::from_secs(12), "{took:?}");
    });
}
