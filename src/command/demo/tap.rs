//! A tap on the demonstration's connections to the hub: it passes bytes on and keeps a copy.

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

/// Bytes that a tap keeps of what passes; more than the demonstration's page needs.
const KEPT_BYTES: usize = 1024 * 1024;

/// A TCP proxy before the hub.
pub(crate) struct Tap {
    address: SocketAddr,
    seen: Arc<Lock<Vec<u8>>>,
}

impl Tap {
    /// Listens on a port that the system chooses and passes everything on to `hub`.
    pub(crate) async fn start(hub: SocketAddr) -> Result<Self> {
        let failed = |source| Error::transport("cannot start the demonstration's tap", source);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let seen = Arc::new(Lock::new(Vec::new()));
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
    pub(crate) fn seen(&self) -> Vec<u8> {
        self.seen.lock().clone()
    }
}

async fn pass(node: TcpStream, hub: SocketAddr, seen: Arc<Lock<Vec<u8>>>) {
    let Ok(hub) = TcpStream::connect(hub).await else { return };
    for socket in [&node, &hub] {
        // A node does not delay small frames, so the tap must not either.
        let _ = socket.set_nodelay(true);
    }
    let ((node_out, node_in), (hub_out, hub_in)) = (node.into_split(), hub.into_split());
    tokio::join!(copy(node_out, hub_in, &seen), copy(hub_out, node_in, &seen));
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: &Lock<Vec<u8>>) {
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        keep(seen, &chunk[..read]);
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

fn keep(seen: &Lock<Vec<u8>>, bytes: &[u8]) {
    let mut kept = seen.lock();
    let room = KEPT_BYTES.saturating_sub(kept.len()).min(bytes.len());
    kept.extend_from_slice(&bytes[..room]);
}
