//! A hub, an outlet's node and an inlet's node in one process, each with a console.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use actix_rt::{net::TcpListener, System};
use ockam::{
    console::Console, route, Context, Entity, ForwardingOptions, ForwardingService, NodeBuilder,
    RemoteForwarder, SecureChannels, TcpTransport, TrustEveryonePolicy, Vault, TCP,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LISTENER: &str = "listener";

/// The nodes with their consoles' addresses.
pub(crate) struct Network {
    nodes: Vec<Context>,
    /// Where the hub listens.
    hub_at: String,
    pub(crate) hub: SocketAddr,
    pub(crate) outlet: SocketAddr,
    pub(crate) inlet: SocketAddr,
    /// Where clients connect.
    pub(crate) entrance: SocketAddr,
    /// The secret part of the forwarding address.
    pub(crate) secret: String,
}

/// Runs a test with a network that is up.
pub(crate) fn with_network(test: impl AsyncFnOnce(&Network)) {
    System::new().block_on(async {
        let network = Network::start().await;
        test(&network).await;
        for node in network.nodes {
            node.stop().await.unwrap();
        }
    });
}

fn serve(node: &Context) -> SocketAddr {
    let console = Console::new(node).host("console.example.org");
    let (bound, server) = console.serve("127.0.0.1:0").unwrap();
    actix_rt::spawn(server);
    bound[0]
}

impl Network {
    async fn start() -> Self {
        let (hub, hub_at) = start_hub("127.0.0.1:0").await;

        let there = NodeBuilder::new().start_with_context().await.unwrap();
        let mut entity = Entity::create(&there, &Vault::create(&there).unwrap()).unwrap();
        entity.create_secure_channel_listener(LISTENER, TrustEveryonePolicy).unwrap();
        let tcp = TcpTransport::create(&there).await.unwrap();
        tcp.create_outlet("outlet", target().await.to_string()).await.unwrap();
        let registered = RemoteForwarder::create(&there, (TCP, hub_at.as_str()), LISTENER);
        let address = registered.await.unwrap().remote_address().to_string();

        let here = NodeBuilder::new().start_with_context().await.unwrap();
        let mut entity = Entity::create(&here, &Vault::create(&here).unwrap()).unwrap();
        let tcp = TcpTransport::create(&here).await.unwrap();
        let channel = route![(TCP, hub_at.as_str()), address.as_str()];
        let channel = entity.create_secure_channel(channel, TrustEveryonePolicy).unwrap();
        channel.established_within(Duration::from_secs(30)).await.unwrap();
        let inlet = tcp.create_inlet("127.0.0.1:0", route![channel, "outlet"]).await.unwrap();
        let secret = address.rsplit_once(".S").unwrap().1.to_owned();
        Self {
            hub: serve(&hub),
            outlet: serve(&there),
            inlet: serve(&here),
            entrance: inlet.address(),
            secret,
            nodes: vec![hub, there, here],
            hub_at,
        }
    }

    /// The consoles of all nodes.
    pub(crate) fn consoles(&self) -> [SocketAddr; 3] {
        [self.hub, self.outlet, self.inlet]
    }

    /// Stops the hub, and starts another one in its place, which is returned.
    pub(crate) async fn replace_hub(&self) -> Context {
        self.nodes[0].stop().await.unwrap();
        start_hub(&self.hub_at).await.0
    }

    /// Notes a refusal at each node.
    pub(crate) fn refuse(&self) {
        for node in &self.nodes {
            let forwarder = format!("F{}", "1a".repeat(16));
            node.node().refusals().warn("test-rule", format_args!("refused {forwarder}"));
        }
    }

    /// A client whose stream is open, and has carried `bytes` there and back.
    pub(crate) async fn client(&self, bytes: usize) -> tokio::net::TcpStream {
        let mut client = tokio::net::TcpStream::connect(self.entrance).await.unwrap();
        client.write_all(&vec![7; bytes]).await.unwrap();
        client.read_exact(&mut vec![0; bytes]).await.unwrap();
        client
    }
}

/// A hub, and where it listens.
async fn start_hub(address: &str) -> (Context, String) {
    let hub = NodeBuilder::new().start_with_context().await.unwrap();
    ForwardingService::start(hub.node(), ForwardingOptions::new()).unwrap();
    let listener = TcpTransport::create(&hub).await.unwrap().listen(address).await.unwrap();
    let address = listener.address().to_string();
    (hub, address)
}

/// A server that sends back what it gets.
pub(crate) async fn target() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    actix_rt::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            actix_rt::spawn(async move {
                let (mut read, mut write) = client.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

/// What a console answers: the head, and the body.
pub(crate) async fn ask(console: SocketAddr, request: &str, host: &str) -> (String, String) {
    let request = format!("{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let asking = actix_rt::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(console)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    });
    let answer = asking.await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The body at a path.
pub(crate) async fn get(console: SocketAddr, path: &str) -> String {
    let (head, body) = ask(console, &format!("GET {path}"), "localhost").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
    body
}
