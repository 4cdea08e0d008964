//! Streams whose path is lost, one case at a time: what each end sees, and when.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{io::ErrorKind, time::Duration};

use ockam::testing::{explore, LinkOptions, Network, Stream};
use ockam_actix_workers::portal::pool::StreamPool;
use simulated::tunnel::{Step, Tunnel, INLET, TARGET};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{timeout, Instant},
};

const MINUTE: Duration = Duration::from_secs(60);

/// A tunnel, and the two ends of a stream through it that is open.
struct OpenStream {
    tunnel: Tunnel,
    client: Stream,
    target: Stream,
}

impl OpenStream {
    async fn start(net: &Network, step: Step) -> Self {
        let tunnel = step.start(net).await.unwrap();
        let listener = net.host("far").listen_on(TARGET).unwrap();
        let mut client = tunnel.nodes[0].host().connect_to(INLET).await.unwrap();
        client.write_all(b"?").await.unwrap();
        let (mut target, _) = listener.accept().await.unwrap();
        let mut question = [0];
        target.read_exact(&mut question).await.unwrap();
        target.write_all(b"!").await.unwrap();
        client.read_exact(&mut question).await.unwrap();
        assert_eq!(question, *b"!");
        Self { tunnel, client, target }
    }

    fn far(&self) -> usize {
        self.tunnel.nodes.len() - 1
    }
}

/// How long it takes until the application sees a reset.
async fn reset_after(stream: &mut Stream, limit: Duration) -> Duration {
    let begun = Instant::now();
    let mut rest = Vec::new();
    let seen = timeout(limit, stream.read_to_end(&mut rest)).await;
    let seen = seen.unwrap_or_else(|_| panic!("waited {limit:?} for a reset"));
    assert_eq!(seen.unwrap_err().kind(), ErrorKind::ConnectionReset);
    begun.elapsed()
}

/// Sends a byte each way.
async fn speak(one: &mut Stream, other: &mut Stream, limit: Duration) {
    for _ in 0..2 {
        one.write_all(b"x").await.unwrap();
        let mut came = [0];
        let read = timeout(limit, other.read_exact(&mut came)).await;
        read.unwrap_or_else(|_| panic!("waited {limit:?} for a byte")).unwrap();
    }
}

#[test]
fn a_killed_hub_stops_nothing_for_long() {
    let net = Network::seeded(1);
    net.run(async {
        let mut open = OpenStream::start(&net, Step::ThroughHub).await;
        for _ in 0..5 {
            open.tunnel.nodes[1].kill();
            open.tunnel.nodes[1].restart().await.unwrap();
            speak(&mut open.client, &mut open.target, Duration::from_secs(3)).await;
            speak(&mut open.target, &mut open.client, Duration::from_secs(3)).await;
        }
    });
}

#[test]
fn clients_learn_at_once_of_a_restarted_outlet() {
    let net = Network::seeded(2);
    net.run(async {
        let mut open = OpenStream::start(&net, Step::ThroughHub).await;
        let far = open.far();
        open.tunnel.nodes[far].kill();
        net.sleep(Duration::from_secs(20)).await;
        open.tunnel.nodes[far].restart().await.unwrap();
        let after = reset_after(&mut open.client, MINUTE).await;
        assert!(after < Duration::from_secs(4), "{after:?}");
    });
}

#[test]
fn a_stopped_node_resets_its_streams() {
    for (step, stopped) in [(Step::ThroughHub, 0), (Step::Direct, 1)] {
        let net = Network::seeded(3);
        net.run(async {
            let mut open = OpenStream::start(&net, step).await;
            let node = open.tunnel.nodes[stopped].as_ref().clone();
            actix_rt::spawn(async move { node.stop().await });
            let other = if stopped == 0 { &mut open.target } else { &mut open.client };
            let after = reset_after(other, MINUTE).await;
            assert!(after < Duration::from_secs(10), "{step:?}: {after:?}");
        });
    }
}

#[test]
fn both_ends_give_up_in_the_end() {
    let net = Network::seeded(4);
    net.run(async {
        let mut open = OpenStream::start(&net, Step::Direct).await;
        net.cut("near", "far");
        open.client.write_all(b"lost").await.unwrap();
        for stream in [&mut open.client, &mut open.target] {
            let after = reset_after(stream, 4 * MINUTE).await;
            assert!(after < 3 * MINUTE, "{after:?}");
        }
        for node in &open.tunnel.nodes {
            let pool = StreamPool::of(node.as_ref());
            while pool.open() > 0 {
                net.sleep(Duration::from_secs(1)).await;
            }
        }
    });
}

#[test]
fn a_reset_while_suspended_reaches_the_target() {
    let net = Network::seeded(5);
    net.run(async {
        let mut open = OpenStream::start(&net, Step::ThroughHub).await;
        open.tunnel.nodes[1].kill();
        net.sleep(Duration::from_secs(20)).await;
        open.client.set_resets_on_close(true);
        drop(open.client);
        net.sleep(Duration::from_secs(1)).await;
        open.tunnel.nodes[1].restart().await.unwrap();
        let after = reset_after(&mut open.target, MINUTE).await;
        assert!(after < Duration::from_secs(4), "{after:?}");
    });
}

#[test]
fn an_end_while_suspended_arrives_with_its_bytes() {
    let net = Network::seeded(6);
    net.run(async {
        let mut open = OpenStream::start(&net, Step::ThroughHub).await;
        open.tunnel.nodes[1].kill();
        net.sleep(Duration::from_secs(10)).await;
        open.target.write_all(b"the last words").await.unwrap();
        drop(open.target);
        open.client.write_all(b"more").await.unwrap();
        net.sleep(Duration::from_secs(10)).await;
        open.tunnel.nodes[1].restart().await.unwrap();
        let mut all = Vec::new();
        timeout(MINUTE, open.client.read_to_end(&mut all)).await.unwrap().unwrap();
        assert_eq!(all, b"the last words");
    });
}

#[test]
fn both_ends_learn_whether_a_stream_began() {
    explore(120, |net| {
        net.set_links(LinkOptions::new().latency(Duration::from_millis(10)));
        net.run(async {
            let mut tunnel = Step::ThroughHub.start(net).await.unwrap();
            let listener = net.host("far").listen_on(TARGET).unwrap();
            let mut client = tunnel.nodes[0].host().connect_to(INLET).await.unwrap();
            client.write_all(b"?").await.unwrap();
            let (seed, ms) = (net.seed(), Duration::from_millis);
            // The hub is lost while the stream opens, and again soon after, for longer than a
            // client waits for an answer.
            net.sleep(ms(seed % 40 * 3)).await;
            tunnel.nodes[1].kill();
            tunnel.nodes[1].restart().await.unwrap();
            net.sleep(ms(100 + seed / 40 * 400)).await;
            tunnel.nodes[1].kill();
            net.sleep(Duration::from_secs(10)).await;
            tunnel.nodes[1].restart().await.unwrap();

            let mut answer = [0];
            let first = timeout(Duration::from_secs(5), listener.accept()).await;
            let Ok(Ok((mut target, _))) = first else {
                // The stream never began.
                reset_after(&mut client, Duration::from_secs(5)).await;
                return;
            };
            target.read_exact(&mut answer).await.unwrap();
            let written = target.write_all(b"!").await;
            let heard = timeout(Duration::from_secs(5), client.read_exact(&mut answer)).await;
            match heard.expect("waited 5 s for what became of the client") {
                Ok(_) => assert!(written.is_ok() && answer == *b"!"),
                Err(_) => drop(reset_after(&mut target, Duration::from_secs(5)).await),
            }
        });
    });
}
