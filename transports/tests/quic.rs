//! Nodes that are joined by QUIC: messages, addresses that change, lines that break, and limits.

#![cfg(feature = "quic")]
// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

mod echoer;

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    process::Command,
    time::{Duration, Instant},
};

use echoer::Echoer;
use ockam_actix_harness::{
    datagrams::{DatagramProxy, Line},
    network::{in_own_network, is_own},
    pauses::Pauses,
};
use ockam_actix_runtime::{
    edge::first_hop::FirstHop, route, Context, Host, NodeBuilder, NodeLimits, Route,
};
use ockam_actix_transports::{
    quic::{self, limits::UNVALIDATED_HANDSHAKES},
    tcp, ListenOptions, Listener, QUIC,
};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);

async fn start(builder: NodeBuilder) -> Context {
    let ctx = builder.start_with_context().await.unwrap();
    quic::add(ctx.node());
    tcp::add(ctx.node()).unwrap();
    ctx
}

/// A node with an echoer, its listener, and a node that knows neither.
async fn two(arbiters: usize, limits: NodeLimits) -> (Context, Listener, Context) {
    let builder = NodeBuilder::new().arbiters(arbiters);
    let there = start(builder.clone().limits(limits)).await;
    there.worker("echoer", Echoer).start().unwrap();
    let options = ListenOptions::on("127.0.0.1:0");
    let listener = quic::listener::listen(there.node(), options).await.unwrap();
    (there, listener, start(builder).await)
}

fn to(peer: SocketAddr) -> Route {
    route![(QUIC, peer.to_string()), "echoer"]
}

/// The first hop to a peer, once there is a connection.
async fn connected(ctx: &Context, peer: SocketAddr) -> FirstHop {
    let mut hop = ctx.node().first_hop(&to(peer)).unwrap();
    timeout(DEADLINE, hop.up()).await.expect("a connection");
    hop
}

async fn echo(ctx: &Context, peer: SocketAddr, text: &str) {
    let asked = ctx.ask(to(peer), text.to_owned()).reply_as().within(DEADLINE).await;
    let answer: String = asked.unwrap();
    assert_eq!(answer, text);
}

fn run<F: Future<Output = ()>>(test: impl Fn(usize) -> F) {
    for arbiters in [1, 2] {
        actix_rt::System::new().block_on(test(arbiters));
    }
}

#[test]
fn messages_of_any_size_pass() {
    run(|arbiters| async move {
        let (there, listener, here) = two(arbiters, NodeLimits::default()).await;
        for length in [0, 1, 1_200, 60_000] {
            echo(&here, listener.address(), &"x".repeat(length)).await;
        }
        // The list's first does not answer, and its second is of another transport.
        let tcp = tcp::listener::listen(there.node(), "127.0.0.1:0".into()).await.unwrap();
        let list = format!("quic#127.0.0.1:1,tcp#{}", tcp.address());
        let asked = here.ask(route![list, "echoer"], "hello".to_owned());
        let answer: String = asked.reply_as().within(DEADLINE).await.unwrap();
        assert_eq!(answer, "hello");
    });
}

#[test]
fn a_client_that_moves_keeps_its_connection() {
    run(|arbiters| async move {
        let (_there, listener, here) = two(arbiters, NodeLimits::default()).await;
        let line = Line { delay: Duration::from_millis(5), ..Line::default() };
        let proxy = DatagramProxy::start(listener.address(), line).unwrap();
        let hop = connected(&here, proxy.address()).await;
        let before = hop.state();
        for _ in 0..5 {
            echo(&here, proxy.address(), &"before ".repeat(5_000)).await;
            // What is under way meanwhile is lost at the old address.
            let large = "after ".repeat(10_000);
            let (_, moved) =
                tokio::join!(echo(&here, proxy.address(), &large), async { proxy.move_client() });
            moved.unwrap();
            echo(&here, proxy.address(), "once more").await;
        }
        let after = hop.state();
        assert!(after.up && after.epoch == before.epoch, "{before:?}, then {after:?}");
    });
}

/// Runs `ip` in the network of this test.
fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split_whitespace()).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

#[test]
fn a_host_with_another_address_keeps_its_connections() {
    in_own_network(|| {
        if !is_own() {
            return println!("skipped: no network of its own");
        }
        for address in ["10.5.0.1", "10.5.0.2", "10.5.0.3"] {
            ip(&format!("addr add {address}/32 dev lo"));
        }
        let from = |own: &str| format!("route replace local 10.5.0.1 dev lo table local src {own}");
        ip(&from("10.5.0.2"));
        actix_rt::System::new().block_on(async {
            let there = start(NodeBuilder::new().arbiters(1)).await;
            there.worker("echoer", Echoer).start().unwrap();
            let options = ListenOptions::on("10.5.0.1:0").expose("echoer");
            let listener = quic::listener::listen(there.node(), options).await.unwrap();
            let here = start(NodeBuilder::new().arbiters(1)).await;
            let hop = connected(&here, listener.address()).await;
            echo(&here, listener.address(), "from the first address").await;
            let before = hop.state().epoch;
            ip(&from("10.5.0.3"));
            ip("addr del 10.5.0.2/32 dev lo");
            echo(&here, listener.address(), "from the second address").await;
            assert!(hop.state().up && hop.state().epoch == before);
        });
    });
}

#[test]
fn a_lossy_line_delivers_every_message() {
    run(|arbiters| async move {
        let (_there, listener, here) = two(arbiters, NodeLimits::default()).await;
        let ms = Duration::from_millis;
        let line = Line { delay: ms(2), jitter: ms(4), lost: 20, doubled: 20, seed: 7 };
        let proxy = DatagramProxy::start(listener.address(), line).unwrap();
        let text: String = (0..10_000).map(|number| number.to_string()).collect();
        for _ in 0..5 {
            echo(&here, proxy.address(), &text).await;
        }
    });
}

#[test]
fn a_cut_line_is_noticed_and_used_again() {
    actix_rt::System::new().block_on(async {
        let (_there, listener, here) = two(1, NodeLimits::default()).await;
        let proxy = DatagramProxy::start(listener.address(), Line::default()).unwrap();
        let mut hop = connected(&here, proxy.address()).await;
        let epoch = hop.state().epoch;
        proxy.cut(true);
        let (pauses, begun) = (Pauses::watch(), Instant::now());
        here.try_send(to(proxy.address()), "lost".to_owned()).unwrap();
        timeout(DEADLINE, hop.lost(epoch)).await.expect("the loss is noticed");
        let silent = pauses.running(begun, Instant::now());
        assert!(silent < Duration::from_secs(6), "noticed after {silent:?}");
        proxy.cut(false);
        timeout(DEADLINE, hop.up()).await.expect("a connection again");
        echo(&here, proxy.address(), "again").await;
    });
}

#[test]
fn a_node_that_stops_says_so() {
    run(|arbiters| async move {
        let (there, listener, here) = two(arbiters, NodeLimits::default()).await;
        let mut hop = connected(&here, listener.address()).await;
        let epoch = hop.state().epoch;
        let (stopped, lost) = tokio::join!(
            timeout(DEADLINE, there.stop()),
            // Long before silence would be noticed.
            timeout(Duration::from_secs(10), hop.lost(epoch))
        );
        stopped.expect("the node stops").unwrap();
        lost.expect("its peer hears of it");
    });
}

#[test]
fn a_stopped_listener_refuses_and_keeps_connections() {
    actix_rt::System::new().block_on(async {
        let (_there, listener, here) = two(1, NodeLimits::default()).await;
        echo(&here, listener.address(), "open").await;
        let other = start(NodeBuilder::new().arbiters(1)).await;
        listener.stop().unwrap();
        // Its acceptor stops in a turn of its own.
        tokio::task::yield_now().await;
        echo(&here, listener.address(), "still open").await;
        let mut hop = other.node().first_hop(&to(listener.address())).unwrap();
        timeout(DEADLINE, hop.attempted()).await.unwrap().unwrap_err();
        echo(&here, listener.address(), "still open").await;
    });
}

#[test]
fn a_source_has_no_more_than_its_share() {
    actix_rt::System::new().block_on(async {
        let limits = NodeLimits { connections_per_source: 1, ..NodeLimits::default() };
        let (_there, listener, here) = two(1, limits).await;
        echo(&here, listener.address(), "the first").await;
        let other = start(NodeBuilder::new().arbiters(1)).await;
        let mut hop = other.node().first_hop(&to(listener.address())).unwrap();
        let why = timeout(DEADLINE, hop.attempted()).await.unwrap().unwrap_err();
        assert!(why.contains("cannot connect"), "{why}");
        drop(here);
    });
}

/// The first packets of so many connections, which never go on.
async fn first_packets(count: usize) -> Vec<Vec<u8>> {
    let ctx = start(NodeBuilder::new().arbiters(1)).await;
    let mut packets = Vec::new();
    for _ in 0..count {
        let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        nobody.set_nonblocking(true).unwrap();
        let nobody = tokio::net::UdpSocket::from_std(nobody).unwrap();
        let _hop = ctx.node().first_hop(&to(nobody.local_addr().unwrap())).unwrap();
        let mut packet = vec![0; 2_000];
        let received = timeout(DEADLINE, nobody.recv(&mut packet)).await;
        packet.truncate(received.expect("a first packet").unwrap());
        packets.push(packet);
    }
    packets
}

/// Whether a packet asks its receiver to show that it receives what is sent to its address.
fn is_retry(packet: &[u8]) -> bool {
    packet[0] & 0xf0 == 0xf0
}

#[test]
fn strangers_without_an_address_keep_nobody_out() {
    actix_rt::System::new().block_on(async {
        let (_there, listener, here) = two(1, NodeLimits::default()).await;
        let mut answers = Vec::new();
        for packet in first_packets(UNVALIDATED_HANDSHAKES + 4).await {
            let stranger = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            stranger.send_to(&packet, listener.address()).await.unwrap();
            let mut answer = vec![0; 2_000];
            timeout(DEADLINE, stranger.recv(&mut answer)).await.expect("an answer").unwrap();
            answers.push(is_retry(&answer));
        }
        let asked = answers.iter().filter(|asked| **asked).count();
        assert_eq!(asked, 4, "{answers:?}");
        assert!(answers[UNVALIDATED_HANDSHAKES..].iter().all(|asked| *asked));
        // A node answers that.
        echo(&here, listener.address(), "hello").await;
    });
}
