//! A line for datagrams: a UDP proxy in front of a server, with delay, loss, reordering and
//! doubles, whose own address towards the server can change on the way.
//!
//! ```text
//! client --- front : back --- server
//! ```

use std::{
    collections::BinaryHeap,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
    },
    thread,
    time::{Duration, Instant},
};

use crate::random::Random;

/// How often threads look whether the proxy is gone.
const LOOK: Duration = Duration::from_millis(20);

/// What a line does to datagrams, in each direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    /// The time from one end to the other.
    pub delay: Duration,
    /// How much later than that a datagram may be, by chance, so that others overtake it.
    pub jitter: Duration,
    /// Of a thousand datagrams, how many are lost.
    pub lost: u64,
    /// Of a thousand datagrams, how many arrive twice.
    pub doubled: u64,
    /// What decides which.
    pub seed: u64,
}

/// The proxy, for one client at a time. It ends when this is dropped.
#[derive(Debug)]
pub struct DatagramProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    front: UdpSocket,
    server: SocketAddr,
    line: Line,
    /// Towards the server: the newest. Others are still read from.
    back: Mutex<Arc<UdpSocket>>,
    /// Where the client was last.
    client: Mutex<Option<SocketAddr>>,
    is_cut: AtomicBool,
    is_gone: AtomicBool,
    passed: AtomicU64,
}

impl DatagramProxy {
    /// Stands in front of the server at `server`, an IPv4 address.
    ///
    /// # Errors
    /// If the system has no sockets.
    pub fn start(server: SocketAddr, line: Line) -> io::Result<Self> {
        let front = socket()?;
        let address = front.local_addr()?;
        let back = Arc::new(socket()?);
        let shared = Arc::new(Shared {
            front,
            server,
            line,
            back: Mutex::new(back.clone()),
            client: Mutex::default(),
            is_cut: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            passed: AtomicU64::new(0),
        });
        let proxy = Self { address, shared };
        proxy.pump(true, back.clone());
        proxy.pump(false, back);
        Ok(proxy)
    }

    /// Where clients reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has the server see the client at another port from now on; what is on its way to the old
    /// one is lost, as behind a router that has forgotten it.
    ///
    /// # Errors
    /// If the system has no socket.
    pub fn move_client(&self) -> io::Result<()> {
        let back = Arc::new(socket()?);
        *lock(&self.shared.back) = back.clone();
        self.pump(false, back);
        Ok(())
    }

    /// Loses everything from now on, or nothing but what the line loses.
    pub fn cut(&self, is_cut: bool) {
        self.shared.is_cut.store(is_cut, Ordering::Relaxed);
    }

    /// How many datagrams have passed, in both directions.
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::Relaxed)
    }

    /// Passes on what comes in at one side.
    fn pump(&self, to_server: bool, back: Arc<UdpSocket>) {
        let wire = Arc::new(Wire::default());
        let (shared, filled) = (self.shared.clone(), wire.clone());
        let source = back.clone();
        thread::spawn(move || shared.receive(to_server, &source, &filled));
        let shared = self.shared.clone();
        thread::spawn(move || shared.send(to_server, &back, &wire));
    }
}

impl Drop for DatagramProxy {
    fn drop(&mut self) {
        self.shared.is_gone.store(true, Ordering::Relaxed);
    }
}

/// What is on its way in one direction.
#[derive(Debug, Default)]
struct Wire {
    datagrams: Mutex<BinaryHeap<Datagram>>,
    arrived: Condvar,
}

/// Ordered by when it is due, the next one greatest.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Datagram {
    due: std::cmp::Reverse<(Instant, u64)>,
    bytes: Vec<u8>,
}

impl Shared {
    fn is_current(&self, back: &Arc<UdpSocket>) -> bool {
        Arc::ptr_eq(back, &lock(&self.back))
    }

    fn receive(&self, to_server: bool, back: &Arc<UdpSocket>, wire: &Wire) {
        let source = if to_server { &self.front } else { &**back };
        let mut random = Random::new(self.line.seed ^ u64::from(to_server));
        let (mut buffer, mut number) = (vec![0; 64 * 1024], 0);
        while !self.is_gone.load(Ordering::Relaxed) {
            // Timeouts, and servers that are not there.
            let Ok((length, sender)) = source.recv_from(&mut buffer) else { continue };
            let is_cut = self.is_cut.load(Ordering::Relaxed);
            if to_server {
                *lock(&self.client) = Some(sender);
            } else if !self.is_current(back) {
                continue;
            }
            if is_cut || random.below(1_000) < self.line.lost {
                continue;
            }
            let copies = 1 + u64::from(random.below(1_000) < self.line.doubled);
            let now = Instant::now() + self.line.delay;
            let mut datagrams = lock(&wire.datagrams);
            for _ in 0..copies {
                let jitter = random.below(self.line.jitter.as_micros() as u64 + 1);
                number += 1;
                let due = std::cmp::Reverse((now + Duration::from_micros(jitter), number));
                datagrams.push(Datagram { due, bytes: buffer[..length].to_vec() });
            }
            wire.arrived.notify_one();
        }
    }

    fn send(&self, to_server: bool, back: &Arc<UdpSocket>, wire: &Wire) {
        while !self.is_gone.load(Ordering::Relaxed) {
            let Some(datagram) = wire.next() else { continue };
            // A system that takes nothing now loses it.
            let sent = if to_server {
                let back = lock(&self.back).clone();
                back.send_to(&datagram.bytes, self.server)
            } else {
                let client = lock(&self.client).filter(|_| self.is_current(back));
                client.map_or(Ok(0), |client| self.front.send_to(&datagram.bytes, client))
            };
            self.passed.fetch_add(u64::from(sent.is_ok_and(|sent| sent > 0)), Ordering::Relaxed);
        }
    }
}

impl Wire {
    /// The next datagram that is due, unless that takes long.
    fn next(&self) -> Option<Datagram> {
        let mut datagrams = lock(&self.datagrams);
        let wait = datagrams
            .peek()
            .map_or(LOOK, |next| next.due.0 .0.saturating_duration_since(Instant::now()).min(LOOK));
        if !wait.is_zero() {
            let waited = self.arrived.wait_timeout(datagrams, wait);
            datagrams = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let is_due = datagrams.peek().is_some_and(|next| next.due.0 .0 <= Instant::now());
        is_due.then(|| datagrams.pop()).flatten()
    }
}

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(LOOK))?;
    Ok(socket)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
