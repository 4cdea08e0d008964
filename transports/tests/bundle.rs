//! Nodes that several TCP connections join as if they were one.

// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

mod echoer;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use echoer::Echoer;
use ockam_actix_runtime::{route, Context, Node, NodeBuilder, NodeLimits};
use ockam_actix_transports::{
    tcp::{add_bundling, listener::listen},
    ListenOptions, Listener,
};

const DEADLINE: Duration = Duration::from_secs(20);

/// A node that listens, with a worker that echoes.
async fn hub(limits: NodeLimits) -> (Node, Listener) {
    let node = NodeBuilder::new().arbiters(2).limits(limits).start().await.unwrap();
    node.worker("echoer", Echoer).start().unwrap();
    let listener = listen(&node, ListenOptions::on("127.0.0.1:0")).await.unwrap();
    (node, listener)
}

/// A node that uses `parts` connections for each peer.
async fn client(parts: usize) -> Context {
    let ctx = NodeBuilder::new().arbiters(2).start_with_context().await.unwrap();
    add_bundling(ctx.node(), parts).unwrap();
    ctx
}

async fn echo(ctx: &Context, listener: &Listener) -> Result<(), String> {
    let route = route![format!("tcp#{}", listener.address()), "echoer"];
    let text = "over one or the other ".repeat(2_500);
    let asked = ctx.ask(route, text.clone()).reply_as::<String>().within(DEADLINE).await;
    asked.map(|answer| assert!(answer == text)).map_err(|error| error.to_string())
}

#[test]
fn messages_pass_over_bundles() {
    actix_rt::System::new().block_on(async {
        let (there, listener) = hub(NodeLimits::default()).await;
        for parts in [1, 2, 5, 16] {
            let ctx = client(parts).await;
            for _ in 0..20 {
                echo(&ctx, &listener).await.unwrap();
            }
            ctx.node().stop().await;
        }
        there.stop().await;
    });
}

#[test]
fn each_connection_of_a_bundle_counts() {
    actix_rt::System::new().block_on(async {
        let limits = NodeLimits { connections: 4, ..NodeLimits::default() };
        let (there, listener) = hub(limits).await;
        let (fits, too_many) = (client(2).await, client(8).await);
        echo(&fits, &listener).await.unwrap();
        let refused = echo(&too_many, &listener).await.unwrap_err();
        assert!(refused.contains("connection") || refused.contains("greeting"), "{refused}");
        echo(&fits, &listener).await.unwrap();
        for ctx in [fits, too_many] {
            ctx.node().stop().await;
        }
        there.stop().await;
    });
}

/// Whether the node at the other end has closed `stream`, within the deadline.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn parts_of_no_bundle_are_closed() {
    actix_rt::System::new().block_on(async {
        let (there, listener) = hub(NodeLimits::default()).await;
        let address = listener.address();
        let part = move |parts: u8, part: u8| {
            let mut stream = TcpStream::connect(address).unwrap();
            let preface = [&b"ockam-part"[..], &[parts, part], &[7; 16]].concat();
            stream.write_all(&preface).unwrap();
            stream
        };
        let strangers = move || {
            for (parts, number) in [(0, 0), (1, 0), (2, 2), (17, 0)] {
                assert!(is_closed(&part(parts, number)), "{number} of {parts}");
            }
            // A part that is there, and one of a bundle with another number of parts.
            let first = part(3, 1);
            let (again, other) = (part(3, 1), part(4, 2));
            // Whichever of the two equal ones comes first waits for the rest, which never comes.
            assert!(is_closed(&again) && is_closed(&first) && is_closed(&other));
        };
        actix_rt::task::spawn_blocking(strangers).await.unwrap();
        there.stop().await;
    });
}
