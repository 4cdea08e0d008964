//! Passing datagrams, for one client at a time.
//!
//! What ends a connection of TCP means something else here: a datagram that is cut comes shorter,
//! and a reset is a router that has forgotten the client, so that the node sees it at another
//! address from then on. That does not happen within a handshake, as QUIC lets a peer move only
//! after it (RFC 9000, section 9).

use std::{
    io,
    net::SocketAddr,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    journal::{Direction, Journal},
    script::Operation,
};

/// Bytes of the longest datagram.
const MAX_DATAGRAM: usize = 1 << 16;

/// How long a direction stalls, once: longer than it takes until a connection is given up. A new
/// one is not known from an old one here, and would find it stalled, too.
const STALL: Duration = Duration::from_secs(6);

pub(crate) struct Datagrams {
    front: UdpSocket,
    /// What the node sees.
    back: watch::Sender<Arc<UdpSocket>>,
    node: SocketAddr,
    /// Where the client was last.
    client: watch::Sender<Option<SocketAddr>>,
    /// Whether the last datagram of the client was of a handshake.
    shakes_hands: AtomicBool,
    journal: Arc<Journal>,
}

impl Datagrams {
    pub(crate) async fn new(
        front: UdpSocket,
        node: SocketAddr,
        journal: Arc<Journal>,
    ) -> io::Result<Self> {
        let back = watch::Sender::new(back().await?);
        Ok(Self {
            front,
            back,
            node,
            client: watch::Sender::new(None),
            shakes_hands: AtomicBool::new(false),
            journal,
        })
    }

    pub(crate) async fn pass(self) {
        // Neither ends but with an error of the system.
        let _ = tokio::join!(self.pass_one_way(true), self.pass_one_way(false));
    }

    async fn pass_one_way(&self, up: bool) -> io::Result<()> {
        let (mut direction, mut has_stalled) = (Direction::new(&self.journal, 0, up), false);
        loop {
            let datagram = self.receive(up).await?;
            if up {
                self.shakes_hands.store(is_of_handshake(&datagram), Ordering::Relaxed);
            }
            let moves_too_early =
                self.journal.is_reset() && self.shakes_hands.load(Ordering::Relaxed);
            for operation in direction.handle(datagram, has_stalled || moves_too_early) {
                match operation {
                    Operation::Send(bytes) => self.send(up, &bytes).await,
                    Operation::Drop | Operation::End => {}
                    Operation::Wait(time) => sleep(time).await,
                    Operation::Reset => drop(self.back.send_replace(back().await?)),
                    Operation::Stall => {
                        has_stalled = true;
                        let _ = timeout(STALL, self.journal.wait_for_calm()).await;
                    }
                }
            }
        }
    }

    async fn receive(&self, up: bool) -> io::Result<Vec<u8>> {
        let mut datagram = vec![0; MAX_DATAGRAM];
        let mut newest = self.back.subscribe();
        let length = loop {
            if up {
                let (length, client) = self.front.recv_from(&mut datagram).await?;
                self.client.send_replace(Some(client));
                break length;
            }
            let back = newest.borrow_and_update().clone();
            tokio::select! {
                length = back.recv(&mut datagram) => break length?,
                // What comes to the old address finds nobody.
                _ = newest.changed() => {}
            }
        };
        datagram.truncate(length);
        Ok(datagram)
    }

    async fn send(&self, up: bool, datagram: &[u8]) {
        let back = self.back.borrow().clone();
        let client = *self.client.borrow();
        // Whatever the system does not take is lost, as datagrams are.
        let _ = match client {
            _ if up => back.send_to(datagram, self.node).await,
            Some(client) => self.front.send_to(datagram, client).await,
            None => return,
        };
    }
}

/// Whether the first packet has a long header (RFC 9000, section 17.2).
fn is_of_handshake(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & 0x80 != 0)
}

async fn back() -> io::Result<Arc<UdpSocket>> {
    UdpSocket::bind("127.0.0.1:0").await.map(Arc::new)
}
