//! Connections that must outlive whatever happens between their ends: a bulk download, a bulk
//! upload, an echo every few milliseconds, and one that is quiet. Every byte is checked, and it is
//! noted how long each answer of the echo took.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        Arc, Mutex, MutexGuard, PoisonError,
    },
    thread::{park_timeout, spawn, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    client::connect,
    deadline::{wait_for, PATIENCE},
    pattern::Pattern,
    pauses::Pauses,
    transfer::{next_chunk, CHUNK},
};

/// How often the echo is asked, unless its answer takes longer.
const ECHO_EVERY: Duration = Duration::from_millis(5);

/// Bytes that a transfer must still carry after an event to have outlived it.
const MOVES: u64 = 1_000_000;

/// Bytes a second of each transfer at most: far more than a window in an outage, and few enough
/// that the echo waits for the path and not for a processor.
const RATE: u64 = 20_000_000;

/// The connections. When they are dropped before their [end](Self::end), nobody checks them.
#[derive(Debug)]
pub struct Lasting {
    shared: Arc<Shared>,
    clients: Vec<Client>,
    quiet: TcpStream,
    pauses: Pauses,
}

type Client = (&'static str, JoinHandle<io::Result<()>>);

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    downloaded: AtomicU64,
    uploaded: AtomicU64,
    answers: Mutex<Vec<Answer>>,
}

/// One answer of the echo.
#[derive(Clone, Copy, Debug)]
struct Answer {
    asked: Instant,
    came: Instant,
}

/// What the connections have carried.
#[derive(Clone, Copy, Debug)]
pub struct Carried {
    /// Bytes of the download.
    pub down: u64,
    /// Bytes of the upload, as the target has counted them.
    pub up: u64,
    /// Answers of the echo.
    pub answers: usize,
}

impl Lasting {
    /// The number of connections.
    pub const CONNECTIONS: usize = 4;

    /// Opens them to a [target](crate::target), and waits until all of them carry bytes. None may
    /// be silent for longer than `patience`.
    ///
    /// # Errors
    /// If that takes too long.
    pub fn begin(through: SocketAddr, patience: Duration) -> io::Result<Self> {
        let (shared, pauses) = (Arc::new(Shared::default()), Pauses::watch());
        let start = |name, run: fn(TcpStream, &Shared) -> io::Result<()>| {
            let (client, shared) = (connect(through, patience)?, shared.clone());
            io::Result::Ok((name, spawn(move || run(client, &shared))))
        };
        let clients =
            vec![start("download", download)?, start("upload", upload)?, start("echo", echo)?];
        let mut quiet = connect(through, patience)?;
        quiet.write_all(b"ECHO\n")?;
        asks(&mut quiet, b"hello")?;
        let lasting = Self { shared, clients, quiet, pauses };
        lasting.moves_after(Instant::now(), PATIENCE)?;
        Ok(lasting)
    }

    /// Waits until the transfers have moved on, and a question of the echo that was asked after
    /// `event` has been answered.
    ///
    /// # Errors
    /// If that takes longer than `limit`, and what one of them says that has ended.
    pub fn moves_after(&self, event: Instant, limit: Duration) -> io::Result<()> {
        let (down, up) = self.transferred();
        wait_for("connections that go on", limit, || {
            if let Some((name, _)) = self.clients.iter().find(|(_, client)| client.is_finished()) {
                return Err(format!("the {name} has ended"));
            }
            let (down_now, up_now) = self.transferred();
            let answered = self.shared.answers().last().is_some_and(|last| last.asked > event);
            match answered && down_now >= down + MOVES && up_now >= up + MOVES {
                true => Ok(()),
                false => Err(format!("from {down}, {up} to {down_now}, {up_now}; {answered}")),
            }
        })
        .map(drop)
    }

    /// For each of these moments the longest wait for an answer of the echo that came after it, and
    /// before the next one. [Pauses] of the machine do not count.
    pub fn stalls(&self, moments: &[Instant]) -> Vec<Duration> {
        let answers = self.shared.answers();
        let ends = moments.iter().skip(1).copied().map(Some).chain([None]);
        let longest = |(begin, end): (&Instant, Option<Instant>)| {
            let within = answers
                .iter()
                .filter(|answer| answer.came >= *begin && end.is_none_or(|end| answer.came < end));
            let waits = within.map(|answer| self.pauses.running(answer.asked, answer.came));
            waits.max().unwrap_or_default()
        };
        moments.iter().zip(ends).map(longest).collect()
    }

    /// Ends all connections, which must be whole: the quiet one still answers, and the target has
    /// all bytes of the upload.
    ///
    /// # Errors
    /// What the first one says that is not.
    pub fn end(mut self) -> io::Result<Carried> {
        self.shared.is_over.store(true, Relaxed);
        for (name, client) in self.clients {
            let ended = client.join().unwrap_or_else(|_| Err(io::Error::other("panicked")));
            ended.map_err(|error| io::Error::new(error.kind(), format!("the {name}: {error}")))?;
        }
        asks(&mut self.quiet, b"still there?")
            .map_err(|error| io::Error::new(error.kind(), format!("the quiet one: {error}")))?;
        let answers = self.shared.answers().len();
        let (down, up) = (self.shared.downloaded.load(Relaxed), self.shared.uploaded.load(Relaxed));
        Ok(Carried { down, up, answers })
    }

    fn transferred(&self) -> (u64, u64) {
        (self.shared.downloaded.load(Relaxed), self.shared.uploaded.load(Relaxed))
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Relaxed)
    }

    fn answers(&self) -> MutexGuard<'_, Vec<Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn download(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    writeln!(client, "SEND {} 1", u64::MAX)?;
    let (pattern, mut chunk, begun) = (Pattern::new(1), vec![0; CHUNK], Instant::now());
    let mut taken = 0;
    while shared.goes_on() {
        let read = client.read(&mut chunk)?;
        if read == 0 {
            return Err(io::Error::other(format!("an end after {taken} bytes")));
        }
        pattern.check(taken, &chunk[..read]).map_err(wrong)?;
        taken += read as u64;
        shared.downloaded.store(taken, Relaxed);
        keep_rate(begun, taken);
    }
    Ok(())
}

fn upload(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    writeln!(client, "COUNT 2")?;
    let (pattern, begun) = (Pattern::new(2), Instant::now());
    let mut sent = 0;
    while shared.goes_on() {
        let chunk = next_chunk(&pattern, sent, u64::MAX);
        client.write_all(&chunk)?;
        sent += chunk.len() as u64;
        shared.uploaded.store(sent, Relaxed);
        keep_rate(begun, sent);
    }
    client.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    match answer.trim_end() == format!("took {sent}") {
        true => Ok(()),
        false => Err(io::Error::other(format!("sent {sent}, but the target {answer:?}"))),
    }
}

fn echo(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.write_all(b"ECHO\n")?;
    for number in 0_u64.. {
        if !shared.goes_on() {
            break;
        }
        let asked = Instant::now();
        asks(&mut client, &number.to_be_bytes())?;
        shared.answers().push(Answer { asked, came: Instant::now() });
        park_timeout(ECHO_EVERY.saturating_sub(asked.elapsed()));
    }
    Ok(())
}

/// Sends something to an echo, which must come back.
fn asks(echo: &mut TcpStream, question: &[u8]) -> io::Result<()> {
    echo.write_all(question)?;
    let mut answer = vec![0; question.len()];
    echo.read_exact(&mut answer)?;
    match answer == question {
        true => Ok(()),
        false => Err(io::Error::other(format!("asked {question:?}, and got {answer:?}"))),
    }
}

/// Pauses until `count` bytes since `begun` are no more than the rate allows.
fn keep_rate(begun: Instant, count: u64) {
    let due = Duration::from_secs_f64(count as f64 / RATE as f64);
    park_timeout(due.saturating_sub(begun.elapsed()));
}

fn wrong(at: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a wrong byte at {at}"))
}
