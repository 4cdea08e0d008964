//! Both sides write before they read, over sockets that hold little: nothing waits for ever.
//!
//! A node that stopped reading in one direction because the other is full would deadlock here. The
//! test runs 20 times for a step, `OCKAM_SATURATION` times if that is set; `OCKAM_SATURATION_SEED`
//! is the seed of the byte counts.

use std::{
    env, io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::{stream::iter, StreamExt, TryStreamExt};
use ockam_actix_harness::{
    deadline::PATIENCE,
    network::{in_own_network, is_own},
    pattern::Pattern,
    transfer::{next_chunk, CHUNK},
};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Barrier, Mutex},
    time::timeout,
};

use crate::tunnel::{step_03, step_04, Step};

/// Bytes of each socket buffer of client and target.
const BUFFER: usize = 16 * 1024;

/// A writer that could write nothing for so long begins to read.
const BLOCKED: Duration = Duration::from_millis(50);

/// Bytes of each buffer of the other sockets of this network: the least, the first size, and the
/// most.
const SYSTEM_BUFFERS: &str = "4096 65536 262144";

/// The least and the most bytes that a direction carries: several times what everything between its
/// ends holds together, so that each writer is blocked.
const BYTES: std::ops::Range<u64> = 3_000_000..5_000_000;

const AT_ONCE: usize = 8;
const SEED: u64 = 0xf111;

fn number(variable: &str, default: u64) -> u64 {
    let text = env::var(variable);
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

/// Runs over a step's tunnel: in both directions all bytes arrive, and then the end.
fn saturate(step: Step) {
    if !is_own() {
        return println!(
            "skipped: it changes settings of the network, and has no network of its own"
        );
    }
    actix_rt::System::new().block_on(async {
        let begun = Instant::now();
        for buffers in ["rmem", "wmem"] {
            std::fs::write(format!("/proc/sys/net/ipv4/tcp_{buffers}"), SYSTEM_BUFFERS).unwrap();
        }
        let target = Mutex::new(listen().unwrap());
        let address = target.lock().await.local_addr().unwrap().to_string();
        let mut tunnel = tokio::task::spawn_blocking(move || step(&address, 2)).await.unwrap();
        let (count, seed) = (number("OCKAM_SATURATION", 20), number("OCKAM_SATURATION_SEED", SEED));
        let pattern = Pattern::new(seed);
        let runs = (0..count).map(|run| one(tunnel.inlet, &target, &pattern, seed, run));
        let runs = iter(runs).buffer_unordered(AT_ONCE);
        let all: Vec<Run> = runs.try_collect().await.unwrap_or_else(|why: String| panic!("{why}"));
        let both_blocked: u64 = all.iter().map(|run| run.both_blocked).sum();
        let bytes: u64 = all.iter().map(|run| run.bytes).sum();
        assert_eq!(both_blocked, count, "connections with both writers blocked");
        println!(
            "{count} connections, {both_blocked} with both writers blocked, seed {seed}, \
             {bytes} bytes, 0 deadlocks, {:.1} s",
            begun.elapsed().as_secs_f32()
        );
        for program in &mut tunnel.programs {
            assert!(program.is_running(), "{program}");
        }
    });
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    make_small(&socket)?;
    socket.bind("127.0.0.1:0".parse().map_err(io::Error::other)?)?;
    socket.listen(1024)
}

/// Accepted sockets inherit the buffer sizes of their listening socket.
fn make_small(socket: &TcpSocket) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_send_buffer_size(BUFFER)?;
    socket.set_recv_buffer_size(BUFFER)
}

/// The figures of a connection that went well.
struct Run {
    bytes: u64,
    both_blocked: u64,
}

/// Runs one connection. The lock is held until the target has accepted it, so that both ends belong
/// together.
async fn one(
    inlet: SocketAddr,
    target: &Mutex<TcpListener>,
    pattern: &Pattern,
    seed: u64,
    run: u64,
) -> Result<Run, String> {
    let mixed = (seed ^ run).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let count = BYTES.start + mixed % (BYTES.end - BYTES.start);
    // Neither side reads before both are blocked.
    let blocked = Barrier::new(2);
    let both = async {
        let (client, accepted) = connect(inlet, &*target.lock().await).await?;
        tokio::try_join!(
            converse(client, count, pattern, &blocked),
            converse(accepted, count, pattern, &blocked)
        )
    };
    let done = both.await.map_err(|error: io::Error| error.to_string());
    let blocked = done.map_err(|why| format!("run {run} of seed {seed}, {count} bytes: {why}"))?;
    Ok(Run { bytes: 2 * count, both_blocked: u64::from(blocked == (true, true)) })
}

async fn connect(inlet: SocketAddr, target: &TcpListener) -> io::Result<(TcpStream, TcpStream)> {
    let client = async {
        let socket = TcpSocket::new_v4()?;
        make_small(&socket)?;
        in_time("connecting", socket.connect(inlet)).await
    };
    let accepted = in_time("accepting", target.accept());
    let (client, (accepted, _)) = tokio::try_join!(client, accepted)?;
    Ok((client, accepted))
}

/// Writes until blocked, then reads as well. Returns whether it was blocked.
async fn converse(
    mut socket: TcpStream,
    count: u64,
    pattern: &Pattern,
    blocked: &Barrier,
) -> io::Result<bool> {
    let mut sent = 0;
    let (mut reader, mut writer) = socket.split();
    while sent < count {
        let chunk = next_chunk(pattern, sent, count - sent);
        let Ok(written) = timeout(BLOCKED, writer.write(&chunk)).await else { break };
        sent += written? as u64;
    }
    let was_blocked = sent < count;
    blocked.wait().await;
    let writing = async {
        while sent < count {
            let chunk = next_chunk(pattern, sent, count - sent);
            sent += in_time("writing", writer.write(&chunk)).await? as u64;
        }
        writer.shutdown().await
    };
    let reading = async {
        let (mut taken, mut chunk) = (0, vec![0; CHUNK]);
        loop {
            let read = in_time("reading", reader.read(&mut chunk)).await?;
            pattern.check(taken, &chunk[..read]).map_err(|at| wrong(at, "byte"))?;
            taken += read as u64;
            match read {
                0 if taken == count => return Ok(()),
                0 => return Err(wrong(taken, "end")),
                _ => {}
            }
        }
    };
    tokio::try_join!(writing, reading).map(|_| was_blocked)
}

async fn in_time<T>(
    what: &str,
    io: impl std::future::Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let stuck = || io::Error::other(format!("deadlock: no progress with {what} in {PATIENCE:?}"));
    timeout(PATIENCE, io).await.unwrap_or_else(|_| Err(stuck()))
}

fn wrong(at: u64, what: &str) -> io::Error {
    io::Error::other(format!("a wrong {what} at {at}"))
}

#[test]
fn writers_that_block_never_deadlock_step_03() {
    in_own_network(|| saturate(step_03));
}

#[test]
fn writers_that_block_never_deadlock_step_04() {
    in_own_network(|| saturate(step_04));
}
