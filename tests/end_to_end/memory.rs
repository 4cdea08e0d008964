//! Readers that stop cost their own window and nothing else, beside others that go on.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    thread,
};

use ockam_actix_harness::{
    client::{connect, download, Ended},
    deadline::PATIENCE,
    network::in_own_network,
    pattern::Pattern,
    target::Target,
    transfer::receive_up_to,
};

use crate::tunnel::{step_03, step_04, Step};

/// Readers that stop, and what each of them asks for, in bytes.
const STALLED: u64 = 24;
const OFFERED: u64 = 12_000_000;

/// Readers that go on, and what each of them downloads, in bytes.
const LIVE: u64 = 4;
const LOAD: u64 = 50_000_000;

/// Bytes that a program may have resident: more than the 18 to 20 MB that it takes, less than the
/// 37 to 49 MB that it took when waiting messages kept the buffers that they came in.
const MOST_MEMORY: u64 = 28_000_000;

/// A client that asks for bytes and does not read them.
fn stalled(inlet: SocketAddr, seed: u64) -> TcpStream {
    let mut client = connect(inlet, PATIENCE).unwrap();
    writeln!(client, "SEND {OFFERED} {seed}").unwrap();
    client
}

fn stalled_readers_beside_live_ones(step: Step) {
    let target = Target::start();
    let tunnel = step(&target.address(), 1);
    let waiting: Vec<_> = (0..STALLED).map(|seed| stalled(tunnel.inlet, seed)).collect();
    thread::scope(|scope| {
        let live = (0..LIVE).map(|seed| scope.spawn(move || download(tunnel.inlet, LOAD, seed)));
        for reader in live.collect::<Vec<_>>() {
            assert_eq!(reader.join().unwrap(), Ended::Whole);
        }
    });
    for program in &tunnel.programs {
        let peak = program.peak_memory();
        println!("{peak} bytes at most: {program}");
        assert!(peak <= MOST_MEMORY, "{peak} bytes, at most {MOST_MEMORY} allowed: {program}");
    }
    for (seed, reader) in (0..STALLED).zip(waiting) {
        assert_eq!(receive_up_to(reader, OFFERED + 1, &Pattern::new(seed)).unwrap(), OFFERED);
    }
}

#[test]
fn stalled_readers_cost_their_windows_step_03() {
    in_own_network(|| stalled_readers_beside_live_ones(step_03));
}

#[test]
fn stalled_readers_cost_their_windows_step_04() {
    in_own_network(|| stalled_readers_beside_live_ones(step_04));
}
