//! One tunnelled connection: both of its ends send what follows from a seed, and record what they
//! receive.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use fault_proxy::{
    check,
    history::{Direction, End},
    Outcome, Violation,
};
use ockam_actix_harness::random::Random;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

/// Bytes that each end sends, at most.
const MOST: usize = 200_000;

/// Bytes of one write, at most.
const BURST: usize = 8_000;

/// An end that has seen neither end nor reset for so long never will: a stream waits for another
/// path for two minutes, and where a frame never ends, the loss of a path is noticed within 30 s.
const SILENCE: Duration = Duration::from_secs(150);

/// What one end of a connection sent and received.
#[derive(Debug)]
pub(crate) struct Side {
    sent: Vec<u8>,
    fin_sent: bool,
    received: Vec<u8>,
    end: End,
}

/// What an end sends. The client's begins with the seed, by which the target knows what to answer.
fn text(seed: u64, client: bool) -> Vec<u8> {
    let mut random = Random::new(seed ^ u64::from(client) << 63);
    let length = random.index(MOST);
    let text = random.bytes(length);
    if client {
        [&seed.to_be_bytes()[..], &text].concat()
    } else {
        text
    }
}

/// Sends and receives until the connection is over in both directions.
async fn live(mut socket: TcpStream, text: &[u8], mut received: Vec<u8>) -> Side {
    let (sent, fin_sent, was_reset) = (Cell::new(0), Cell::new(false), Cell::new(false));
    let (mut input, mut output) = socket.split();
    let write = async {
        let mut pace = Random::new(text.len() as u64);
        while sent.get() < text.len() {
            let burst = (1 + pace.index(BURST)).min(text.len() - sent.get());
            match output.write(&text[sent.get()..][..burst]).await {
                Ok(written) => sent.set(sent.get() + written),
                // Linux reports a reset once: the next read gets an end of file.
                Err(_) => return was_reset.set(true),
            }
            // Small bursts make many frames, and so many faults.
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        match output.shutdown().await {
            Ok(()) => fin_sent.set(true),
            Err(_) => was_reset.set(true),
        }
    };
    let read = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match timeout(SILENCE, input.read(&mut buffer)).await {
                Err(_) => return End::Silence,
                Ok(Ok(0)) if !was_reset.get() => return End::Fin,
                Ok(Ok(0) | Err(_)) => return End::Reset,
                Ok(Ok(length)) => received.extend_from_slice(&buffer[..length]),
            }
        }
    };
    tokio::pin!(write);
    let end = {
        tokio::pin!(read);
        let mut written = false;
        let end = loop {
            tokio::select! {
                end = &mut read => break end,
                () = &mut write, if !written => written = true,
            }
        };
        // After an end of file the other direction goes on; after anything else there is none.
        if end == End::Fin && !written {
            let _ = timeout(SILENCE, write).await;
        }
        end
    };
    Side { sent: text[..sent.get()].to_vec(), fin_sent: fin_sent.get(), received, end }
}

/// The connections that clients have begun.
#[derive(Default)]
struct Register {
    /// Where the target's side of a connection is to be sent, by seed; removed when the target gets
    /// the seed.
    waiting: RefCell<HashMap<u64, oneshot::Sender<Side>>>,
    /// Every seed that was ever sent.
    sent: RefCell<HashSet<u64>>,
    /// What arrived in the place of a seed, and was never sent.
    wrong: RefCell<Vec<u64>>,
}

/// The server that the outlet connects to.
pub(crate) struct Target {
    address: SocketAddr,
    register: Rc<Register>,
}

impl Target {
    pub(crate) async fn start() -> Self {
        // Elsewhere than the proxies, as inlets are.
        let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let (address, register) = (listener.local_addr().unwrap(), Rc::<Register>::default());
        let known = register.clone();
        actix_rt::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                actix_rt::spawn(answer(socket, known.clone()));
            }
        });
        Self { address, register }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first bytes of connections that began with a seed that nobody sent.
    pub(crate) fn wrong_seeds(&self) -> Vec<u64> {
        self.register.wrong.take()
    }
}

async fn answer(mut socket: TcpStream, register: Rc<Register>) {
    let mut seed = [0; 8];
    if socket.read_exact(&mut seed).await.is_err() {
        return;
    }
    let number = u64::from_be_bytes(seed);
    if !register.sent.borrow().contains(&number) {
        register.wrong.borrow_mut().push(number);
    }
    let waiting = register.waiting.borrow_mut().remove(&number);
    let side = live(socket, &text(number, false), seed.to_vec()).await;
    if let Some(waiting) = waiting {
        let _ = waiting.send(side);
    }
}

/// Sends in both directions through an inlet, and checks both: to the target, and to the client.
pub(crate) async fn converse(
    inlet: SocketAddr,
    target: &Target,
    seed: u64,
) -> [Result<Outcome, Violation>; 2] {
    let (sender, far) = oneshot::channel();
    target.register.sent.borrow_mut().insert(seed);
    target.register.waiting.borrow_mut().insert(seed, sender);
    let Ok(socket) = TcpStream::connect(inlet).await else {
        // While there is no channel an inlet resets its clients at once, some before they know that
        // they are connected.
        target.register.waiting.borrow_mut().remove(&seed);
        return [Ok(Outcome::Cut); 2];
    };
    let client = live(socket, &text(seed, true), Vec::new()).await;
    let unheard_of = target.register.waiting.borrow_mut().remove(&seed).is_some();
    let server = if unheard_of { None } else { far.await.ok() };
    let Some(server) = server else {
        let (received, end) = (&client.received[..], client.end);
        let nothing = Direction { sent: &[], fin_sent: false, received, end };
        return [Ok(Outcome::Cut), check(nothing)];
    };
    [check_direction(&client, &server), check_direction(&server, &client)]
}

fn check_direction(from: &Side, to: &Side) -> Result<Outcome, Violation> {
    let (sent, fin_sent) = (&from.sent[..], from.fin_sent);
    check(Direction { sent, fin_sent, received: &to.received, end: to.end })
}
