//! What is left of a listener that was stopped.

// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use ockam_actix_runtime::{trust::reachability::Entrance, NodeBuilder};
use ockam_actix_transports::{tcp::listener::listen, ListenOptions};

const DEADLINE: Duration = Duration::from_secs(10);

#[test]
fn a_stopped_listener_frees_its_port_and_listing() {
    actix_rt::System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let listener = listen(&node, ListenOptions::on("127.0.0.1:0")).await.unwrap();
        let bound = listener.address().to_string();
        let entrance = Entrance::Listener(bound.clone());
        assert!(node.reachability().entrances.contains(&entrance));
        listener.stop().unwrap();
        assert!(!node.reachability().entrances.contains(&entrance));
        assert!(listener.stop().is_err());
        let end = Instant::now() + DEADLINE;
        // The acceptor closes its socket in a turn of its own.
        while let Err(error) = listen(&node, ListenOptions::on(&bound)).await {
            assert!(Instant::now() < end, "the port is not free again: {error}");
            tokio::task::yield_now().await;
        }
        node.stop().await;
    });
}
