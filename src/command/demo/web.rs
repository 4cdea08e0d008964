//! The demonstration's target: a web server with one page, of any length.

use std::{fmt::Write, net::SocketAddr, sync::Arc, time::Duration};

use ockam::{Error, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{interval, MissedTickBehavior},
};

/// A phrase of every line of the page, to look for in what the hub sees.
pub(crate) const PAGE_MARK: &str = "only the two ends of the tunnel can read this";

/// Bytes that are sent at once, and the pause between two of them: 4 MB/s, so that a long page
/// takes as long as a person needs to watch it.
const PACE: (usize, Duration) = (40_000, Duration::from_millis(10));

/// The running web server; it ends with the program.
pub(crate) struct WebServer {
    address: SocketAddr,
    page: Arc<str>,
}

impl WebServer {
    /// Starts it on a port that the system chooses, with a page of so many lines.
    pub(crate) async fn start(lines: usize) -> Result<Self> {
        let failed =
            |source| Error::transport("cannot start the demonstration's web server", source);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let page: Arc<str> = page_of(lines).into();
        let shared = page.clone();
        actix_rt::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let page = shared.clone();
                actix_rt::spawn(async move {
                    if let Err(error) = answer(client, &page).await {
                        log::debug!("the web server lost a client: {error}");
                    }
                });
            }
        });
        Ok(Self { address, page })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The page.
    pub(crate) fn page(&self) -> &str {
        &self.page
    }
}

/// No two of its lines are equal, so that none can be lost or repeated unnoticed.
fn page_of(lines: usize) -> String {
    let mut page = String::from("<!doctype html>\n<title>ockam</title>\n");
    for number in 1..=lines {
        // Writing to a string does not fail.
        let _ = writeln!(page, "<p>Line {number}: {PAGE_MARK}.</p>");
    }
    page
}

/// Answers any request with the page, and closes.
async fn answer(mut client: TcpStream, page: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 16 * 1024 {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        page.len()
    );
    client.write_all(head.as_bytes()).await?;
    let (bytes, pause) = PACE;
    let mut pace = interval(pause);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for part in page.as_bytes().chunks(bytes) {
        pace.tick().await;
        client.write_all(part).await?;
    }
    client.shutdown().await
}
