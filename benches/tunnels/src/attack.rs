//! Attackers, and a dummy listener that costs next to nothing to attack: a comparison with it
//! cancels out what the attackers themselves take of the machine.
//!
//! The attackers know nothing but `docs/protocol.md`: the bytes here are as that document has them.

use ockam_actix_harness::role::ready;
use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Builder,
    task::LocalSet,
    time::{interval, timeout, MissedTickBehavior},
};

/// Handshakes begun in a second.
pub(crate) const HANDSHAKES_PER_SECOND: usize = 1_000;
/// Clients that send a byte a second.
pub(crate) const SLOW_CLIENTS: usize = 2_000;

/// The attackers' own source address, which no honest client has.
const FROM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const TICK: Duration = Duration::from_millis(10);
const LISTENER: &[u8] = b"secure_channel_listener_service";
/// Longer than a greeting, shorter than a frame with message 1.
const SOMETHING: usize = 64;

/// `["ockam-actix", 1, 262144]` as a frame.
const GREETING: &[u8] = b"\0\0\0\x13\0\0\x93\xabockam-actix\x01\xce\0\x04\0\0";

/// Role `attack`: attacks `victim` as `kind` says until the parent goes away.
pub(crate) fn run(kind: &str, victim: &str) -> io::Result<()> {
    let victim = crate::tunnel::parse(victim)?;
    match kind {
        "one-connection" => forever(one_connection(victim)),
        "connection-each" => forever(connection_each(victim)),
        "slow" => forever(slow(victim)),
        _ => Err(io::Error::other(format!("no attack is called {kind}"))),
    }
}

/// Role `dummy`: accepts everything, and answers whatever is long enough for a message 1 with as
/// many bytes as a message 2 has.
pub(crate) fn run_dummy() -> io::Result<()> {
    forever(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        ready(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(async move { answer(stream).await.ok() });
        }
    })
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut bytes = [0; 16 * 1024];
    let mut message2 = [0; 406];
    message2[..4].copy_from_slice(&400_u32.to_be_bytes());
    message2[5] = 1;
    stream.write_all(GREETING).await?;
    // A node disconnects slow clients after the same time.
    let patience = Duration::from_secs(5);
    let mut first = timeout(patience, read_at_least(&mut stream, GREETING.len())).await??;
    loop {
        if first > SOMETHING {
            stream.write_all(&message2).await?;
        }
        first = stream.read(&mut bytes).await?;
        if first == 0 {
            return Ok(());
        }
    }
}

async fn read_at_least(stream: &mut TcpStream, count: usize) -> io::Result<usize> {
    let (mut bytes, mut read) = ([0; 1024], 0);
    while read < count {
        match stream.read(&mut bytes).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            some => read += some,
        }
    }
    Ok(read)
}

/// Sends message 1 at the set pace, all through one connection; answers are read and dropped.
async fn one_connection(victim: SocketAddr) -> io::Result<()> {
    let (mut from, mut to) = connect(victim).await?.into_split();
    to.write_all(GREETING).await?;
    ready(victim)?;
    tokio::task::spawn_local(async move {
        let mut bytes = vec![0; 64 * 1024];
        while matches!(from.read(&mut bytes).await, Ok(some) if some > 0) {}
    });
    let mut number = 0;
    paced(
        HANDSHAKES_PER_SECOND,
        |some| {
            let mut frames = Vec::new();
            for _ in 0..some {
                number += 1;
                frames.extend_from_slice(&message1(number));
            }
            frames
        },
        &mut to,
    )
    .await
}

async fn paced(
    per_second: usize,
    mut make: impl FnMut(usize) -> Vec<u8>,
    to: &mut (impl AsyncWriteExt + Unpin),
) -> io::Result<()> {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        to.write_all(&make(per_second / 100)).await?;
    }
}

/// Opens a connection for each handshake, and closes it as soon as it is answered. Its handshake
/// slot stays taken until the deadline of a handshake, so the listener is soon half full and
/// answers with cookies, which are not returned.
async fn connection_each(victim: SocketAddr) -> io::Result<()> {
    ready(victim)?;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut number = 0;
    loop {
        ticks.tick().await;
        for _ in 0..HANDSHAKES_PER_SECOND / 100 {
            number += 1;
            // Refusals are part of what is measured.
            tokio::task::spawn_local(async move { begin_once(victim, number).await.ok() });
        }
    }
}

async fn begin_once(victim: SocketAddr, number: u64) -> io::Result<()> {
    let mut stream = connect(victim).await?;
    let mut bytes = GREETING.to_vec();
    bytes.extend_from_slice(&message1(number));
    stream.write_all(&bytes).await?;
    let patience = Duration::from_secs(1);
    timeout(patience, read_at_least(&mut stream, GREETING.len() + SOMETHING)).await??;
    Ok(())
}

/// Runs clients that send a byte of a greeting every second, and connect again when disconnected.
async fn slow(victim: SocketAddr) -> io::Result<()> {
    let all = (0..SLOW_CLIENTS).map(|number| {
        tokio::task::spawn_local(async move {
            // The clients start spread over a second.
            let part = u64::try_from(number * 1_000 / SLOW_CLIENTS).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(part)).await;
            loop {
                let _ = slow_once(victim).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        })
    });
    let all: Vec<_> = all.collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    ready(victim)?;
    for client in all {
        client.await?;
    }
    Ok(())
}

async fn slow_once(victim: SocketAddr) -> io::Result<()> {
    let mut stream = connect(victim).await?;
    for byte in GREETING {
        stream.write_all(&[*byte]).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

async fn connect(victim: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((FROM, 0).into())?;
    let stream = socket.connect(victim).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A frame with a message whose payload is the carrier of a Noise message 1; any 32 bytes are a
/// public key.
fn message1(number: u64) -> Vec<u8> {
    let mut key = [9; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    // Data with 32 hops, from "a" to the listener.
    let mut body = vec![0x95, 0x00, 0x20, 0x91, 0xa0 | LISTENER.len() as u8];
    body.extend_from_slice(LISTENER);
    body.extend_from_slice(&[0x91, 0xa1, b'a', 0xc4, 39, 0x94, 1, 1, 0xc4, 32]);
    body.extend_from_slice(&key);
    body.extend_from_slice(&[0xc4, 0]);
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    // Each on the next lane, which has credit.
    frame.extend_from_slice(&((number % 65_535) as u16 + 1).to_be_bytes());
    frame.extend_from_slice(&body);
    frame
}

fn forever(work: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work)
}
