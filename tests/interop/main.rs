//! A peer written from `docs/protocol.md` alone, with another Noise and another MessagePack
//! library, talks to our nodes: `peer.py`.
//!
//! It needs Python with three packages: the installed one if it has them, else a virtual
//! environment in the target folder. Where they cannot be fetched, the tests are skipped, and say
//! so.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

mod node;
mod python;

use std::{future::Future, net::SocketAddr, time::Duration};

use actix::{Actor, ActorContext as _, Handler};
use node::Node;
use ockam::{
    route, Echoer, ForwardingAddress, ForwardingOptions, ForwardingService, Route, Routed,
    SecureChannels, TrustEveryonePolicy, UdpPortals, WorkerContext, TCP,
};
use python::Peer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    time::timeout,
};

/// For everything that a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

const SERVICE: &str = "secure_channel_listener_service";

/// Runs a test in a `System` of its own, unless there is no Python to run the peer with.
fn run<F: Future<Output = ()>>(test: F) {
    if !python::is_available() {
        eprintln!(
            "skipped: no Python with noiseprotocol, cryptography and msgpack, \
         and none can be installed"
        );
        return;
    }
    actix_rt::System::new().block_on(async {
        timeout(DEADLINE, test).await.expect("the test ends in time");
    });
}

/// Opens a channel along `route`, and has the echoer at its far end answer.
async fn echo(node: &mut Node, route: impl Into<Route>) {
    let channel = node.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
    channel.established().await.unwrap();
    let echoer = route![channel, "echoer"];
    for text in ["hello", "once more"] {
        let answer: String =
            node.ctx.ask(echoer.clone(), text.to_owned()).reply_as().await.unwrap();
        assert_eq!(answer, text);
    }
}

/// A server that answers each client's whole request, backwards.
async fn backwards() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    actix_rt::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = Vec::new();
            client.read_to_end(&mut request).await.unwrap();
            request.reverse();
            client.write_all(&request).await.unwrap();
        }
    });
    address
}

/// A server that sends each datagram back.
async fn datagrams_back() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    actix_rt::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
            socket.send_to(&buffer[..length], client).await.unwrap();
        }
    });
    address
}

/// Stops at its first message.
struct Once;

impl Actor for Once {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<String>> for Once {
    type Result = ();

    fn handle(&mut self, _: Routed<String>, context: &mut WorkerContext<Self>) {
        context.stop();
    }
}

/// Has a node listen on a port that the system chooses; returns the address.
async fn listen(node: &Node) -> String {
    node.tcp.listen("127.0.0.1:0").await.unwrap().address().to_string()
}

#[test]
fn foreign_initiator_reaches_our_echoer_and_outlet() {
    run(async {
        let mut node = Node::start(2).await;
        let identifier = node.entity.identifier();
        node.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        Echoer::start(node.ctx.node(), "echoer").unwrap();
        node.ctx.worker("once", Once).start().unwrap();
        node.tcp.create_outlet("outlet", backwards().await.to_string()).await.unwrap();
        let udp = UdpPortals::create(&node.ctx).await.unwrap();
        udp.create_outlet("udp", datagrams_back().await.to_string()).await.unwrap();
        let address = listen(&node).await;
        let mut peer = Peer::start(&["initiator", &address, &identifier.to_string()]);
        let said = peer.end().await;
        assert!(said.contains("watched a worker until it stopped"), "{said}");
        assert!(said.contains("exchanged datagrams"), "{said}");
        assert!(said.contains("hello under the next keys (record 655"), "{said}");
        assert!(said.contains("tunnelled 300000 bytes each way"), "{said}");
        assert!(said.contains("resumed a stream 2 times"), "{said}");
        node.ctx.stop().await.unwrap();
    });
}

#[test]
fn foreign_responder_with_a_cookie_answers_our_channel() {
    run(async {
        let mut node = Node::start(2).await;
        let mut peer = Peer::start(&["responder"]);
        let line = peer.line().await;
        let words: Vec<_> = line.split(' ').collect();
        let ["listening", port, _identifier] = words[..] else { panic!("{line}") };
        echo(&mut node, route![(TCP, format!("127.0.0.1:{port}")), SERVICE]).await;
        let said = peer.line().await;
        assert_eq!(said, format!("channel with {}", node.entity.identifier()));
        node.ctx.stop().await.unwrap();
        assert_eq!(peer.end().await, "echoed 'hello'\nechoed 'once more'\n");
    });
}

#[test]
fn our_hub_forwards_to_a_pinned_foreign_node() {
    run(async {
        let (hub, mut node) = (Node::start(2).await, Node::start(2).await);
        ForwardingService::start(hub.ctx.node(), ForwardingOptions::new()).unwrap();
        let address = listen(&hub).await;
        let mut peer = Peer::start(&["private", &address]);
        let line = peer.line().await;
        let forwarder: ForwardingAddress =
            line.strip_prefix("forwarded ").unwrap().parse().unwrap();
        assert!(forwarder.identifier.is_some());
        echo(&mut node, route![(TCP, address), forwarder]).await;
        assert!(peer.line().await.starts_with("channel with "));
        node.ctx.stop().await.unwrap();
        hub.ctx.stop().await.unwrap();
        assert!(peer.end().await.ends_with("echoed 'once more'\n"));
    });
}
