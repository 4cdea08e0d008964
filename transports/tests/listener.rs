//! What a listener is bound to, and what is left of one that was stopped.

// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

use std::{
    net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

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

/// Whether the machine has IPv6; says so if not.
fn has_ipv6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        println!("skipped: no IPv6 here");
    }
    has
}

#[test]
fn localhost_is_both_loopback_addresses() {
    actix_rt::System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let listener = listen(&node, ListenOptions::on("localhost:0")).await.unwrap();
        let port = listener.address().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        if has_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
            let bound = Entrance::Listener(format!("localhost:{port}"));
            assert!(node.reachability().entrances.contains(&bound));
        }
        node.stop().await;
    });
}

#[test]
fn localhost_is_refused_if_half_is_taken() {
    actix_rt::System::new().block_on(async {
        if !has_ipv6() {
            return;
        }
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let other = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let address = format!("localhost:{}", other.local_addr().unwrap().port());
        let error = listen(&node, ListenOptions::on(&address)).await.unwrap_err().one_line();
        assert!(error.starts_with(&format!("cannot listen on {address}: Address")), "{error}");
        assert!(error.ends_with("or choose another address"), "{error}");
        node.stop().await;
    });
}
