//! What a target is told of its client before all that the client sends.

use std::net::SocketAddr;

use ockam_actix_runtime::{route, Node};
use ockam_actix_workers::portal::{
    inlet::listen_unix, Inlet, InletOptions, Outlet, OutletOptions, ProxyProtocol,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
};

use crate::support::{in_time, inlet_with, node, run};

async fn outlet(node: &Node, version: ProxyProtocol) -> TcpListener {
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = OutletOptions::to(target.local_addr().unwrap().to_string());
    Outlet::start(node, "outlet", options.proxy_protocol(version)).unwrap();
    target
}

/// What the target gets of a client that sends four bytes and ends.
async fn seen(target: &TcpListener, mut client: impl AsyncRead + AsyncWrite + Unpin) -> Vec<u8> {
    client.write_all(b"ping").await.unwrap();
    client.shutdown().await.unwrap();
    let exchange = async {
        let (mut served, _) = target.accept().await.unwrap();
        let mut came = Vec::new();
        served.read_to_end(&mut came).await.unwrap();
        served.write_all(b"pong").await.unwrap();
        drop(served);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"pong");
        came
    };
    in_time("an exchange", exchange).await
}

async fn connect(inlet: SocketAddr) -> (TcpStream, SocketAddr) {
    let client = TcpStream::connect(inlet).await.unwrap();
    let own = client.local_addr().unwrap();
    (client, own)
}

#[test]
fn a_target_is_told_of_each_client_first() {
    run(async {
        let ctx = node().await;
        let target = outlet(ctx.node(), ProxyProtocol::V1).await;
        let inlet = inlet_with(ctx.node(), InletOptions::along(route!["outlet"]));
        for _ in 0..2 {
            let (client, own) = connect(inlet).await;
            let expected =
                format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\nping", own.port(), inlet.port());
            assert_eq!(String::from_utf8(seen(&target, client).await).unwrap(), expected);
        }
        ctx.stop().await.unwrap();
    });
}

#[test]
fn the_second_version_is_bytes() {
    run(async {
        let ctx = node().await;
        let target = outlet(ctx.node(), ProxyProtocol::V2).await;
        // All addresses: which one a client has connected to is asked of its socket.
        let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let inlet = Inlet::start(ctx.node(), listener, route!["outlet"]).unwrap().address();
        let (client, own) = connect(([127, 0, 0, 2], inlet.port()).into()).await;
        let expected = [
            &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"[..],
            &[127, 0, 0, 1, 127, 0, 0, 2],
            &own.port().to_be_bytes(),
            &inlet.port().to_be_bytes(),
            b"ping",
        ];
        assert_eq!(seen(&target, client).await, expected.concat());
        ctx.stop().await.unwrap();
    });
}

#[test]
fn of_hidden_and_local_clients_nothing_is_told() {
    run(async {
        let ctx = node().await;
        let target = outlet(ctx.node(), ProxyProtocol::V1).await;
        let options = InletOptions::along(route!["outlet"]).hide_clients();
        let (client, _) = connect(inlet_with(ctx.node(), options)).await;
        assert_eq!(seen(&target, client).await, b"PROXY UNKNOWN\r\nping");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = listen_unix(&format!("unix:{}", path.display()), 0o600).unwrap().unwrap();
        let inlet = Inlet::start(ctx.node(), listener, route!["outlet"]).unwrap();
        let client = UnixStream::connect(&path).await.unwrap();
        assert_eq!(seen(&target, client).await, b"PROXY UNKNOWN\r\nping");
        drop(inlet);
        ctx.stop().await.unwrap();
    });
}
