//! A peer can only hurt itself: whoever takes nothing waits alone, beside others that are served.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
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
/// The same where the peer has taken bytes as fast as it could: what was on its way to it then
/// stays at the hub, one and a half round trips' worth. Usually it is half of this or less.
const MOST_STOPPED: u64 = 4_000_000;
const MOST_FLOODED: u64 = 24_000_000;

/// Connections that flood a hub, and the bytes that it may take more for all of them.
const FLOODING: usize = 300;
const MOST_FOR_ALL: u64 = 64 << 20;

/// Step 04 with inlets of several programs.
struct Crowd {
    hub: Program,
    _outlet: Program,
    inlets: Vec<(SocketAddr, Program)>,
    forwarder: String,
}

fn crowd(target: &Target, inlets: usize) -> Crowd {
    let hub = hub(1);
    let (outlet, copied) = forwarded_outlet(&target.address(), 1);
    let forwarder = copied.split('.').next().unwrap().to_owned();
    let inlet = |_| {
        let inlet = start("04-inlet", &["127.0.0.1:0", &copied], 1);
        (inlet_address(&inlet), inlet)
    };
    let inlets: Vec<_> = (0..inlets).map(inlet).collect();
    for (address, _) in &inlets {
        assert_eq!(download(*address, LOAD, 1), Ended::Whole);
    }
    Crowd { hub, _outlet: outlet, inlets, forwarder }
}

/// A node's greeting, as in docs/protocol.md.
const GREETING: &[u8] = b"\0\0\0\x13\0\0\x93\xabockam-actix\x01\xce\0\x04\0\0";

/// A stranger, after the greetings.
fn greeted() -> TcpStream {
    let mut stranger = connect("127.0.0.1:4000".parse().unwrap(), PATIENCE).unwrap();
    stranger.write_all(GREETING).unwrap();
    stranger.read_exact(&mut [0; GREETING.len()]).unwrap();
    stranger
}

/// A message on `lane` with `payload` for the worker or forwarder at `to`, from "a".
fn frame(lane: usize, to: &str, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let body = [
        &[0x95, 0, 0x20, 0x91, 0xd9, u8::try_from(to.len()).unwrap()],
        to.as_bytes(),
        &[0x91, 0xa1, b'a', 0xc6],
        &length,
        payload,
    ]
    .concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[..], &u16::try_from(lane).unwrap().to_be_bytes(), &body].concat()
}

/// A stranger that sends garbage to the forwarder, on lanes of which each has credit, and reads
/// nothing, so that all the notices about it wait for it.
fn stranger(forwarder: &str, messages: usize) -> TcpStream {
    let mut stranger = greeted();
    for number in 0..messages {
        // 50 messages on each lane: less than its credit.
        stranger.write_all(&frame(number / 50 + 1, forwarder, &[7; 40])).unwrap();
    }
    stranger
}

#[test]
fn strangers_that_read_nothing_silence_nobody() {
    in_own_network(|| {
        let target = Target::start();
        let crowd = crowd(&target, 1);
        let inlet = crowd.inlets[0].0;
        let timed = |bytes| {
            let begun = Instant::now();
            assert_eq!(download(inlet, bytes, 1), Ended::Whole);
            begun.elapsed().as_secs_f64()
        };
        // The best of three: other tests run at the same time, and not evenly.
        let best = || (0..3).map(|_| timed(20 * LOAD)).fold(f64::INFINITY, f64::min);
        let alone = best();
        let idle = crowd.hub.memory();
        let strangers = [(); 3].map(|()| stranger(&crowd.forwarder, 30_000));
        let beside = best();
        let grown = crowd.hub.memory().saturating_sub(idle);
        println!(
            "beside 3 strangers with 30,000 messages each, a client keeps {:.0} %; the hub takes \
             {grown} bytes more",
            100.0 * alone / beside
        );
        assert!(alone > 0.5 * beside, "{alone} s alone, {beside} s beside strangers");
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
            // What the hub takes for the client that goes on is not counted below.
            assert_eq!(download(*busy, LOAD, 5), Ended::Whole);
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
            assert!(grown <= MOST_STOPPED, "{grown} bytes");
            program.go_on();
            for download in downloads {
                assert_eq!(download.join().unwrap(), Ended::Whole);
            }
        });
    });
}

/// The bytes a second that the first nine inlets carry together, each one download after the other.
fn speed_of_nine(crowd: &Crowd) -> f64 {
    let begun = Instant::now();
    thread::scope(|scope| {
        let nine = crowd.inlets.iter().take(9).map(|(inlet, _)| {
            scope.spawn(|| {
                for seed in 0..3 {
                    assert_eq!(download(*inlet, LOAD, seed), Ended::Whole);
                }
            })
        });
        nine.collect::<Vec<_>>().into_iter().for_each(|one| one.join().unwrap());
    });
    (27 * LOAD) as f64 / begun.elapsed().as_secs_f64()
}

/// What nine clients keep of their speed beside one that takes `at_a_time` bytes every tenth of a
/// second.
fn kept_beside(crowd: &Crowd, at_a_time: usize) -> f64 {
    let alone = speed_of_nine(crowd);
    let (end, over) = mpsc::channel();
    let beside = thread::scope(|scope| {
        let slow = crowd.inlets[9].0;
        scope.spawn(move || slow_client(slow, at_a_time, &over));
        let beside = speed_of_nine(crowd);
        end.send(()).unwrap();
        beside
    });
    beside / alone
}

/// A client of the tenth inlet that takes `at_a_time` bytes every tenth of a second, until it is
/// told to end.
fn slow_client(inlet: SocketAddr, at_a_time: usize, over: &Receiver<()>) {
    let mut client = connect(inlet, PATIENCE).unwrap();
    writeln!(client, "SEND {} 1", 1_u64 << 40).unwrap();
    while over.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
        client.read_exact(&mut vec![0; at_a_time]).unwrap();
    }
}

#[test]
fn one_slow_client_leaves_nine_their_speed() {
    in_own_network(|| {
        let target = Target::start();
        let crowd = crowd(&target, 10);
        // What the hub needs for the nine is not counted, whoever of them waits for a processor.
        let of_nine = (0..3).map(|_| {
            speed_of_nine(&crowd);
            crowd.hub.memory()
        });
        let memory = of_nine.max().unwrap_or_default();
        for (what, at_a_time) in [("nothing", 0), ("100 KB/s", 10_000)] {
            // The best of three: other tests run at the same time, and not evenly.
            let kept = (0..3).map(|_| kept_beside(&crowd, at_a_time)).fold(0.0, f64::max);
            let grown = crowd.hub.memory().saturating_sub(memory);
            println!(
                "nine keep {:.0} % beside one that reads {what}; the hub takes {grown} bytes more",
                100.0 * kept
            );
            assert!(kept > 0.8, "{kept} of the speed without it");
            assert!(grown <= MOST_GROWTH, "{grown} bytes");
        }
    });
}

/// Writes as much of `bytes` as is taken without waiting for long.
fn offer(mut to: &TcpStream, bytes: &[u8]) {
    to.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    // A hub that reads no more, or has closed the connection, is what is tried here.
    let _ = to.write_all(bytes);
}

#[test]
fn a_flood_from_many_connections_is_bounded_together() {
    in_own_network(|| {
        let hub = hub(1);
        let idle = hub.memory();
        // A stranger to whom all can send, and who reads nothing.
        let mut sink = greeted();
        let register = [0x93, 0, 0x91, 0xa1, b's', 0x90];
        sink.write_all(&frame(1, "forwarding_service", &register)).unwrap();
        let mut answer = [0; 1024];
        let read = sink.read(&mut answer).unwrap();
        let bits = answer[..read].windows(3).position(|found| found == [3, 0xc4, 16]).unwrap() + 3;
        let forwarder: String =
            answer[bits..bits + 16].iter().map(|byte| format!("{byte:02x}")).collect();
        let forwarder = &format!("F{forwarder}");
        let strangers: Vec<_> = (0..FLOODING).map(|_| greeted()).collect();
        thread::scope(|scope| {
            for (number, stranger) in strangers.iter().enumerate() {
                scope.spawn(move || match number % 2 {
                    // All but the last byte of the longest frame.
                    0 => offer(stranger, &[&[0, 4, 0, 0, 0, 1][..], &vec![7; 262_143]].concat()),
                    _ => (1..=32).for_each(|lane| {
                        offer(stranger, &frame(lane, forwarder, &vec![7; 60_000]));
                    }),
                });
            }
        });
        let grown = hub.peak_memory().saturating_sub(idle);
        println!("{FLOODING} connections took {grown} bytes of the hub");
        assert!(grown <= MOST_FOR_ALL, "{grown} bytes");
        // Who comes from elsewhere is served meanwhile; from here, when they are gone.
        drop(strangers);
        drop(sink);
        poll("a new connection that is greeted", PATIENCE, || {
            let mut new = connect("127.0.0.1:4000".parse().unwrap(), PATIENCE).unwrap();
            let greeted =
                new.write_all(GREETING).and_then(|()| new.read_exact(&mut [0; GREETING.len()]));
            greeted.map_err(|error| error.to_string())
        });
    });
}
