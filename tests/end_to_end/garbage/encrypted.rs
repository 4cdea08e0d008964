//! Garbage inside TLS and QUIC, of a peer that has made a proper handshake.

use std::{
    fmt::Debug,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
};

use ockam_actix_harness::{
    client::{connect, fetch},
    deadline::PATIENCE,
    network::in_own_network,
    target::{Target, PAGE},
};
use ockam_actix_transports::quic::endpoint;
use rustls::{
    crypto::ring,
    pki_types::{pem::PemObject, CertificateDer},
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
};
use tokio::time::timeout;

use super::{is_logged, message, wrong_words, UPGRADE};
use crate::{
    carrier::{Carrier, Files},
    over::Over,
};

/// Says something to a node, which must end the connection, and returns whose port that was.
type Say = fn(&Files, &[u8]) -> u16;

fn within_tls(files: &Files) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(files.path("chain.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let session = ClientConnection::new(config.into(), "127.0.0.1".try_into().unwrap()).unwrap();
    let socket = connect("127.0.0.1:4000".parse().unwrap(), PATIENCE).unwrap();
    let mut stream = StreamOwned::new(session, socket);
    stream.flush().unwrap();
    stream
}

/// Waits for the end of a connection.
fn ended(mut stream: impl Read + Debug) {
    if let Err(error) = stream.read_to_end(&mut Vec::new()) {
        let is_end = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe];
        assert!(is_end.contains(&error.kind()), "{error}: {stream:?}");
    }
}

fn in_tls(files: &Files, words: &[u8]) -> u16 {
    let mut stream = within_tls(files);
    let port = stream.sock.local_addr().unwrap().port();
    // The rest may not be taken any more.
    let _ = stream.write_all(words);
    stream.conn.send_close_notify();
    let _ = stream.flush();
    let _ = stream.sock.shutdown(Shutdown::Write);
    ended(stream);
    port
}

fn in_websocket(files: &Files, words: &[u8]) -> u16 {
    let messages = words.chunks(60_000).flat_map(message);
    in_tls(files, &UPGRADE.iter().copied().chain(messages).collect::<Vec<_>>())
}

fn beneath_tls(files: &Files, words: &[u8]) -> u16 {
    let mut stream = within_tls(files);
    let port = stream.sock.local_addr().unwrap().port();
    let _ = stream.sock.write_all(words);
    ended(stream.sock);
    port
}

fn in_quic(_: &Files, words: &[u8]) -> u16 {
    let node = "127.0.0.1:4000".parse().unwrap();
    actix_rt::System::new().block_on(async {
        let mut endpoint = endpoint::client(node).unwrap();
        endpoint.set_default_client_config(endpoint::client_config().unwrap());
        let connection = endpoint.connect(node, "peer").unwrap().await.unwrap();
        let (mut stream, _receive) = connection.open_bi().await.unwrap();
        let _ = stream.write_all(words).await;
        let _ = stream.finish();
        timeout(PATIENCE, connection.closed()).await.expect("the node ends the connection");
        endpoint.local_addr().unwrap().port()
    })
}

/// Each in turn, and then others are served.
fn harm_nobody_else(carrier: Carrier, garbage: &[(Say, Vec<u8>, &str)]) {
    let (target, over) = (Target::start(), Over::new(carrier));
    let mut tunnel = over.step_04(&target.address());
    for (say, words, why) in garbage {
        let port = say(&over.files, words);
        is_logged(&tunnel.programs[0], &format!("127.0.0.1:{port}"), why);
    }
    assert_eq!(fetch(tunnel.inlet, "/"), Ok(PAGE.into()));
    for program in &mut tunnel.programs {
        assert!(program.is_running(), "{program}");
    }
}

fn each(say: Say) -> impl Iterator<Item = (Say, Vec<u8>, &'static str)> {
    wrong_words().into_iter().map(move |(words, why)| (say, words, why))
}

#[test]
fn garbage_inside_wss_harms_nobody_else() {
    in_own_network(|| {
        let after_upgrade = |words: &[u8]| [UPGRADE, words].concat();
        let others: [(Say, Vec<u8>, &str); 5] = [
            (in_tls, b"GET / HTTP/1.1\r\n\r\n".to_vec(), "WebSocket"),
            (in_tls, vec![0xff; 1_000], "WebSocket"),
            (in_tls, after_upgrade(&[0xff; 14]), "a WebSocket frame of unknown kind"),
            (in_tls, after_upgrade(b"\x81\x80\0\0\0\0"), "a WebSocket message of text"),
            // It may come together with the last words of the handshake, or after those.
            (beneath_tls, vec![0xff; 1_000], "(no-greeting)"),
        ];
        harm_nobody_else(Carrier::Wss, &each(in_websocket).chain(others).collect::<Vec<_>>());
    });
}

#[test]
fn garbage_inside_quic_harms_nobody_else() {
    in_own_network(|| harm_nobody_else(Carrier::Quic, &each(in_quic).collect::<Vec<_>>()));
}
