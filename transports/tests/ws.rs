//! WebSockets between two nodes on real sockets, in TLS too, and peers that do not keep to the
//! protocol.
#![cfg(feature = "tls")]
// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

mod ws_peers;

use std::{net::SocketAddr, time::Duration};

use ockam_actix_runtime::{route, Address, Host, TransportType};
use ockam_actix_transports::{
    tls::{ClientTls, ServerTls},
    ws::{self, listener},
    ListenOptions, Listener, WS, WSS,
};
use ws_peers::{Authority, Pair, Raw};

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(10);

async fn listen(pair: &Pair, address: &str) -> Listener {
    listener::listen(pair.far.node(), exposed(address)).await.unwrap()
}

async fn listen_with_tls(pair: &Pair, tls: ServerTls) -> Listener {
    listener::listen_with_tls(pair.far.node(), exposed("127.0.0.1:0"), tls).await.unwrap()
}

fn exposed(address: &str) -> ListenOptions {
    ListenOptions::on(address).expose("echo")
}

fn at(transport: TransportType, address: SocketAddr, path: &str) -> Address {
    Address::from((transport, format!("{address}{path}")))
}

fn run<F: std::future::Future<Output = ()>>(test: F) {
    actix_rt::System::new().block_on(test);
}

/// Bytes of messages, which are in frames with each form of a length.
const SIZES: [usize; 6] = [0, 1, 100, 200, 5_000, 60_000];

// ----- nodes -------------------------------------------------------------------------------------

#[test]
fn messages_of_every_size_come_back() {
    run(async {
        for arbiters in [1, 2] {
            let pair = Pair::with_arbiters(arbiters).await;
            let listener = listen(&pair, "127.0.0.1:0").await;
            let peer = at(WS, listener.address(), "/any");
            for length in SIZES {
                pair.echo(&peer, length).await;
            }
        }
    });
}

#[test]
fn they_come_back_through_tls_as_well() {
    run(async {
        let pair = Pair::new().await;
        let authority = Authority::new("one");
        let listener = listen_with_tls(&pair, authority.server("127.0.0.1", 2030)).await;
        ws::add_with_tls(pair.near.node(), authority.client()).unwrap();
        let peer = at(WSS, listener.address(), "");
        for length in SIZES {
            pair.echo(&peer, length).await;
        }
    });
}

#[test]
fn a_listener_with_a_path_serves_it_alone() {
    run(async {
        let pair = Pair::new().await;
        let listener = listen(&pair, "127.0.0.1:0/node").await;
        pair.echo(&at(WS, listener.address(), "/node"), 10).await;
        let failure = pair.failure(&at(WS, listener.address(), "/")).await;
        assert!(failure.contains("404") && failure.contains("check the path"), "{failure}");
    });
}

#[test]
fn clients_believe_only_their_authority() {
    run(async {
        let pair = Pair::new().await;
        let (authority, other) = (Authority::new("one"), Authority::new("other"));
        ws::add_with_tls(pair.near.node(), authority.client()).unwrap();
        for (server, why) in [
            (other.server("127.0.0.1", 2030), "authority that this node does not trust"),
            (authority.server("example.org", 2030), "for another name"),
            (authority.server("127.0.0.1", 2001), "has expired"),
        ] {
            let listener = listen_with_tls(&pair, server).await;
            let failure = pair.failure(&at(WSS, listener.address(), "")).await;
            assert!(failure.contains(why), "{failure}");
        }
        let listener = listen(&pair, "127.0.0.1:0").await;
        let failure = pair.failure(&at(WSS, listener.address(), "")).await;
        assert!(failure.contains("does not speak TLS"), "{failure}");
    });
}

#[test]
fn renewed_certificates_end_no_connection() {
    run(async {
        let (pair, other) = (Pair::new().await, Pair::new().await);
        let (old, new) = (Authority::new("old"), Authority::new("new"));
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = old.files(folder.path(), "127.0.0.1", 2030);
        let tls = ServerTls::from_pem_files(chain, key).unwrap();
        let listener = listen_with_tls(&pair, tls).await;
        let peer = at(WSS, listener.address(), "");
        ws::add_with_tls(pair.near.node(), old.client()).unwrap();
        pair.echo(&peer, 10).await;
        let route = route![peer.clone()];
        let before = pair.near.node().first_hop(&route).unwrap();
        new.files(folder.path(), "127.0.0.1", 2030);
        // One that believes the new authority alone tries until the listener has looked.
        ws::add_with_tls(other.near.node(), new.client()).unwrap();
        let mut hop = other.near.node().first_hop(&route).unwrap();
        tokio::time::timeout(DEADLINE, hop.up()).await.expect("the new certificate is shown");
        other.echo(&peer, 10).await;
        pair.echo(&peer, 10).await;
        assert!(before.state().up, "the connection has stayed");
    });
}

#[test]
fn files_without_certificates_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.pem");
    std::fs::write(&path, "nothing").unwrap();
    let missing = folder.path().join("missing.pem");
    for error in [
        ClientTls::with_ca_file(&path).unwrap_err(),
        ServerTls::from_pem_files(&path, &missing).unwrap_err(),
    ] {
        assert!(error.to_string().contains("empty.pem has no certificate"), "{error}");
    }
    let error = ClientTls::with_ca_file(&missing).unwrap_err();
    assert!(error.to_string().contains("missing.pem"), "{error}");
}

// ----- strangers ---------------------------------------------------------------------------------

/// What the listener answers to these bytes, until it ends the connection.
async fn answer_to(listener: &Listener, bytes: &[u8]) -> String {
    let mut raw = Raw::connect(listener.address()).await;
    raw.write(bytes).await;
    String::from_utf8_lossy(&raw.read_to_end(DEADLINE).await).into_owned()
}

#[test]
fn other_requests_get_a_short_answer() {
    run(async {
        let pair = Pair::new().await;
        let listener = listen(&pair, "127.0.0.1:0").await;
        let page = format!("{}Origin: https://evil.example\r\n\r\n", ws_peers::UPGRADE);
        let long = format!("GET / HTTP/1.1\r\nCookie: {}", "c".repeat(8 * 1024));
        for (request, status) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "426 Upgrade Required"),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", "405 Method Not Allowed"),
            ("\x16\x03\x01 garbage\r\n\r\n", "400 Bad Request"),
            (&page, "403 Forbidden"),
            (&long, "431 Request Header Fields Too Large"),
        ] {
            let answer = answer_to(&listener, request.as_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
            assert!(answer.len() < 300, "{answer}");
        }
    });
}

#[test]
fn unfinished_handshakes_are_given_up() {
    run(async {
        let pair = Pair::new().await;
        let authority = Authority::new("one");
        let plain = listen(&pair, "127.0.0.1:0").await;
        let tls = listen_with_tls(&pair, authority.server("127.0.0.1", 2030)).await;
        let mut waiting = Vec::new();
        for listener in [&plain, &tls] {
            for begun in [&b""[..], b"GET / HTTP/1.1\r\n", &[22, 3, 1, 0, 200]] {
                let mut raw = Raw::connect(listener.address()).await;
                raw.write(begun).await;
                waiting.push(raw);
            }
        }
        for mut raw in waiting {
            raw.read_to_end(DEADLINE).await;
        }
    });
}

#[test]
fn clients_give_up_silent_servers() {
    run(async {
        let pair = Pair::new().await;
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = at(WS, silent.local_addr().unwrap(), "");
        let failure = pair.failure(&peer).await;
        assert!(failure.contains("timed out"), "{failure}");
    });
}

#[test]
fn another_implementation_is_understood() {
    run(async {
        let pair = Pair::new().await;
        let listener = listen(&pair, "127.0.0.1:0").await;
        let address = listener.address();
        let other = tokio::task::spawn_blocking(move || ws_peers::speak_with(address));
        tokio::time::timeout(DEADLINE, other).await.expect("it ends in time").unwrap();
    });
}
