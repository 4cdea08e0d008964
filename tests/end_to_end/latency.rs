//! What somebody who types sees beside bulk transfers through the same secure channel.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use ockam::{
    route, Entity, NodeBuilder, SecureChannels, TcpTransport, TrustEveryonePolicy, Vault, TCP,
};
use ockam_actix_harness::{
    client::connect,
    deadline::{poll, PATIENCE},
    echo,
    target::Target,
};

use crate::line::Line;

/// A line of 5 MB/s and 40 ms there and back.
const LINE: Line = Line { delay: Duration::from_millis(20), rate: 5e6, queue: 256 * 1024 };

const KEYSTROKES: usize = 30;

/// The median time that one byte takes there and back.
fn keystroke(inlet: SocketAddr) -> Duration {
    let mut client = connect(inlet, PATIENCE).unwrap();
    client.set_nodelay(true).unwrap();
    let mut times: Vec<_> = (0..KEYSTROKES)
        .map(|_| {
            let begun = Instant::now();
            client.write_all(b"x").unwrap();
            client.read_exact(&mut [0]).unwrap();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[KEYSTROKES / 2]
}

/// Downloads until `over`; counts the bytes.
fn bulk(inlet: SocketAddr, received: &AtomicU64, over: &AtomicBool) {
    let mut client = connect(inlet, PATIENCE).unwrap();
    writeln!(client, "SEND {} 1", 1_u64 << 40).unwrap();
    let mut chunk = vec![0; 64 * 1024];
    while !over.load(Ordering::Relaxed) {
        received.fetch_add(client.read(&mut chunk).unwrap() as u64, Ordering::Relaxed);
    }
}

/// Two nodes with a line between them: the inlets that lead to an echo and to a source.
async fn over_the_line(source: &Target) -> (Vec<ockam::Node>, [SocketAddr; 2]) {
    let far = NodeBuilder::new().arbiters(1).start().await.unwrap();
    let tcp = TcpTransport::create(&far).await.unwrap();
    tcp.create_outlet("echo", echo::start()).await.unwrap();
    tcp.create_outlet("source", source.address()).await.unwrap();
    let vault = Vault::create(&far).unwrap();
    let mut entity = Entity::create(&far, &vault).unwrap();
    entity.create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
    let listener = tcp.listen("127.0.0.1:0").await.unwrap();
    let line = LINE.start(listener.address()).to_string();
    let near = NodeBuilder::new().arbiters(1).start().await.unwrap();
    let tcp = TcpTransport::create(&near).await.unwrap();
    let vault = Vault::create(&near).unwrap();
    let mut entity = Entity::create(&near, &vault).unwrap();
    let channel =
        entity.create_secure_channel(route![(TCP, line), "listener"], TrustEveryonePolicy).unwrap();
    let mut inlets = Vec::new();
    for name in ["echo", "source"] {
        let inlet = tcp.create_inlet("127.0.0.1:0", route![channel.clone(), name]).await.unwrap();
        inlets.push(inlet.address());
    }
    (vec![far, near], [inlets[0], inlets[1]])
}

/// Measures again if the machine was too busy with other tests for the line's own threads.
fn beside_bulk(streams: usize, limit: Duration) {
    let mut failed = Vec::new();
    while let Err(error) = measure(streams, limit) {
        failed.push(error);
        assert!(failed.len() < 3, "{failed:#?}");
    }
}

fn measure(streams: usize, limit: Duration) -> Result<(), String> {
    actix_rt::System::new().block_on(async {
        let source = Target::start();
        let (nodes, [echo, inlet]) = over_the_line(&source).await;
        let measured = tokio::task::spawn_blocking(move || {
            let idle = keystroke(echo);
            let over = AtomicBool::new(false);
            let counts: Vec<_> = (0..streams).map(|_| AtomicU64::new(0)).collect();
            thread::scope(|scope| {
                for count in &counts {
                    let over = &over;
                    scope.spawn(move || bulk(inlet, count, over));
                }
                let total =
                    || counts.iter().map(|count| count.load(Ordering::Relaxed)).sum::<u64>();
                poll("bulk transfers at full rate", PATIENCE, || {
                    (total() > 10_000_000).then_some(()).ok_or(total().to_string())
                });
                let (before, begun) = (total(), Instant::now());
                let beside = keystroke(echo);
                let rate = (total() - before) as f64 / begun.elapsed().as_secs_f64();
                over.store(true, Ordering::Relaxed);
                let shares: Vec<f64> =
                    counts.iter().map(|count| count.load(Ordering::Relaxed) as f64).collect();
                let jain = shares.iter().sum::<f64>().powi(2)
                    / (streams as f64 * shares.iter().map(|share| share * share).sum::<f64>());
                println!(
                    "a keystroke takes {idle:?} alone, {beside:?} beside {streams} downloads of \
                     {:.2} MB/s in all, Jain {jain:.3}",
                    rate / 1e6
                );
                (idle, beside, rate, jain)
            })
        });
        let (idle, beside, rate, jain) = measured.await.unwrap();
        for node in nodes {
            node.stop().await;
        }
        match beside <= idle + limit && rate > 0.8 * LINE.rate && jain > 0.95 {
            true => Ok(()),
            false => Err(format!("{idle:?} and {beside:?}, {rate} bytes a second, Jain {jain}")),
        }
    })
}

#[test]
fn a_keystroke_beside_one_download_waits_little() {
    beside_bulk(1, Duration::from_millis(80));
}

#[test]
fn a_keystroke_beside_eight_downloads_waits_little() {
    beside_bulk(8, Duration::from_millis(120));
}
