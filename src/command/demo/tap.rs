//! A tap on the demonstration's connections to the hub: it passes bytes on and looks for the page.

use std::{net::SocketAddr, sync::Arc};

use ockam::{Error, Result};
use ockam_actix_runtime::lock::Lock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        TcpListener, TcpStream,
    },
};

use crate::command::demo::web::PAGE_MARK;

/// Bytes that a tap keeps of what has passed last, to show them.
const SAMPLE: usize = 20;

/// What has passed a tap, in both directions.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) bytes: usize,
    /// Whether a line of the page was among them.
    pub(crate) has_page: bool,
    /// The last of them: records, once the handshake is over.
    pub(crate) sample: Vec<u8>,
}

/// A TCP proxy before the hub.
pub(crate) struct Tap {
    address: SocketAddr,
    seen: Arc<Lock<Seen>>,
}

impl Tap {
    /// Listens on a port that the system chooses and passes everything on to `hub`.
    pub(crate) async fn start(hub: SocketAddr) -> Result<Self> {
        let failed = |source| Error::transport("cannot start the demonstration's tap", source);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let seen = Arc::new(Lock::new(Seen::default()));
        let kept = seen.clone();
        actix_rt::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                actix_rt::spawn(pass(node, hub, kept.clone()));
            }
        });
        Ok(Self { address, seen })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that passed so far, in both directions.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }
}

async fn pass(node: TcpStream, hub: SocketAddr, seen: Arc<Lock<Seen>>) {
    // While nobody listens there, the system may connect a socket to itself.
    let Ok(hub) = TcpStream::connect(hub).await else { return };
    if hub.local_addr().ok() == hub.peer_addr().ok() {
        return;
    }
    for socket in [&node, &hub] {
        // A node does not delay small frames, so the tap must not either.
        let _ = socket.set_nodelay(true);
    }
    let ((node_out, node_in), (hub_out, hub_in)) = (node.into_split(), hub.into_split());
    tokio::join!(copy(node_out, hub_in, &seen), copy(hub_out, node_in, &seen));
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: &Lock<Seen>) {
    let mut chunk = vec![0; 16 * 1024];
    let mut search = Search::default();
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let bytes = &chunk[..read];
        let found = search.finds_page(bytes);
        {
            let mut seen = seen.lock();
            seen.bytes += read;
            seen.has_page |= found;
            seen.sample = bytes[read.saturating_sub(SAMPLE)..].to_vec();
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

/// Looks for the page in one direction, across the borders of what is read at once.
#[derive(Default)]
struct Search(Vec<u8>);

impl Search {
    fn finds_page(&mut self, bytes: &[u8]) -> bool {
        self.0.extend_from_slice(bytes);
        let found = self.0.windows(PAGE_MARK.len()).any(|window| window == PAGE_MARK.as_bytes());
        self.0.drain(..self.0.len().saturating_sub(PAGE_MARK.len() - 1));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_found_in_parts() {
        let text = format!("before {PAGE_MARK} after");
        for cut in 1..text.len() {
            let mut search = Search::default();
            let parts = text.as_bytes().split_at(cut);
            assert!(search.finds_page(parts.0) | search.finds_page(parts.1), "{cut}");
            assert!(!search.finds_page(&text.as_bytes()[..20]));
        }
    }
}
