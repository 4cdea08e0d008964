//! The demonstration's client: an HTTP client that knows nothing of the tunnel.

use std::{
    io::{self, Read},
    time::{Duration, Instant},
};

use ockam::Result;
use tokio::sync::mpsc;

/// How long a page may take: everything is on one machine, and the long page takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of one read at most.
const CHUNK: usize = 16 * 1024;

/// A part of a page.
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    /// When the client got it.
    pub(crate) at: Instant,
}

/// A page that is being fetched.
pub(crate) struct Download(mpsc::Receiver<io::Result<Chunk>>);

impl Download {
    /// Asks for the page at `url`.
    pub(crate) fn begin(url: String) -> Self {
        let (chunks, arriving) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = read(&url, &chunks) {
                // Nobody waits for the page any more if this fails.
                let _ = chunks.blocking_send(Err(error));
            }
        });
        Self(arriving)
    }

    /// The next part; `None` after the last one.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Chunk>> {
        self.0.recv().await.transpose()
    }

    /// All that is still to come.
    pub(crate) async fn rest(mut self) -> Result<String> {
        let mut page = Vec::new();
        while let Some(chunk) = self.next().await? {
            page.extend(chunk.bytes);
        }
        Ok(String::from_utf8_lossy(&page).into_owned())
    }
}

fn read(url: &str, chunks: &mpsc::Sender<io::Result<Chunk>>) -> io::Result<()> {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build();
    let agent = ureq::Agent::new_with_config(config);
    let mut response = agent.get(url).call().map_err(ureq::Error::into_io)?;
    let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
    let mut buffer = vec![0; CHUNK];
    while let length @ 1.. = body.read(&mut buffer)? {
        let chunk = Chunk { bytes: buffer[..length].to_vec(), at: Instant::now() };
        if chunks.blocking_send(Ok(chunk)).is_err() {
            break;
        }
    }
    Ok(())
}
