//! Clients that name their servers: what they are told, and what the outlet permits.

use std::net::SocketAddr;

use ockam_actix_runtime::{route, Node};
use ockam_actix_workers::portal::{InletOptions, Outlet};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::support::{in_time, inlet, inlet_with, node, run};

const CONNECTED: u8 = 0;
const NOT_ALLOWED: u8 = 2;
const HOST_UNREACHABLE: u8 = 4;
const REFUSED: u8 = 5;

fn socks_inlet(node: &Node) -> SocketAddr {
    inlet_with(node, InletOptions::along(route!["outlet"]).socks())
}

/// A client that has greeted the inlet and was accepted.
async fn greeted(inlet: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(inlet).await.unwrap();
    client.write_all(&[5, 2, 0, 2]).await.unwrap();
    let mut answer = [0; 2];
    in_time("the answer to a greeting", client.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, [5, 0]);
    client
}

fn by_name(name: &str, port: u16) -> Vec<u8> {
    [&[5, 1, 0, 3, name.len() as u8], name.as_bytes(), &port.to_be_bytes()].concat()
}

fn by_address(address: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(address) = address else { panic!("{address}") };
    [&[5, 1, 0, 1][..], &address.ip().octets(), &address.port().to_be_bytes()].concat()
}

/// The client after its request, and the code of the reply.
async fn asked(inlet: SocketAddr, request: &[u8]) -> (TcpStream, u8) {
    let mut client = greeted(inlet).await;
    client.write_all(request).await.unwrap();
    let mut reply = [0; 10];
    in_time("a reply", client.read_exact(&mut reply)).await.unwrap();
    assert_eq!((&reply[..1], &reply[2..]), (&[5][..], &[0, 1, 0, 0, 0, 0, 0, 0][..]));
    (client, reply[1])
}

async fn is_ended(mut client: TcpStream) -> bool {
    in_time("the end", client.read(&mut [0])).await.is_ok_and(|read| read == 0)
}

#[test]
fn a_client_reaches_the_server_that_it_names() {
    run(async {
        let ctx = node().await;
        let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = target.local_addr().unwrap();
        Outlet::start(ctx.node(), "outlet", "localhost:*,127.0.0.0/8:*").unwrap();
        let inlet = socks_inlet(ctx.node());
        for request in [by_name("localhost", address.port()), by_address(address)] {
            // Its first bytes come with the request, and the target speaks first as well.
            let mut client = greeted(inlet).await;
            client.write_all(&[&request[..], b"early"].concat()).await.unwrap();
            let (mut served, _) = in_time("the target", target.accept()).await.unwrap();
            served.write_all(b"hello").await.unwrap();
            let mut came = [0; 15];
            in_time("reply and data", client.read_exact(&mut came)).await.unwrap();
            assert_eq!((came[1], &came[10..]), (CONNECTED, &b"hello"[..]));
            client.write_all(b" and late").await.unwrap();
            client.shutdown().await.unwrap();
            let mut sent = String::new();
            in_time("all", served.read_to_string(&mut sent)).await.unwrap();
            assert_eq!(sent, "early and late");
            drop(served);
            assert!(is_ended(client).await);
        }
        ctx.stop().await.unwrap();
    });
}

#[test]
fn what_is_refused_looks_refused() {
    run(async {
        let ctx = node().await;
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let patterns = format!("localhost:{},127.0.0.1:{0},*.invalid:1", closed.port());
        Outlet::start(ctx.node(), "outlet", patterns).unwrap();
        let inlet = socks_inlet(ctx.node());
        for (request, code) in [
            (by_name("localhost", closed.port()), REFUSED),
            (by_address(closed), REFUSED),
            (by_name("localhost", 1), NOT_ALLOWED),
            (by_name("other.example", closed.port()), NOT_ALLOWED),
            (by_address(([127, 0, 0, 2], closed.port()).into()), NOT_ALLOWED),
            (by_name("nobody.invalid", 1), HOST_UNREACHABLE),
            (by_name("no host", 1), HOST_UNREACHABLE),
            (by_name("localhost", 0), HOST_UNREACHABLE),
            (vec![5, 2, 0, 1, 127, 0, 0, 1, 0, 80], 7),
        ] {
            let (client, reply) = asked(inlet, &request).await;
            assert_eq!(reply, code, "{request:?}");
            assert!(is_ended(client).await, "{request:?}");
        }
        ctx.stop().await.unwrap();
    });
}

#[test]
fn an_outlet_of_one_target_is_named_exactly() {
    run(async {
        let ctx = node().await;
        let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = target.local_addr().unwrap();
        Outlet::start(ctx.node(), "outlet", address.to_string()).unwrap();
        let named = socks_inlet(ctx.node());
        assert_eq!(asked(named, &by_address(address)).await.1, CONNECTED);
        assert_eq!(asked(named, &by_name("localhost", address.port())).await.1, NOT_ALLOWED);
        ctx.stop().await.unwrap();
    });
}

#[test]
fn a_client_that_names_none_needs_one_target() {
    run(async {
        let ctx = node().await;
        Outlet::start(ctx.node(), "outlet", "localhost:*,*:443").unwrap();
        let mut client = TcpStream::connect(inlet(ctx.node(), route!["outlet"])).await.unwrap();
        let read = in_time("the reset", client.read(&mut [0])).await;
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
        ctx.stop().await.unwrap();
    });
}

#[test]
fn garbage_and_silence_are_closed() {
    run(async {
        let ctx = node().await;
        Outlet::start(ctx.node(), "outlet", "*:*").unwrap();
        let inlet = socks_inlet(ctx.node());
        let begun = Instant::now();
        let mut stalled = TcpStream::connect(inlet).await.unwrap();
        stalled.write_all(&[5, 3, 0]).await.unwrap();
        for (garbage, answer) in
            [(&b"GET / HTTP/1.1\r\n"[..], &[][..]), (&[4, 1, 0, 80], &[]), (&[5, 1, 2], &[5, 0xff])]
        {
            let mut client = TcpStream::connect(inlet).await.unwrap();
            client.write_all(garbage).await.unwrap();
            let mut came = Vec::new();
            // What was sent in vain may reset the connection.
            let _ = in_time("the end", client.read_to_end(&mut came)).await;
            assert_eq!(came, answer, "{garbage:?}");
        }
        let read = in_time("the stalled one to be closed", stalled.read(&mut [0])).await;
        assert!(!read.is_ok_and(|read| read > 0));
        let waited = begun.elapsed().as_secs();
        assert!((9..15).contains(&waited), "{waited} s");
        ctx.stop().await.unwrap();
    });
}

#[test]
fn a_route_without_an_outlet_is_a_failure() {
    run(async {
        let ctx = node().await;
        let outlet = Outlet::start(ctx.node(), "outlet", "*:*").unwrap();
        let nowhere = socks_inlet(ctx.node());
        outlet.stop().unwrap();
        let (client, reply) = asked(nowhere, &by_name("localhost", 1)).await;
        assert_eq!(reply, 1);
        assert!(is_ended(client).await);
        ctx.stop().await.unwrap();
    });
}
