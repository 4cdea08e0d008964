//! Streams that pass workers of their nodes before and after the connection.

use actix::{Actor, Context, Handler};
use ockam::{
    route, ForwardingOptions, ForwardingService, NodeBuilder, Payload, Relay, RemoteForwarder,
    Route, Routed, TcpTransport, TCP,
};
use ockam_actix_harness::{
    client::{download, upload_until_closed, Ended},
    target::Target,
};

/// Forwards every message, in both directions.
struct Hop;

impl Actor for Hop {
    type Context = Context<Self>;
}

impl Handler<Routed<Payload>> for Hop {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        // A message after the end of its stream is undeliverable; its sender gets a notice.
        let _ = message.forward();
    }
}

/// An inlet on one node and an outlet on another, with hops on both, joined by `route`.
fn carries(route: fn(&str) -> Route) {
    for arbiters in [1, 2] {
        actix_rt::System::new().block_on(async {
            let target = Target::start();
            let there = NodeBuilder::new().arbiters(arbiters).start().await.unwrap();
            there.worker("hop", Hop).start().unwrap();
            let tcp = TcpTransport::create(&there).await.unwrap();
            tcp.create_outlet("outlet", target.address()).await.unwrap();
            let address = tcp.listen("127.0.0.1:0").await.unwrap().address().to_string();

            let here = NodeBuilder::new().arbiters(arbiters).start().await.unwrap();
            let tcp = TcpTransport::create(&here).await.unwrap();
            here.worker("hop", Hop).start().unwrap();
            Relay::start(&here, "relay", (TCP, &address)).unwrap();
            let inlet = tcp.create_inlet("127.0.0.1:0", route(&address)).await.unwrap().address();

            let clients = tokio::task::spawn_blocking(move || {
                assert_eq!(download(inlet, 10_000_000, 1), Ended::Whole);
                assert_eq!(upload_until_closed(inlet, 10_000_000, 2).unwrap(), "took 10000000");
            });
            clients.await.unwrap();
            here.stop().await;
            there.stop().await;
        });
    }
}

#[test]
fn stream_passes_a_hop_on_the_outlets_node() {
    carries(|there| route![(TCP, there), "hop", "outlet"]);
}

#[test]
fn stream_passes_a_hop_on_the_inlets_node() {
    carries(|there| route!["hop", (TCP, there), "outlet"]);
}

#[test]
fn stream_passes_a_relay_on_the_inlets_node() {
    carries(|_| route!["relay", "outlet"]);
}

#[test]
fn stream_passes_a_forwarder_on_the_inlets_node() {
    actix_rt::System::new().block_on(async {
        let target = Target::start();
        let hub = NodeBuilder::new().start().await.unwrap();
        ForwardingService::start(&hub, ForwardingOptions::new()).unwrap();
        let tcp = TcpTransport::create(&hub).await.unwrap();
        let address = tcp.listen("127.0.0.1:0").await.unwrap().address().to_string();
        let private = NodeBuilder::new().start_with_context().await.unwrap();
        let outlet = TcpTransport::create(&private).await.unwrap();
        outlet.create_outlet("outlet", target.address()).await.unwrap();
        let forwarder = RemoteForwarder::create(&private, (TCP, address), "outlet").await.unwrap();
        let route = route![forwarder.remote_address()];
        let inlet = tcp.create_inlet("127.0.0.1:0", route).await.unwrap().address();
        let client = tokio::task::spawn_blocking(move || download(inlet, 1_000_000, 1));
        assert_eq!(client.await.unwrap(), Ended::Whole);
        private.node().stop().await;
        hub.stop().await;
    });
}
