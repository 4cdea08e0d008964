//! The TCP server that a tunnel leads to, in this process.
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
    io::{self, BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc, Arc, Mutex, PoisonError,
    },
    thread,
};

use crate::{
    deadline::PATIENCE,
    pattern::Pattern,
    transfer::{receive_up_to, send, CHUNK},
};

/// The target's web page.
pub const PAGE: &str = "<!doctype html>\n<p>A page of the target behind the tunnel.</p>\n";

/// The server; its threads end with the test.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    ends: Mutex<mpsc::Receiver<End>>,
}

/// How a connection to the target ended.
pub type End = Result<u64, io::ErrorKind>;

impl Target {
    /// Starts it on a port that the system chooses.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let accepted = Arc::new(AtomicUsize::new(0));
        let (sender, ends) = mpsc::channel();
        let counting = accepted.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                counting.fetch_add(1, Ordering::SeqCst);
                let sender = sender.clone();
                thread::spawn(move || {
                    let end = serve(client).map_err(|error| error.kind());
                    // Most tests do not ask for it.
                    let _ = sender.send(end);
                });
            }
        });
        Self { address, accepted, ends: Mutex::new(ends) }
    }

    /// Where it listens, as a text for command lines.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many connections it has accepted.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Waits for the end of a connection: how many bytes it took, or why it broke.
    pub fn next_end(&self) -> End {
        let end = self.ends.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(PATIENCE);
        end.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for the end of a target's connection"))
    }
}

fn serve(client: TcpStream) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(CHUNK, client.try_clone()?);
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
            let taken = receive_up_to(reader, count, &Pattern::new(number()))?;
            writeln!(&client, "took {taken}")?;
            Ok(taken)
        }
        "COUNT" => {
            let taken = receive_up_to(reader, u64::MAX, &Pattern::new(number()))?;
            writeln!(&client, "took {taken}")?;
            Ok(taken)
        }
        "FINISH" => {
            writeln!(&client, "bye")?;
            client.shutdown(Shutdown::Write)?;
            receive_up_to(reader, u64::MAX, &Pattern::new(number()))
        }
        "ECHO" => io::copy(&mut reader, &mut &client),
        "HOLD" => {
            send(client, number(), &Pattern::new(number()))?;
            receive_up_to(reader, u64::MAX, &Pattern::new(0))
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
