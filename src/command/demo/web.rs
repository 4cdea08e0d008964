//! The demonstration's target: a web server with one page.

use std::net::SocketAddr;

use ockam::{Error, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A phrase of the page, to look for in what the hub sees.
pub(crate) const PAGE_MARK: &str = "only the two ends of the tunnel can read this";

/// The running web server; it ends with the program.
pub(crate) struct WebServer {
    address: SocketAddr,
}

impl WebServer {
    /// Starts it on a port that the system chooses.
    pub(crate) async fn start() -> Result<Self> {
        let failed =
            |source| Error::transport("cannot start the demonstration's web server", source);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        actix_rt::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                actix_rt::spawn(async move {
                    if let Err(error) = answer(client).await {
                        log::debug!("the web server lost a client: {error}");
                    }
                });
            }
        });
        Ok(Self { address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Answers any request with the page, and closes.
async fn answer(mut client: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 16 * 1024 {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let page = format!("<!doctype html>\n<title>ockam</title>\n<p>Hello: {PAGE_MARK}.</p>\n");
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        page.len()
    );
    client.write_all(format!("{head}{page}").as_bytes()).await?;
    client.shutdown().await
}
