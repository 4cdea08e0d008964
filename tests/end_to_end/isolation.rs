//! A peer can only hurt itself: whoever takes nothing waits alone, beside others that are served.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use ockam_actix_harness::{
    client::{connect, download, read_pattern, Ended},
    deadline::{poll, PATIENCE},
    network::in_own_network,
    pattern::Pattern,
    program::Program,
    target::Target,
};

use crate::tunnel::{forwarded_outlet, hub, inlet_address, start};

/// Bytes of one download beside others.
const LOAD: u64 = 20_000_000;

/// Bytes that a hub may take more while a peer reads nothing, and while strangers flood it: what
/// it holds for one source, and the memory around that.
const MOST_GROWTH: u64 = 2_000_000;
const MOST_FLOODED: u64 = 24_000_000;

/// Step 04 with inlets of several programs.
struct Crowd {
    hub: Program,
    outlet: Program,
    inlets: Vec<(SocketAddr, Program)>,
    forwarder: String,
}

fn crowd(target: &Target, inlets: usize) -> Crowd {
    let hub = hub(1);
    let (outlet, forwarder) = forwarded_outlet(&target.address(), 1);
    let inlet = |_| {
        let inlet = start("04-inlet", &["127.0.0.1:0", &forwarder], 1);
        (inlet_address(&inlet), inlet)
    };
    let inlets: Vec<_> = (0..inlets).map(inlet).collect();
    for (address, _) in &inlets {
        assert_eq!(download(*address, LOAD, 1), Ended::Whole);
    }
    Crowd { hub, outlet, inlets, forwarder }
}

/// A stranger that sends garbage to the forwarder, on lanes of which each has credit, and reads
/// nothing, so that all the notices about it wait for it.
fn stranger(forwarder: &str, messages: usize) -> TcpStream {
    let greeting = b"\0\0\0\x13\0\0\x93\xabockam-actix\x01\xce\0\x04\0\0";
    let forwarder = forwarder.split('.').next().unwrap_or_default().as_bytes();
    let body = [
        &[0x95, 0, 0x20, 0x91, 0xd9, forwarder.len() as u8][..],
        forwarder,
        &[0x91, 0xa1, b'a', 0xc4, 40],
        &[7; 40],
    ]
    .concat();
    let mut stranger = connect("127.0.0.1:4000".parse().unwrap(), PATIENCE).unwrap();
    stranger.write_all(greeting).unwrap();
    stranger.read_exact(&mut [0; 25]).unwrap();
    for number in 0..messages {
        // 50 messages on each lane: less than its credit.
        let lane = u16::try_from(number / 50 + 1).unwrap().to_be_bytes();
        let frame = [&[0, 0, 0, body.len() as u8], &lane[..], &body].concat();
        stranger.write_all(&frame).unwrap();
    }
    stranger
}

#[test]
fn strangers_that_read_nothing_silence_nobody() {
    in_own_network(|| {
        let target = Target::start();
        let crowd = crowd(&target, 1);
        let inlet = crowd.inlets[0].0;
        let idle = crowd.hub.memory();
        let strangers: Vec<_> = (0..3)
            .map(|_| {
                let stranger = stranger(&crowd.forwarder, 30_000);
                let begun = Instant::now();
                assert_eq!(download(inlet, LOAD, 1), Ended::Whole);
                println!("served within {:?}", begun.elapsed());
                stranger
            })
            .collect();
        let grown = crowd.hub.memory().saturating_sub(idle);
        println!("the hub has taken {grown} bytes: {} and {}", crowd.hub, crowd.outlet);
        assert!(grown <= MOST_FLOODED, "{grown} bytes");
        drop(strangers);
    });
}

#[test]
fn a_client_that_stands_still_holds_up_nobody() {
    in_own_network(|| {
        let target = Target::start();
        let crowd = crowd(&target, 2);
        let [(busy, _), (stopped, program)] = &crowd.inlets[..] else { panic!("two inlets") };
        let received = AtomicU64::new(0);
        thread::scope(|scope| {
            let downloads: Vec<_> = (0..20)
                .map(|seed| {
                    let received = &received;
                    scope.spawn(move || {
                        let mut client = connect(*stopped, PATIENCE).unwrap();
                        writeln!(client, "SEND {LOAD} {seed}").unwrap();
                        let mut before = 0;
                        read_pattern(client, LOAD, &Pattern::new(seed), |now| {
                            received.fetch_add(now - before, Ordering::Relaxed);
                            before = now;
                        })
                    })
                })
                .collect();
            poll("downloads whose windows have grown", PATIENCE, || {
                let received = received.load(Ordering::Relaxed);
                (received > 3 * LOAD).then_some(()).ok_or(format!("{received} bytes"))
            });
            program.stand_still();
            let before = crowd.hub.memory();
            for seed in 0..5 {
                assert_eq!(download(*busy, LOAD, seed), Ended::Whole);
            }
            let grown = crowd.hub.memory().saturating_sub(before);
            println!("the hub has taken {grown} bytes");
            assert!(grown <= MOST_GROWTH, "{grown} bytes");
            program.go_on();
            for download in downloads {
                assert_eq!(download.join().unwrap(), Ended::Whole);
            }
        });
    });
}
