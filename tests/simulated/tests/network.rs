//! The simulated network itself: time, links, faults, and nodes that come back.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{io::ErrorKind, panic::catch_unwind, time::Duration};

use ockam::{
    route,
    testing::{explore, Host, LinkOptions, Listener, Network, Stream, TestNode},
    Echoer, ListenOptions, Node, Result, Route, TcpTransport, TCP,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{timeout, Instant},
};

const OUTAGE: Duration = Duration::from_secs(600);

async fn echo_program(node: Node) -> Result<()> {
    Echoer::start(&node, "echo")?;
    let listen = ListenOptions::on("hub:4000").expose("echo");
    TcpTransport::create(&node).await?.listen(listen).await.map(drop)
}

fn to_echo() -> Route {
    route![(TCP, "hub:4000"), "echo"]
}

/// A hub with an echoer, and a node that asks it.
async fn two_nodes(net: &Network) -> (TestNode, TestNode) {
    let (mut hub, a) = (net.node("hub"), net.node("a"));
    hub.boot(echo_program).await.unwrap();
    TcpTransport::create(&a).await.unwrap();
    (hub, a)
}

async fn ask(a: &TestNode) -> Result<u32> {
    a.context()?.ask(to_echo(), 7_u32).reply_as().await
}

/// Waits until an answer comes; returns how long that took.
async fn answered(net: &Network, a: &TestNode) -> Duration {
    let begun = Instant::now();
    while ask(a).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no answer");
        net.sleep(Duration::from_millis(100)).await;
    }
    begun.elapsed()
}

/// A run with an outage of ten minutes; returns its log.
fn outage(seed: u64) -> String {
    let net = Network::seeded(seed);
    net.set_links(LinkOptions::new().jitter(Duration::from_millis(20)));
    net.run(async {
        let (_hub, a) = two_nodes(&net).await;
        assert_eq!(ask(&a).await.unwrap(), 7);
        net.cut("a", "hub");
        net.sleep(OUTAGE).await;
        assert!(ask(&a).await.is_err());
        net.mend("a", "hub");
        net.note(format_args!("it works after {:?}", answered(&net, &a).await));
    });
    assert!(net.elapsed() > OUTAGE);
    net.log()
}

#[test]
fn ten_minutes_of_outage_take_milliseconds() {
    let begun = std::time::Instant::now();
    let log = outage(7);
    // A hundred times what it takes, for a machine that is busy.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(log.contains("the link a - hub is cut"), "{log}");
    assert_eq!(outage(7), log);
    assert_ne!(outage(8), log, "other delays");
}

#[test]
fn killed_and_crashed_nodes_come_back() {
    let net = Network::seeded(1);
    net.run(async {
        let (mut hub, a) = two_nodes(&net).await;
        for crashes in [false, true] {
            answered(&net, &a).await;
            let before = hub.as_ref().clone();
            if crashes {
                hub.crash();
            } else {
                hub.kill();
            }
            assert!(before.is_stopping());
            net.sleep(OUTAGE).await;
            assert!(ask(&a).await.is_err());
            hub.restart().await.unwrap();
            answered(&net, &a).await;
        }
    });
}

#[test]
fn partitions_and_their_healing_concern_all_pairs() {
    let net = Network::seeded(1);
    net.run(async {
        let (_hub, a) = two_nodes(&net).await;
        let b = net.node("b");
        TcpTransport::create(&b).await.unwrap();
        net.partition(&["a", "b"], &["hub"]);
        for node in [&a, &b] {
            assert!(timeout(OUTAGE, ask(node)).await.unwrap().is_err());
        }
        net.heal(&["a", "b"], &["hub"]);
        for node in [&a, &b] {
            answered(&net, node).await;
        }
    });
}

/// A client and what it is connected to.
async fn connected(client: &Host, server: &Host) -> (Stream, Stream, Listener) {
    let listener = server.listen_on(&format!("{}:0", server.name())).unwrap();
    let (stream, accepted) =
        tokio::join!(client.connect(listener.local_address()), listener.accept());
    (stream.unwrap(), accepted.unwrap().0, listener)
}

#[test]
fn links_have_latency_and_rate() {
    let net = Network::seeded(1);
    let options = LinkOptions::new().latency(Duration::from_millis(50)).bytes_per_second(100_000);
    net.set_link("client", "server", options);
    net.run(async {
        let begun = Instant::now();
        let (mut client, mut server, _) = connected(&net.host("client"), &net.host("server")).await;
        assert_eq!(begun.elapsed(), Duration::from_millis(100), "there and back");
        let begun = Instant::now();
        let send = async {
            client.write_all(&[7; 200_000]).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let mut got = Vec::new();
        let ((), read) = tokio::join!(send, server.read_to_end(&mut got));
        assert_eq!((read.unwrap(), begun.elapsed().as_millis()), (200_000, 2_050));
    });
}

#[test]
fn lossy_links_delay_bytes_and_keep_them() {
    let net = Network::seeded(3);
    net.set_links(LinkOptions::new().jitter(Duration::from_millis(20)).loss_per_mille(200));
    net.run(async {
        let (mut client, mut server, _) = connected(&net.host("client"), &net.host("server")).await;
        let begun = Instant::now();
        for number in 0..100 {
            client.write_u32(number).await.unwrap();
            assert_eq!(server.read_u32().await.unwrap(), number);
        }
        assert!(begun.elapsed() > 10 * Duration::from_millis(200), "{:?}", begun.elapsed());
    });
}

#[test]
fn ends_resets_and_refusals_are_seen() {
    let net = Network::seeded(1);
    let (client, server) = (net.host("client"), net.host("server"));
    net.run(async {
        let refused = client.connect_to("server:1").await.unwrap_err().kind();
        assert_eq!(refused, ErrorKind::ConnectionRefused);
        let unknown = client.connect_to("nowhere:1").await.unwrap_err().to_string();
        assert_eq!(unknown, "no host \"nowhere\" in this network: Name or service not known");

        let (mut one, other, _) = connected(&client, &server).await;
        drop(other);
        assert_eq!(one.read(&mut [0]).await.unwrap(), 0, "an end");
        let (mut one, other, _) = connected(&client, &server).await;
        one.write_all(b"unread").await.unwrap();
        net.sleep(Duration::from_secs(1)).await;
        drop(other);
        let reset = one.read(&mut [0]).await.unwrap_err().kind();
        assert_eq!(reset, ErrorKind::ConnectionReset, "bytes were left unread");
    });
}

#[test]
fn readers_that_stop_stop_their_writers() {
    let net = Network::seeded(1);
    net.run(async {
        let (mut client, mut server, _) = connected(&net.host("client"), &net.host("server")).await;
        let mut taken = 0;
        let second = Duration::from_secs(1);
        while let Ok(written) = timeout(second, client.write(&[1; 10_000])).await {
            taken += written.unwrap();
        }
        assert!((100_000..1_000_000).contains(&taken), "{taken}");
        let mut left = vec![0; taken];
        server.read_exact(&mut left).await.unwrap();
        timeout(second, client.write(&[1; 10_000])).await.unwrap().unwrap();
    });
}

#[test]
fn a_failing_seed_ends_the_exploration() {
    let seeds = std::cell::RefCell::new(Vec::new());
    let failed = catch_unwind(std::panic::AssertUnwindSafe(|| {
        explore(5, |net| {
            seeds.borrow_mut().push(net.seed());
            assert_ne!(net.seed(), 2, "the third one fails, and says so");
        });
    }));
    assert!(failed.is_err());
    assert_eq!(*seeds.borrow(), [0, 1, 2]);
}

#[test]
#[should_panic = "the test was not done"]
fn waiting_for_what_never_happens_ends() {
    Network::seeded(1).run(std::future::pending::<()>());
}

#[test]
fn hosts_that_nobody_added_are_named() {
    let net = Network::seeded(8);
    let a = net.node("a");
    net.run(async {
        let listening = TcpTransport::create(&a).await.unwrap().listen("hbu:4000").await;
        let error = listening.unwrap_err().one_line();
        assert!(error.contains("no host \"hbu\""), "{error}");
    });
}

#[test]
fn a_node_is_started_once() {
    let net = Network::seeded(9);
    let a = net.node("a");
    net.run(async {
        // It is used as a node.
        Echoer::start(&a, "echo").unwrap();
        assert_eq!(a.ask("echo", 7_u32).reply_as::<u32>().await.unwrap(), 7);
    });
    let again = std::panic::AssertUnwindSafe(|| net.node("a"));
    assert!(catch_unwind(again).is_err());
}

#[test]
#[should_panic = "IO is disabled"]
fn real_sockets_are_refused() {
    Network::seeded(1).run(async {
        let _ = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    });
}
