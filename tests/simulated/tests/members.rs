//! Hubs of a cluster are no strangers to each other, and strangers are no hubs.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use ockam::{
    cluster::Cluster, route, testing::Network, Context, Echoer, ForwardingOptions,
    ForwardingService, Node, NodeBuilder, NodeLimits, Payload, RemoteForwarder, TcpTransport,
    UndeliverableReason, TCP,
};
use ockam_actix_runtime::trust::members::Members;
use ockam_actix_workers::forwarder::limits::INTRODUCTIONS;
use simulated::{
    bus::MemoryBus,
    hubs::{answered, at, hubs},
};

/// A hub that lets in one connection from each source.
async fn strict_hub(net: &Network, bus: &MemoryBus, name: &'static str) -> Node {
    let node = strict_node(net, name).await;
    let cluster = Cluster::join(&node, (TCP, at(name)), bus.join(name)).unwrap();
    ForwardingService::start(&node, ForwardingOptions::new().cluster(cluster)).unwrap();
    TcpTransport::create(&node).await.unwrap().listen(at(name)).await.unwrap();
    node
}

async fn strict_node(net: &Network, host: &str) -> Node {
    let limits = NodeLimits { connections_per_source: 1, ..NodeLimits::default() };
    NodeBuilder::new().on_host(net.host(host)).limits(limits).start().await.unwrap()
}

/// A node with an echoer behind a forwarder at hub "two".
async fn outlet(net: &Network) -> (ockam::testing::TestNode, RemoteForwarder) {
    let far = net.node("far");
    TcpTransport::create(&far).await.unwrap();
    Echoer::start(&far, "echo").unwrap();
    let forwarder = RemoteForwarder::create(&far, (TCP, "two:4000"), "echo").await.unwrap();
    (far, forwarder)
}

/// What a hub says that has signed a nonce, with nothing in it.
fn made_up() -> Payload {
    let signed = [&[0x94, 2, 0xc4, 32][..], &[0; 32], &[0xc4, 64], &[0; 64], &[0xc4, 1, 0]];
    Payload::from(signed.concat())
}

#[test]
fn limits_for_strangers_spare_a_member() {
    let (net, bus) = (Network::seeded(1), MemoryBus::default());
    net.run(async {
        let [one, two] = [strict_hub(&net, &bus, "one").await, strict_hub(&net, &bus, "two").await];
        let (_far, forwarder) = outlet(&net).await;
        // A stranger beside hub "one" has the only connection of that source.
        let stranger = strict_node(&net, "one").await;
        TcpTransport::create(&stranger).await.unwrap();
        let mut first_hop = {
            use ockam::author::Host as _;
            stranger.first_hop(&route![(TCP, "two:4000")]).unwrap()
        };
        first_hop.attempted().await.unwrap();
        let near = net.node("near");
        TcpTransport::create(&near).await.unwrap();
        let ctx = near.context().unwrap();
        let echo = route![(TCP, "one:4000"), forwarder.remote_address()];
        for _ in 0..10 {
            let took = answered(&net, &ctx, &echo).await;
            assert!(took < Duration::from_millis(500), "{took:?}");
            net.sleep(Duration::from_secs(5)).await;
        }
        assert!(first_hop.state().up && first_hop.state().epoch == 0);
        // Another stranger beside it is a guest, and is seen out.
        let another = strict_node(&net, "one").await;
        TcpTransport::create(&another).await.unwrap();
        let mut second = {
            use ockam::author::Host as _;
            another.first_hop(&route![(TCP, "two:4000")]).unwrap()
        };
        second.attempted().await.unwrap();
        second.lost(0).await;
        assert!(two.refusals().by("connections-source-full") > 0);
        assert_eq!(two.refusals().by("cluster-stranger"), 0);
        for node in [one, two, stranger, another] {
            node.stop().await;
        }
    });
}

#[test]
fn a_stranger_is_no_hub() {
    let (net, bus) = (Network::seeded(2), MemoryBus::default());
    net.run(async {
        let two = strict_hub(&net, &bus, "two").await;
        let (_far, forwarder) = outlet(&net).await;
        let stranger = net.node("stranger");
        TcpTransport::create(&stranger).await.unwrap();
        let ctx = stranger.context().unwrap();
        let unreachable = UndeliverableReason::Unreachable.to_string();
        let gate = route![(TCP, "two:4000"), "cluster_service"];
        let through = gate.clone().then(forwarder.remote_address().forwarder);
        let asked = ctx.ask(&through, 7_u32).reply_as::<u32>().await.unwrap_err();
        assert!(asked.to_string().contains(&unreachable), "{asked}");
        assert_eq!(two.refusals().by("cluster-stranger"), 1);
        // It may ask for a nonce, but not make one up.
        let asked = ctx.ask(&gate, made_up()).reply_as::<u32>().await.unwrap_err();
        assert!(asked.to_string().contains(&unreachable), "{asked}");
        assert_eq!(two.refusals().by("cluster-stranger"), 2);
        assert!(Members::of(&two).are_expected());
        let echo = route![(TCP, "two:4000"), forwarder.remote_address()];
        answered(&net, &ctx, &echo).await;
        two.stop().await;
    });
}

#[test]
fn strangers_beside_a_hub_shut_nobody_out() {
    let (net, bus) = (Network::seeded(3), MemoryBus::default());
    net.run(async {
        let hubs = hubs(&net, &bus).await;
        let (_far, forwarder) = outlet(&net).await;
        let stranger = NodeBuilder::new().on_host(net.host("one")).start().await.unwrap();
        TcpTransport::create(&stranger).await.unwrap();
        let ctx = Context::new(&stranger).unwrap();
        for _ in 0..2 * INTRODUCTIONS.burst {
            let gate = route![(TCP, "two:4000"), "cluster_service"];
            ctx.ask(gate, made_up()).reply_as::<u32>().await.unwrap_err();
        }
        let near = net.node("near");
        TcpTransport::create(&near).await.unwrap();
        let ctx = near.context().unwrap();
        let echo = route![(TCP, "one:4000"), forwarder.remote_address()];
        let took = answered(&net, &ctx, &echo).await;
        assert!(took < Duration::from_millis(500), "{took:?}");
        let two: &Node = hubs[1].as_ref();
        assert!(two.refusals().by("cluster-stranger") >= u64::from(INTRODUCTIONS.burst));
        stranger.stop().await;
    });
}
