//! What these tests have in common: two nodes, certificates, raw sockets, and another
//! implementation of WebSockets.

// Each test uses a part.
#![allow(dead_code)]

use std::{
    net::{SocketAddr, TcpStream as BlockingStream},
    path::{Path, PathBuf},
    time::Duration,
};

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{route, Address, Context, Host, NodeBuilder, Routed};
use ockam_actix_transports::{
    frame::Greeting,
    tls::{ClientTls, ServerTls},
    ws,
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

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// A request for a WebSocket, up to headers that may follow.
pub(crate) const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: \
    websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/// Answers with what it was sent.
struct Echo;

impl Actor for Echo {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for Echo {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut ActorContext<Self>) {
        let (body, reply) = message.into_parts();
        let _ = reply.send(body);
    }
}

/// A node that answers, and one that asks it.
pub(crate) struct Pair {
    pub(crate) far: Context,
    pub(crate) near: Context,
}

impl Pair {
    pub(crate) async fn new() -> Self {
        Self::with_arbiters(2).await
    }

    pub(crate) async fn with_arbiters(number: usize) -> Self {
        let builder = NodeBuilder::new().arbiters(number);
        let far = builder.clone().start_with_context().await.unwrap();
        let near = builder.start_with_context().await.unwrap();
        far.worker("echo", Echo).start().unwrap();
        ws::add(near.node()).unwrap();
        Self { far, near }
    }

    /// Sends so many bytes, and compares the answer.
    pub(crate) async fn echo(&self, peer: &Address, length: usize) {
        let text: String = ('a'..='z').cycle().take(length).collect();
        let asked = self.near.ask(route![peer.clone(), "echo"], text.clone());
        let answer: String = asked.reply_as().within(DEADLINE).await.unwrap();
        assert!(answer == text, "{length} bytes have come back as others");
    }

    /// Why the peer cannot be reached.
    pub(crate) async fn failure(&self, peer: &Address) -> String {
        let mut hop = self.near.node().first_hop(&route![peer.clone()]).unwrap();
        let attempted = tokio::time::timeout(DEADLINE, hop.attempted()).await;
        attempted.expect("an attempt ends in time").unwrap_err().to_string()
    }
}

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
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = self.files(folder.path(), name, until);
        ServerTls::from_pem_files(chain, key).unwrap()
    }

    /// The same in two files, with its key in the second one.
    pub(crate) fn files(&self, folder: &Path, name: &str, until: i32) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(2000, 1, 1), date_time_ymd(until, 12, 31));
        let private = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&private, &self.issuer).unwrap();
        let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
        std::fs::write(&chain, certificate.pem()).unwrap();
        std::fs::write(&key, private.serialize_pem()).unwrap();
        (chain, key)
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
    // The node may end the connection before it has all of it.
    let _ = socket.send(Message::binary(vec![0xff; 1 << 20]));
    let closed = std::iter::from_fn(|| socket.read().ok()).last();
    assert!(matches!(closed, None | Some(Message::Close(_))), "{closed:?}");
}
