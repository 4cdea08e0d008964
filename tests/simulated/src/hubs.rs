//! Hubs of one cluster, and a client's questions through them.

use std::time::Duration;

use ockam::{
    cluster::Cluster,
    testing::{LinkOptions, Network, TestNode},
    Context, ForwardingOptions, ForwardingService, Node, Result, Route, TcpTransport, TCP,
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
