//! Nodes that are joined by a Unix socket, and lists of peers of several transports.

// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

mod echoer;

use std::time::Duration;

use echoer::Echoer;
use ockam_actix_runtime::{route, Context, Error, Node, NodeBuilder, Route};
use ockam_actix_transports::{tcp, unix, ListenOptions};

async fn node() -> (Context, Node) {
    let ctx = NodeBuilder::new().arbiters(1).start_with_context().await.unwrap();
    let node = ctx.node().clone();
    tcp::add(&node).unwrap();
    unix::add(&node);
    (ctx, node)
}

async fn echo(ctx: &Context, route: Route) -> Result<String, Error> {
    let text = "hello ".repeat(10_000);
    let asked = ctx.ask(route, text.clone()).reply_as().within(Duration::from_secs(20)).await;
    asked.inspect(|answer: &String| assert_eq!(*answer, text))
}

#[test]
fn messages_pass_over_a_unix_socket() {
    actix_rt::System::new().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.sock").to_string_lossy().into_owned();
        let ((_, there), (ctx, here)) = (node().await, node().await);
        there.worker("echoer", Echoer).start().unwrap();
        let listener = unix::listen(&there, ListenOptions::on(&path)).unwrap();
        assert_eq!(listener.address().to_string_lossy(), path);
        let peer = format!("unix#{path}");
        echo(&ctx, route![peer.clone(), "echoer"]).await.unwrap();
        // The first of the list does not answer, and the second is of another transport.
        let list = format!("tcp#127.0.0.1:1,{peer}");
        echo(&ctx, route![list, "echoer"]).await.unwrap();
        listener.stop().unwrap();
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn peers_that_cannot_be_dialled_are_named() {
    actix_rt::System::new().block_on(async {
        let (ctx, node) = node().await;
        for (peer, named) in [
            ("unix#relative", "\"relative\" is not the path"),
            ("tcp#a:1,unix#b", "\"b\" is not the path"),
            ("tcp#a:1,", "\"\" is not a TCP address"),
            ("tcp#a:1,other#b:2", "other#b:2"),
        ] {
            let error = echo(&ctx, route![peer, "echoer"]).await.unwrap_err().to_string();
            assert!(error.contains(named), "{peer}: {error}");
        }
        node.stop().await;
    });
}
