//! Readers that stop cost their own window and nothing else, beside others that go on; also while
//! their streams wait for another path.

use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpStream},
    thread,
};

use ockam_actix_harness::{
    client::{connect, download, read_pattern, Ended},
    deadline::{poll, PATIENCE},
    network::{in_own_network, is_own},
    pattern::Pattern,
    program::Program,
    target::Target,
    transfer::receive_up_to,
};

use socket2::{Domain, Socket, Type};

use crate::tunnel::{hub, step_03, step_04, Step};

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

/// Streams that are suspended while their readers have stopped, and what each of them is offered,
/// in bytes: more than its window and the sockets hold.
const SUSPENDED: u64 = 1_000;
const OFFERED_EACH: u64 = 300_000;

/// Bytes that a node's streams may hold together, and each of them whatever the others hold: for
/// its reader, and of what it has sent.
const STREAM_BYTES: u64 = 32 << 20;
const EACH_RECEIVES: u64 = 64 << 10;
const EACH_RETAINS: u64 = 16 << 10;

/// Bytes that the program itself may take for each of them, and for whatever it keeps ready.
const OVERHEAD_EACH: u64 = 12 << 10;
const OVERHEAD: u64 = 8 << 20;

/// A client that asks for bytes, and whose system takes few of them before it reads.
fn narrow(inlet: SocketAddr, seed: u64) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(&inlet.into()).unwrap();
    let mut client = TcpStream::from(socket);
    writeln!(client, "SEND {OFFERED_EACH} {seed}").unwrap();
    client
}

/// The memory of a program when it has stopped growing.
fn settled(program: &Program) -> u64 {
    let (mut before, mut same) = (program.memory(), 0);
    poll("memory that grows no more", PATIENCE, || {
        let now = program.memory();
        same = if now.abs_diff(before) < 1 << 18 { same + 1 } else { 0 };
        before = now;
        if same > 100 {
            Ok(now)
        } else {
            Err(format!("{now} bytes"))
        }
    })
}

/// Has the sockets of this network hold little, so that streams are as full as their windows allow;
/// false where that cannot be set.
fn sockets_hold_little() -> bool {
    let sets = |name| fs::write(format!("/proc/sys/net/ipv4/tcp_{name}"), "4096 16384 32768");
    is_own() && sets("wmem").and_then(|()| sets("rmem")).is_ok()
}

#[test]
fn suspended_streams_stay_within_the_budget() {
    in_own_network(|| {
        if !sockets_hold_little() {
            return println!("skipped: what sockets hold cannot be set here");
        }
        let target = Target::start();
        let mut tunnel = step_04(&target.address(), 2);
        assert_eq!(download(tunnel.inlet, 1000, 0), Ended::Whole);
        let before = [1, 2].map(|index| settled(&tunnel.programs[index]));
        let clients: Vec<_> = (0..SUSPENDED).map(|seed| narrow(tunnel.inlet, seed)).collect();
        let _full = [1, 2].map(|index| settled(&tunnel.programs[index]));
        tunnel.programs[0].kill();
        tunnel.programs[2].wait_for_line("was lost");
        let suspended = [1, 2].map(|index| settled(&tunnel.programs[index]));
        let overhead = OVERHEAD + SUSPENDED * OVERHEAD_EACH;
        for (each, index) in [(EACH_RETAINS, 1), (EACH_RECEIVES, 2)] {
            let program = &tunnel.programs[index];
            let grown = suspended[index - 1].saturating_sub(before[index - 1]);
            let budget = STREAM_BYTES + SUSPENDED * each;
            println!("{grown} bytes more, of {budget} and {overhead}");
            assert!(grown >= SUSPENDED * each / 2, "{grown} bytes more are not full: {program}");
            assert!(grown <= budget + overhead, "{grown} bytes more: {program}");
        }
        tunnel.programs[0] = hub(2);
        for (seed, client) in (0..).zip(clients) {
            let ended = read_pattern(client, OFFERED_EACH, &Pattern::new(seed), |_| {});
            assert_eq!(ended, Ended::Whole, "the stream of seed {seed}");
        }
        assert_eq!(target.accepted() as u64, SUSPENDED + 1, "none was opened anew");
    });
}
