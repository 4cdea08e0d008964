//! Hubs of one cluster, an outlet behind them, and a client's questions through them.

use std::time::Duration;

use ockam::{
    cluster::Cluster,
    route,
    testing::{LinkOptions, Network, TestNode},
    Context, Echoer, Entity, ForwardingOptions, ForwardingService, Node, RemoteForwarder, Result,
    Route, SecureChannels, TcpTransport, TrustEveryonePolicy, Vault, TCP,
};
use tokio::time::Instant;

use crate::bus::MemoryBus;

/// The hosts of the hubs.
pub const HUBS: [&str; 3] = ["one", "two", "three"];

/// Where a hub listens.
pub fn at(hub: &str) -> String {
    format!("{hub}:4000")
}

async fn hub(node: Node, name: &'static str, bus: MemoryBus) -> Result<()> {
    let cluster = Cluster::join(&node, (TCP, at(name)), bus.join(name))?;
    ForwardingService::start(&node, ForwardingOptions::new().cluster(cluster))?;
    TcpTransport::create(&node).await?.listen(at(name)).await.map(drop)
}

/// A cluster of three hubs.
pub async fn hubs(net: &Network, bus: &MemoryBus) -> Vec<TestNode> {
    net.set_links(LinkOptions::new().latency(Duration::from_millis(5)));
    let mut nodes = Vec::new();
    for name in HUBS {
        let (mut node, bus) = (net.node(name), bus.clone());
        node.boot(move |node| hub(node, name, bus.clone())).await.unwrap();
        nodes.push(node);
    }
    nodes
}

/// Asks until an answer comes; returns how long that took.
pub async fn answered(net: &Network, ctx: &Context, echo: &Route) -> Duration {
    let begun = Instant::now();
    let ask = || ctx.ask(echo, 7_u32).within(Duration::from_secs(10)).reply_as::<u32>();
    while ask().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no answer");
        net.sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

/// A node with an echoer behind a forwarder at `hubs`.
pub async fn outlet(net: &Network, hubs: &str) -> (TestNode, RemoteForwarder) {
    let far = net.node("far");
    TcpTransport::create(&far).await.unwrap();
    Echoer::start(&far, "echo").unwrap();
    let mut entity = Entity::create(&far, &Vault::in_memory()).unwrap();
    entity.create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
    let forwarder = RemoteForwarder::create(&far, (TCP, hubs), "listener").await.unwrap();
    (far, forwarder)
}

/// A client that reaches it through `hub`, and its route to the echoer.
pub async fn client(
    net: &Network,
    name: &str,
    hub: &str,
    forwarder: &RemoteForwarder,
) -> (TestNode, Context, Route) {
    let near = net.node(name);
    TcpTransport::create(&near).await.unwrap();
    let mut entity = Entity::create(&near, &Vault::in_memory()).unwrap();
    let listener = route![(TCP, at(hub)), forwarder.remote_address()];
    let channel = entity.create_secure_channel(listener, TrustEveryonePolicy).unwrap();
    let ctx = near.context().unwrap();
    (near, ctx, route![channel, "echo"])
}
