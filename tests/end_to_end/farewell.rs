//! Bytes that are sent just before a reset arrive before it, as they do without a tunnel, as far as
//! the credit goes.
//!
//! A web server that refuses a large request answers and closes without having read it: its system
//! then resets the connection after the answer, and the client must see both.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use ockam_actix_harness::{
    deadline::{poll, PATIENCE},
    network::in_own_network,
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{io::Interest, time::timeout};

use crate::tunnel::{step_01, step_02, step_03, step_04};

/// How often each order is tried through each tunnel, because a fault would show only by chance.
const TIMES: usize = 20;

const ANSWER: &[u8] = b"HTTP/1.1 413 Content Too Large\r\n\r\n";

/// A target that waits at most [`PATIENCE`] for a connection: the system bounds `accept` as it
/// bounds reads.
fn target(queue: i32) -> (TcpListener, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.listen(queue).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket.into(), address)
}

/// Both ends of one connection through the tunnel.
fn connection(entry: SocketAddr, target: &TcpListener) -> [TcpStream; 2] {
    let client = TcpStream::connect_timeout(&entry, PATIENCE).unwrap();
    let (target, _) = target.accept().unwrap();
    for socket in [&client, &target] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
    }
    [client, target]
}

fn closes_with_a_reset(socket: TcpStream) {
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Reads only once the reset has arrived: all bytes that came before it, and then the error.
fn read_after_reset(mut socket: TcpStream) -> Vec<u8> {
    socket.set_nonblocking(true).unwrap();
    actix_rt::System::new().block_on(async {
        let watched = tokio::net::TcpStream::from_std(socket.try_clone().unwrap()).unwrap();
        timeout(PATIENCE, watched.ready(Interest::ERROR)).await.expect("a reset").unwrap();
    });
    socket.set_nonblocking(false).unwrap();
    let mut all = Vec::new();
    let error = socket.read_to_end(&mut all).expect_err("a reset is no end");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    all
}

/// The target answers, and closes although it has not read what the client sent.
fn answer_before_a_reset(entry: SocketAddr, target: &TcpListener) {
    let [mut client, mut server] = connection(entry, target);
    client.write_all(&[7; 5_000]).unwrap();
    server.read_exact(&mut [0]).unwrap();
    server.write_all(ANSWER).unwrap();
    drop(server);
    assert_eq!(read_after_reset(client), ANSWER);
}

/// The target greets and resets, before the client has sent anything.
fn greeting_before_a_reset(entry: SocketAddr, target: &TcpListener) {
    let [client, mut server] = connection(entry, target);
    server.write_all(ANSWER).unwrap();
    closes_with_a_reset(server);
    assert_eq!(read_after_reset(client), ANSWER);
}

/// The client sends something and resets.
fn request_before_a_reset(entry: SocketAddr, target: &TcpListener) {
    let [mut client, server] = connection(entry, target);
    client.write_all(ANSWER).unwrap();
    closes_with_a_reset(client);
    assert_eq!(read_after_reset(server), ANSWER);
}

#[test]
fn bytes_before_a_reset_arrive_through_each_step() {
    in_own_network(|| {
        let (target, address) = target(128);
        let all = |entry| {
            for _ in 0..TIMES {
                answer_before_a_reset(entry, &target);
                greeting_before_a_reset(entry, &target);
                request_before_a_reset(entry, &target);
            }
        };
        all(address);
        for step in [step_01, step_02, step_03, step_04] {
            let tunnel = step(&address.to_string(), 2);
            all(tunnel.inlet);
        }
    });
}

/// Whether a connection with `target` was asked for and not answered: state 2 in the system's
/// [table](https://docs.kernel.org/networking/proc_net_tcp.html).
fn is_connecting(target: SocketAddr) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", target.port());
    let mut connections = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    connections.any(|fields| fields[2].ends_with(&port) && fields[3] == "02")
}

/// The target's queue is full until the client has gone.
#[test]
fn request_before_a_reset_waits_for_the_target() {
    in_own_network(|| {
        let (target, address) = target(0);
        let _first = TcpStream::connect(address).unwrap();
        let tunnel = step_02(&address.to_string(), 1);
        let mut client = TcpStream::connect_timeout(&tunnel.inlet, PATIENCE).unwrap();
        client.write_all(ANSWER).unwrap();
        closes_with_a_reset(client);
        poll("the outlet to connect", PATIENCE, || {
            is_connecting(address).then_some(()).ok_or("not yet")
        });
        target.accept().unwrap();
        let (server, _) = target.accept().unwrap();
        assert_eq!(read_after_reset(server), ANSWER);
    });
}
