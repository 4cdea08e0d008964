//! What connects to nodes in these tests: certificates, raw sockets, and another implementation of
//! WebSockets.

use std::{
    net::{SocketAddr, TcpStream as BlockingStream},
    time::Duration,
};

use ockam_actix_transports::{
    frame::Greeting,
    tls::{ClientTls, ServerTls},
};
use rcgen::{
    date_time_ymd, BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tungstenite::{
    protocol::frame::{
        coding::{CloseCode, Data, OpCode},
        Frame,
    },
    Bytes, Message,
};

/// A request for a WebSocket, up to headers that may follow.
pub(crate) const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: \
    websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/// An authority that signs certificates for the tests.
pub(crate) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A server's certificate for `name`, which ends with that year.
    pub(crate) fn server(&self, name: &str, until: i32) -> ServerTls {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(2000, 1, 1), date_time_ymd(until, 12, 31));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (chain, private) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        std::fs::write(&chain, certificate.pem()).unwrap();
        std::fs::write(&private, key.serialize_pem()).unwrap();
        ServerTls::from_pem_files(chain, private).unwrap()
    }

    /// What a client that trusts this authority alone is given.
    pub(crate) fn client(&self) -> ClientTls {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, self.certificate.pem()).unwrap();
        ClientTls::with_ca_file(path).unwrap()
    }
}

/// A socket that says what a test wants.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn read_to_end(&mut self, limit: Duration) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = timeout(limit, self.0.read_to_end(&mut bytes)).await;
        // A reset is an end as well.
        let _ = read.expect("the other end ends the connection in time");
        bytes
    }
}

/// Speaks with the node at `address` as tungstenite does, and checks what it answers.
pub(crate) fn speak_with(address: SocketAddr) {
    let connect = || {
        let stream = BlockingStream::connect(address).unwrap();
        let request = format!("ws://{address}/");
        let (mut socket, _) = tungstenite::client(request, stream).unwrap();
        // The node's greeting.
        assert!(matches!(socket.read().unwrap(), Message::Binary(_)));
        socket
    };
    // A greeting in parts, and a ping between them.
    let mut socket = connect();
    let greeting = Greeting::ours().encode();
    let part = |bytes: &[u8], kind, is_last| {
        Message::Frame(Frame::message(Bytes::copy_from_slice(bytes), OpCode::Data(kind), is_last))
    };
    socket.send(part(&greeting[..2], Data::Binary, false)).unwrap();
    socket.send(Message::Ping(Bytes::from_static(b"hello"))).unwrap();
    socket.send(part(&greeting[2..], Data::Continue, true)).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong(Bytes::from_static(b"hello")));
    socket.close(None).unwrap();
    assert!(matches!(socket.read().unwrap(), Message::Close(_)));
    // A text.
    let mut socket = connect();
    socket.send(Message::text("hello")).unwrap();
    let Message::Close(Some(close)) = socket.read().unwrap() else { panic!("not closed") };
    assert_eq!(close.code, CloseCode::Unsupported);
    // A frame of the node's own that has no end, as its header says.
    let mut socket = connect();
    socket.send(Message::Binary(greeting.into())).unwrap();
    socket.send(Message::binary(vec![0xff; 1 << 20])).unwrap();
    let closed = std::iter::from_fn(|| socket.read().ok()).last();
    assert!(matches!(closed, None | Some(Message::Close(_))), "{closed:?}");
}
