//! Peers that go away before they have greeted: a check whether a port is open, or a node that is
//! stopped while it dials. Nothing was refused, so the log has no warning.

#![cfg(all(feature = "tls", feature = "quic"))]
// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

mod ws_peers;

use std::{
    future::Future,
    io::Write,
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use ockam_actix_runtime::{Node, NodeBuilder};
use ockam_actix_transports::{
    quic::{self, endpoint},
    tcp, unix, ws, ListenOptions,
};
use socket2::SockRef;
use ws_peers::{Authority, UPGRADE};

const DEADLINE: Duration = Duration::from_secs(10);

fn run<F: Future<Output = ()>>(test: impl FnOnce(Node) -> F) {
    actix_rt::System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        test(node.clone()).await;
        node.stop().await;
    });
}

/// Waits until so many peers have gone away, all without a warning.
async fn departed(node: &Node, count: u64, how: &str) {
    let (refusals, end) = (node.refusals(), Instant::now() + DEADLINE);
    while refusals.by("left-early") < count {
        let counts = refusals.counts();
        assert_eq!(refusals.by("no-greeting"), 0, "{how}: {counts:?}");
        assert!(Instant::now() < end, "{how}: {count} awaited: {counts:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Peers say the beginning of a greeting and are gone, one with an end and one with a reset.
async fn leave(node: &Node, address: SocketAddr, beginnings: &[&[u8]]) {
    for beginning in beginnings {
        for linger in [None, Some(Duration::ZERO)] {
            let before = node.refusals().by("left-early");
            let mut peer = TcpStream::connect(address).unwrap();
            peer.write_all(beginning).unwrap();
            SockRef::from(&peer).set_linger(linger).unwrap();
            drop(peer);
            departed(node, before + 1, &format!("{beginning:?}, {linger:?}")).await;
        }
    }
}

#[test]
fn leaving_tcp_is_no_refusal() {
    run(|node| async move {
        let listener = tcp::listener::listen(&node, "127.0.0.1:0".into()).await.unwrap();
        // Nothing, and the first bytes of a greeting and of a part of a bundle.
        let beginnings: [&[u8]; 3] = [b"", b"\0\0\0\x13\0\0", b"ockam"];
        leave(&node, listener.address(), &beginnings).await;
        // One part of two, and the first bytes that go over both.
        let part = [&b"ockam-part\x02\x01"[..], &[7; 16]].concat();
        let greeted = [&part[..], b"\0\0\0\0\0\0\0\x13\0\0"].concat();
        leave(&node, listener.address(), &[&part, &greeted]).await;
    });
}

#[test]
fn leaving_a_unix_socket_is_no_refusal() {
    run(|node| async move {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.sock");
        unix::listen(&node, ListenOptions::on(path.to_str().unwrap())).unwrap();
        drop(UnixStream::connect(&path).unwrap());
        departed(&node, 1, "nothing said").await;
        UnixStream::connect(&path).unwrap().write_all(b"\0\0").unwrap();
        departed(&node, 2, "two bytes").await;
    });
}

#[test]
fn leaving_a_websocket_is_no_refusal() {
    run(|node| async move {
        let listener = ws::listener::listen(&node, "127.0.0.1:0".into()).await.unwrap();
        let upgraded = format!("{UPGRADE}\r\n");
        leave(&node, listener.address(), &[b"", b"GET / HT", upgraded.as_bytes()]).await;
    });
}

#[test]
fn leaving_tls_is_no_refusal() {
    run(|node| async move {
        let server = Authority::new("one").server("127.0.0.1", 2030);
        let options = ListenOptions::on("127.0.0.1:0");
        let listener = ws::listener::listen_with_tls(&node, options, server).await.unwrap();
        leave(&node, listener.address(), &[b"", b"\x16\x03\x01\x02"]).await;
    });
}

#[test]
fn leaving_quic_is_no_refusal() {
    run(|node| async move {
        let listener = quic::listener::listen(&node, "127.0.0.1:0".into()).await.unwrap();
        let mut endpoint = endpoint::client(listener.address()).unwrap();
        endpoint.set_default_client_config(endpoint::client_config().unwrap());
        let connect = || endpoint.connect(listener.address(), "peer").unwrap();
        connect().await.unwrap().close(0u32.into(), b"");
        departed(&node, 1, "before a stream").await;
        let connection = connect().await.unwrap();
        let (mut sender, _receiver) = connection.open_bi().await.unwrap();
        sender.write_all(b"\0\0").await.unwrap();
        connection.close(0u32.into(), b"");
        departed(&node, 2, "with a stream").await;
    });
}
