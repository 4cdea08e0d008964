//! The carriers between nodes, for suites that run over each of them.

use std::{net::SocketAddr, path::PathBuf};

use ockam::{
    Address, ClientTls, ListenOptions, Node, QuicTransport, Result, ServerTls, TcpTransport,
    UnixTransport, WsTransport, WssTransport, QUIC, TCP, UNIX, WS, WSS,
};

/// Whom the certificate is for: this machine, and one that a proxy is asked for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "198.51.100.1"];

/// What carries messages from node to node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    Unix,
    Ws,
    Wss,
    Quic,
}

/// What the carriers need of the disk: a socket's folder and a certificate.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(NAMES.map(String::from)).unwrap();
        std::fs::write(folder.path().join("chain.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Self(folder)
    }

    /// Where a file is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn authority(&self) -> ClientTls {
        ClientTls::with_ca_file(self.path("chain.pem")).unwrap()
    }
}

impl Carrier {
    /// Each of them.
    pub(crate) const ALL: [Self; 5] = [Self::Tcp, Self::Unix, Self::Ws, Self::Wss, Self::Quic];

    /// Has a node listen at `port`, or any, and returns its address in routes.
    pub(crate) async fn listen(self, node: &Node, files: &Files, port: u16) -> Result<Address> {
        let on = ListenOptions::on(format!("127.0.0.1:{port}")).expose("echoer");
        let at = |bound: SocketAddr| bound.to_string();
        Ok(match self {
            Self::Tcp => {
                let transport = TcpTransport::create(node).await.unwrap();
                Address::from((TCP, at(transport.listen(on).await?.address())))
            }
            Self::Unix => {
                let transport = UnixTransport::create(node).await.unwrap();
                let path = files.path("hub.sock").display().to_string();
                transport.listen(&path).await?;
                Address::from((UNIX, path))
            }
            Self::Ws => {
                let transport = WsTransport::create(node).await.unwrap();
                Address::from((WS, at(transport.listen(on).await?.address())))
            }
            Self::Wss => {
                let transport = WssTransport::create(node).await.unwrap();
                let [chain, key] = ["chain.pem", "key.pem"].map(|name| files.path(name));
                let tls = ServerTls::from_pem_files(chain, key).unwrap();
                Address::from((WSS, at(transport.listen(on, tls).await?.address())))
            }
            Self::Quic => {
                let transport = QuicTransport::create(node).await.unwrap();
                Address::from((QUIC, at(transport.listen(on).await?.address())))
            }
        })
    }

    /// Makes a node able to dial.
    pub(crate) async fn join(self, node: &Node, files: &Files) {
        match self {
            Self::Tcp => drop(TcpTransport::create(node).await.unwrap()),
            Self::Unix => drop(UnixTransport::create(node).await.unwrap()),
            Self::Ws => drop(WsTransport::create(node).await.unwrap()),
            Self::Wss => drop(WssTransport::trusting(node, files.authority()).await.unwrap()),
            Self::Quic => drop(QuicTransport::create(node).await.unwrap()),
        }
    }
}
