//! Nodes, targets, clients and lines for the tests.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use actix_rt::task::JoinHandle;
use ockam_actix_runtime::{route, Address, Node, NodeBuilder, Route};
use ockam_actix_transports::{
    tcp::{self, listener::listen},
    ListenOptions, TCP,
};
use ockam_actix_workers::{
    datagram::{UdpInlet, UdpOutlet},
    secure_channel::Limits,
    Entity, SecureChannel, SecureChannels, TrustEveryonePolicy, Vault,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        TcpListener, TcpStream, UdpSocket,
    },
    time::{sleep, timeout},
};

/// The limit of every wait in a test.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The name of the listeners for channels.
pub(crate) const SERVICE: &str = "channels";

/// Runs a test in a `System` of its own.
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    let _ = env_logger::Builder::from_env("RUST_LOG").is_test(true).try_init();
    actix_rt::System::new().block_on(async {
        timeout(3 * DEADLINE, test).await.expect("the test ends in time");
    });
}

/// Bounds a wait.
pub(crate) async fn in_time<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("waited {DEADLINE:?} for {what}"))
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    in_time(what, waiting).await;
}

/// A node that can dial.
pub(crate) async fn node(arbiters: usize) -> Node {
    let node = NodeBuilder::new().arbiters(arbiters).start().await.unwrap();
    tcp::add(&node).unwrap();
    node
}

pub(crate) fn entity(node: &Node) -> Entity {
    let limits = Limits {
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(100),
        ..Limits::default()
    };
    Entity::create(node, &Vault::in_memory()).unwrap().with_limits(limits)
}

/// Listens for nodes.
pub(crate) async fn listening(node: &Node, options: ListenOptions) -> SocketAddr {
    listen(node, options).await.unwrap().address()
}

pub(crate) fn tcp(address: SocketAddr) -> Address {
    Address::from((TCP, address.to_string()))
}

/// A UDP server that sends every datagram back.
pub(crate) async fn echo() -> SocketAddr {
    let socket = udp().await;
    let address = socket.local_addr().unwrap();
    actix_rt::spawn(async move {
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
            let _ = socket.send_to(&buffer[..length], client).await;
        }
    });
    address
}

pub(crate) async fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

/// An inlet on `node` for `route`.
pub(crate) fn inlet(node: &Node, route: Route) -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    UdpInlet::start(node, socket, route).unwrap().address()
}

/// A client of an inlet.
pub(crate) async fn client(inlet: SocketAddr) -> UdpSocket {
    let socket = udp().await;
    socket.connect(inlet).await.unwrap();
    socket
}

pub(crate) async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let length = in_time("a datagram", socket.recv(&mut buffer)).await.unwrap();
    buffer.truncate(length);
    buffer
}

/// Sends a datagram and expects it back.
pub(crate) async fn echoes(socket: &UdpSocket, datagram: &[u8]) {
    socket.send(datagram).await.unwrap();
    assert!(receive(socket).await == datagram, "{} bytes came back changed", datagram.len());
}

/// Sends a datagram until it comes back, as clients of UDP do.
pub(crate) async fn echoes_at_last(socket: &UdpSocket, datagram: &[u8]) {
    let asking = async {
        let mut buffer = vec![0; 65_536];
        loop {
            socket.send(datagram).await.unwrap();
            let answer = timeout(Duration::from_millis(50), socket.recv(&mut buffer)).await;
            if matches!(answer, Ok(Ok(length)) if buffer[..length] == *datagram) {
                return;
            }
        }
    };
    in_time("an echo", asking).await;
}

/// A server with a UDP outlet behind a channel listener, a line to it, and a client's channel.
pub(crate) struct Pair {
    pub(crate) client: Node,
    pub(crate) server: Node,
    pub(crate) line: Line,
    pub(crate) channel: SecureChannel,
}

impl Pair {
    /// With `target` behind the outlet.
    pub(crate) async fn to(target: SocketAddr, arbiters: usize) -> Self {
        let (client, server) = (node(arbiters).await, node(arbiters).await);
        UdpOutlet::start(&server, "outlet", target.to_string()).unwrap();
        entity(&server).create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let listening = listening(&server, ListenOptions::on("127.0.0.1:0")).await;
        let line = Line::to(listening).await;
        let route = route![tcp(line.address), SERVICE];
        let channel = entity(&client).create_secure_channel(route, TrustEveryonePolicy).unwrap();
        in_time("a channel", channel.established()).await.unwrap();
        Self { client, server, line, channel }
    }

    pub(crate) fn inlet(&self) -> SocketAddr {
        inlet(&self.client, route![&self.channel, "outlet"])
    }

    /// How often the client's node has counted losses by `rule`.
    pub(crate) fn lost(&self, rule: &str) -> u64 {
        self.client.refusals().by(rule)
    }
}

/// A TCP line that a test can hold up and cut.
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    held: Rc<Cell<bool>>,
    copying: Rc<RefCell<Vec<JoinHandle<()>>>>,
}

impl Line {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (held, copying) = (Rc::new(Cell::new(false)), Rc::<RefCell<Vec<_>>>::default());
        let line = Self { address, held: held.clone(), copying: copying.clone() };
        actix_rt::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let Ok(far) = TcpStream::connect(target).await else { continue };
                let ((a, b), (c, d)) = (near.into_split(), far.into_split());
                for (from, to) in [(a, d), (c, b)] {
                    copying.borrow_mut().push(actix_rt::spawn(copy(from, to, held.clone())));
                }
            }
        });
        line
    }

    /// Takes nothing more, or goes on.
    pub(crate) fn hold(&self, held: bool) {
        self.held.set(held);
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        self.copying.borrow_mut().drain(..).for_each(|copying| copying.abort());
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, held: Rc<Cell<bool>>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while held.get() {
            sleep(Duration::from_millis(1)).await;
        }
        match from.read(&mut buffer).await {
            Ok(length @ 1..) if to.write_all(&buffer[..length]).await.is_ok() => {}
            _ => return,
        }
    }
}
