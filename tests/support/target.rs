//! The TCP server behind the tunnel.
//!
//! The first line that a client sends says what it wants:
//!
//! | line | what the target does |
//! |---|---|
//! | `GET / HTTP/1.1` | answers with [`PAGE`], as a web server |
//! | `SEND n seed` | sends n bytes of the pattern and closes |
//! | `TAKE n seed` | checks n bytes, then answers `took n` and closes |
//! | `COUNT seed` | checks bytes until the client closes its direction, then answers `took n` |
//! | `FINISH FIRST seed` | closes its direction with `bye`, then checks bytes until the client closes |
//! | `ECHO` | sends back what comes until the client closes its direction |
//! | `HOLD n seed` | sends n bytes and keeps the connection open until the client ends it |

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc, Arc, Mutex,
    },
    thread,
};

use super::{deadline::PATIENCE, pattern::Pattern};

/// The target's web page.
pub(crate) const PAGE: &str = "<!doctype html>\n<p>A page of the target behind the tunnel.</p>\n";

/// Bytes that are read or written at a time.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// The server; its threads end with the test.
pub(crate) struct Target {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    ends: Mutex<mpsc::Receiver<End>>,
}

/// How a connection to the target ended.
pub(crate) type End = Result<u64, io::ErrorKind>;

impl Target {
    /// Starts it on a port that the system chooses.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (sender, ends) = mpsc::channel();
        let counting = accepted.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                counting.fetch_add(1, Ordering::SeqCst);
                let sender = sender.clone();
                thread::spawn(move || {
                    let end = serve(client).map_err(|error| error.kind());
                    // Most tests do not ask.
                    let _ = sender.send(end);
                });
            }
        });
        Self { address, accepted, ends: Mutex::new(ends) }
    }

    /// Where it listens, as a text for command lines.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many connections it has accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Waits for the end of a connection: how many bytes it took, or why it broke.
    pub(crate) fn next_end(&self) -> End {
        let end = self.ends.lock().unwrap().recv_timeout(PATIENCE);
        end.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for the end of a target's connection"))
    }
}

fn serve(client: TcpStream) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(CHUNK_BYTES, client.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut words = request.split_whitespace();
    let verb = words.next().unwrap_or_default();
    let mut number = || words.find_map(|word| word.parse::<u64>().ok()).unwrap_or_default();
    match verb {
        "GET" => answer_page(reader, client),
        "SEND" => send(client, number(), &Pattern::new(number())),
        "TAKE" => {
            let count = number();
            let taken = take(reader.take(count), &Pattern::new(number()))?;
            writeln!(&client, "took {taken}")?;
            Ok(taken)
        }
        "COUNT" => {
            let taken = take(reader, &Pattern::new(number()))?;
            writeln!(&client, "took {taken}")?;
            Ok(taken)
        }
        "FINISH" => {
            writeln!(&client, "bye")?;
            client.shutdown(Shutdown::Write)?;
            take(reader, &Pattern::new(number()))
        }
        "ECHO" => io::copy(&mut reader, &mut &client),
        "HOLD" => {
            send(client, number(), &Pattern::new(number()))?;
            take(reader, &Pattern::new(0))
        }
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, request)),
    }
}

fn answer_page(mut reader: impl BufRead, mut client: TcpStream) -> io::Result<u64> {
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    write!(client, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{PAGE}", PAGE.len())?;
    Ok(0)
}

/// Sends the pattern's first `count` bytes.
pub(crate) fn send(mut to: impl Write, count: u64, pattern: &Pattern) -> io::Result<u64> {
    let mut sent = 0;
    while sent < count {
        let chunk = pattern.at(sent, (count - sent).min(CHUNK_BYTES as u64));
        to.write_all(chunk)?;
        sent += chunk.len() as u64;
    }
    Ok(sent)
}

/// Reads until the end, which must be a clean one, and compares with the pattern.
pub(crate) fn take(mut from: impl Read, pattern: &Pattern) -> io::Result<u64> {
    let (mut taken, mut chunk) = (0, vec![0; CHUNK_BYTES]);
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return Ok(taken);
        }
        let wrong = |at| io::Error::new(io::ErrorKind::InvalidData, format!("wrong byte at {at}"));
        pattern.check(taken, &chunk[..read]).map_err(wrong)?;
        taken += read as u64;
    }
}
