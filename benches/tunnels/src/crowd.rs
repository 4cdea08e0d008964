//! Very many streams at once: the services of [`crate::target`] and their clients, each on one
//! thread whatever their number.
//!
//! A thread for each of ten thousand streams would measure the scheduler. Here one buffer serves
//! all streams of a side, because what was read is only counted, so a stream costs this program
//! next to nothing.

use crate::{
    client::Direction,
    target::{ECHO, SINK, SOURCE},
};
use ockam_actix_harness::role::ready;
use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::LocalSet,
};

/// Bytes read or written at once.
const CHUNK: usize = 64 * 1024;
static ZEROS: [u8; CHUNK] = [0; CHUNK];
/// Streams that are being opened at the same time.
const OPENING: usize = 64;
/// After this long a measurement has failed.
const PATIENCE: Duration = Duration::from_secs(120);

thread_local! {
    static READ_INTO: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// Role `crowd-target`: serves until the parent goes away.
pub(crate) fn run_target() -> io::Result<()> {
    let serve = async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        ready(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            // A client that goes away early reports that itself.
            tokio::task::spawn_local(async move { answer(stream).await.ok() });
        }
    };
    LocalSet::new().block_on(&runtime()?, serve)
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let service = stream.read_u8().await?;
    let count = if service == ECHO { 0 } else { stream.read_u64().await? };
    stream.write_u8(service).await?;
    match service {
        ECHO => loop {
            let byte = stream.read_u8().await?;
            stream.write_u8(byte).await?;
        },
        SINK => {
            let received = take(&stream, count, &Cell::new(0)).await?;
            stream.write_u64(received).await?;
        }
        SOURCE => {
            stream.read_u8().await?;
            give(&mut stream, count, &Cell::new(0)).await?;
        }
        _ => return Ok(()),
    }
    // The client closes first: until then its tunnel stays as it is, to be measured.
    while take(&stream, 1, &Cell::new(0)).await? > 0 {}
    Ok(())
}

/// Reads up to `count` bytes, or to the end; `seen` counts them as they arrive.
async fn take(stream: &TcpStream, count: u64, seen: &Cell<u64>) -> io::Result<u64> {
    while seen.get() < count {
        stream.readable().await?;
        match READ_INTO.with_borrow_mut(|bytes| stream.try_read(bytes)) {
            Ok(0) => break,
            Ok(some) => seen.set(seen.get() + some as u64),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        // The fairness of the tunnel is measured, so no stream of this side may keep the thread.
        tokio::task::yield_now().await;
    }
    Ok(seen.get())
}

/// Writes `count` bytes; `seen` counts them as they leave.
async fn give(stream: &mut TcpStream, count: u64, seen: &Cell<u64>) -> io::Result<()> {
    while seen.get() < count {
        let part = (count - seen.get()).min(CHUNK as u64) as usize;
        seen.set(seen.get() + stream.write(&ZEROS[..part]).await? as u64);
    }
    Ok(())
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Clients with open streams; dropping it closes them.
pub(crate) struct Crowd {
    runtime: Runtime,
    streams: Vec<TcpStream>,
}

impl Crowd {
    /// Opens streams to a service, and waits until it has answered on each of them.
    pub(crate) fn open(
        address: SocketAddr,
        streams: usize,
        service: u8,
        count: u64,
    ) -> io::Result<Self> {
        let mut crowd = Self { runtime: runtime()?, streams: Vec::with_capacity(streams) };
        while crowd.streams.len() < streams {
            let some = OPENING.min(streams - crowd.streams.len());
            let opened = crowd.all((0..some).map(|_| open(address, service, count)))?;
            crowd.streams.extend(opened);
        }
        Ok(crowd)
    }

    /// Carries `each` bytes over every stream; returns how long it took until the last one of all
    /// had arrived.
    pub(crate) fn carry(&mut self, direction: Direction, each: u64) -> io::Result<Duration> {
        let streams = std::mem::take(&mut self.streams);
        let start = Instant::now();
        let carried = self
            .all(streams.into_iter().map(|stream| carry(stream, direction, each, Rc::default())))?;
        let took = start.elapsed();
        self.streams = carried;
        Ok(took)
    }

    /// Lets all streams carry as much as they can for `during`; returns how many bytes each carried
    /// after the first quarter of that time.
    pub(crate) fn shares(
        &mut self,
        direction: Direction,
        during: Duration,
    ) -> io::Result<Vec<u64>> {
        let seen: Vec<Rc<Cell<u64>>> = self.streams.iter().map(|_| Rc::default()).collect();
        let carriers: Vec<_> = std::mem::take(&mut self.streams)
            .into_iter()
            .zip(&seen)
            .map(|(stream, seen)| carry(stream, direction, u64::MAX, Rc::clone(seen)))
            .collect();
        LocalSet::new().block_on(&self.runtime, async {
            let tasks: Vec<_> = carriers.into_iter().map(tokio::task::spawn_local).collect();
            tokio::time::sleep(during / 4).await;
            let early: Vec<u64> = seen.iter().map(|seen| seen.get()).collect();
            tokio::time::sleep(during * 3 / 4).await;
            if tasks.iter().any(tokio::task::JoinHandle::is_finished) {
                return Err(io::Error::other("a stream ended early"));
            }
            Ok(seen.iter().zip(early).map(|(seen, early)| seen.get() - early).collect())
        })
    }

    /// Runs all of `work` to its end, at the same time.
    fn all<T: 'static>(
        &self,
        work: impl Iterator<Item = impl Future<Output = io::Result<T>> + 'static>,
    ) -> io::Result<Vec<T>> {
        let to_the_end = async {
            let tasks: Vec<_> = work.map(tokio::task::spawn_local).collect();
            let mut done = Vec::with_capacity(tasks.len());
            for task in tasks {
                done.push(task.await.map_err(io::Error::other)??);
            }
            Ok(done)
        };
        let in_time = async { tokio::time::timeout(PATIENCE, to_the_end).await };
        LocalSet::new()
            .block_on(&self.runtime, in_time)
            .map_err(|_| io::Error::other(format!("not done after {PATIENCE:?}")))?
    }
}

async fn open(address: SocketAddr, service: u8, count: u64) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut request = [service; 9];
    request[1..].copy_from_slice(&count.to_be_bytes());
    let length = if service == ECHO { 1 } else { request.len() };
    stream.write_all(&request[..length]).await?;
    stream.read_u8().await?;
    Ok(stream)
}

async fn carry(
    mut stream: TcpStream,
    direction: Direction,
    each: u64,
    seen: Rc<Cell<u64>>,
) -> io::Result<TcpStream> {
    let arrived = match direction {
        Direction::Up => {
            give(&mut stream, each, &seen).await?;
            stream.read_u64().await?
        }
        Direction::Down => {
            stream.write_u8(0).await?;
            take(&stream, each, &seen).await?
        }
    };
    match arrived == each {
        true => Ok(stream),
        false => Err(io::Error::other(format!("{arrived} of {each} bytes arrived"))),
    }
}
