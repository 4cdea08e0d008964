//! TCP clients of a tunnel, which know nothing of it; they speak with [`crate::target`].

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use crate::{
    deadline::PATIENCE,
    installed::is_installed,
    pattern::Pattern,
    program::clean,
    transfer::{is_reset, send, CHUNK},
};

/// How a client's connection ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// All bytes, all right, and then the end.
    Whole,
    /// A clean end too early, which must never happen.
    Short {
        /// Bytes that had arrived.
        after: u64,
    },
    /// A reset.
    Reset {
        /// Bytes that had arrived.
        after: u64,
    },
    /// Nobody listens.
    Refused,
    /// Nothing happened in time, which must never be so.
    Hung {
        /// Bytes that had arrived.
        after: u64,
    },
    /// A byte that was not sent there, which must never happen.
    Wrong {
        /// Its offset.
        at: u64,
    },
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Connects, with a limit for each read and write.
pub fn connect(to: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let client = TcpStream::connect(to)?;
    client.set_read_timeout(Some(limit))?;
    client.set_write_timeout(Some(limit))?;
    client.set_nodelay(true)?;
    Ok(client)
}

/// Reads `count` bytes of the pattern and the end.
pub fn download(from: SocketAddr, count: u64, seed: u64) -> Ended {
    download_within(from, count, seed, PATIENCE)
}

/// As [`download`], with another limit for silence.
pub fn download_within(from: SocketAddr, count: u64, seed: u64, limit: Duration) -> Ended {
    let begun = connect(from, limit).and_then(|mut client| {
        writeln!(client, "SEND {count} {seed}")?;
        Ok(client)
    });
    match begun {
        Ok(client) => read_pattern(client, count, &Pattern::new(seed), |_| {}),
        Err(error) => ended(&error, 0),
    }
}

/// Reads `count` bytes of the pattern and the end; calls `progress` with the count so far.
pub fn read_pattern(
    mut client: impl Read,
    count: u64,
    pattern: &Pattern,
    mut progress: impl FnMut(u64),
) -> Ended {
    let (mut taken, mut chunk) = (0, vec![0; CHUNK]);
    loop {
        match client.read(&mut chunk) {
            Ok(0) if taken == count => return Ended::Whole,
            Ok(0) => return Ended::Short { after: taken },
            Ok(read) => {
                if let Err(at) = pattern.check(taken, &chunk[..read]) {
                    return Ended::Wrong { at };
                }
                taken += read as u64;
                if taken > count {
                    return Ended::Wrong { at: count };
                }
                progress(taken);
            }
            Err(error) => return ended(&error, taken),
        }
    }
}

fn ended(error: &io::Error, after: u64) -> Ended {
    match error.kind() {
        _ if is_reset(error) => Ended::Reset { after },
        ErrorKind::ConnectionRefused => Ended::Refused,
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Ended::Hung { after },
        other => panic!("a client's connection ended with {other:?} after {after} bytes"),
    }
}

/// Sends `count` bytes of the pattern; the target says how many it took.
pub fn upload(to: SocketAddr, count: u64, seed: u64) -> io::Result<String> {
    let mut client = connect(to, PATIENCE)?;
    writeln!(client, "TAKE {count} {seed}")?;
    send(&client, count, &Pattern::new(seed))?;
    answer(client)
}

/// As [`upload`], but the target takes what comes until this client has closed its direction, as
/// `nc -N`.
pub fn upload_until_closed(to: SocketAddr, count: u64, seed: u64) -> io::Result<String> {
    let mut client = connect(to, PATIENCE)?;
    writeln!(client, "COUNT {seed}")?;
    send(&client, count, &Pattern::new(seed))?;
    client.shutdown(Shutdown::Write)?;
    answer(client)
}

fn answer(mut client: TcpStream) -> io::Result<String> {
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    Ok(answer.trim_end().to_owned())
}

/// Fetches a web page, with curl where that is installed.
pub fn fetch(from: SocketAddr, path: &str) -> Result<String, String> {
    if !is_installed("curl") {
        return fetch_without_curl(from, path).map_err(|error| error.to_string());
    }
    let mut curl = clean("curl");
    curl.args(["-sS", "--fail", "--max-time", "20", "--noproxy", "*"]);
    let output = curl.arg(format!("http://{from}{path}")).output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

fn fetch_without_curl(from: SocketAddr, path: &str) -> io::Result<String> {
    let mut client = connect(from, PATIENCE)?;
    write!(client, "GET {path} HTTP/1.0\r\nHost: {from}\r\n\r\n")?;
    let answer = answer(client)?;
    let page = answer.split_once("\r\n\r\n").filter(|(head, _)| head.contains(" 200 "));
    page.map(|(_, page)| format!("{page}\n")).ok_or_else(|| io::Error::other(answer.clone()))
}
