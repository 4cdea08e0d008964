//! Lines that are down for a while: what works again when they are back, and how soon.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use ockam::{
    route,
    testing::{explore, LinkOptions, Network, TestNode},
    Context, Echoer, Entity, ForwardingOptions, ForwardingService, Node, RemoteForwarder, Result,
    Route, SecureChannels, TcpTransport, TrustEveryonePolicy, Vault, TCP,
};
use tokio::time::Instant;

async fn hub(node: Node) -> Result<()> {
    ForwardingService::start(&node, ForwardingOptions::new())?;
    TcpTransport::create(&node).await?.listen("hub:4000").await.map(drop)
}

/// The hub, a node with an echoer behind it, and a client with a route to the echoer.
async fn tunnel(net: &Network) -> ([TestNode; 3], Route) {
    let (mut hub_node, far, near) = (net.node("hub"), net.node("far"), net.node("near"));
    hub_node.boot(hub).await.unwrap();
    for node in [&far, &near] {
        TcpTransport::create(node).await.unwrap();
    }
    Echoer::start(&far, "echo").unwrap();
    let mut entity = Entity::create(&far, &Vault::in_memory()).unwrap();
    entity.create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
    let hub_route = route![(TCP, "hub:4000")];
    let forwarder = RemoteForwarder::create(&far, hub_route.clone(), "listener").await.unwrap();
    let mut entity = Entity::create(&near, &Vault::in_memory()).unwrap();
    let listener = hub_route.then(forwarder.remote_address());
    let channel = entity.create_secure_channel(listener, TrustEveryonePolicy).unwrap();
    ([hub_node, far, near], route![channel, "echo"])
}

/// Asks until an answer comes or time is up; returns how long that took.
async fn asks(net: &Network, ctx: &Context, echo: &Route, limit: Duration) -> Option<Duration> {
    let begun = Instant::now();
    let ask = || ctx.ask(echo, 7_u32).within(Duration::from_secs(2)).reply_as::<u32>();
    while ask().await.is_err() {
        if begun.elapsed() > limit {
            return None;
        }
        net.sleep(Duration::from_millis(20)).await;
    }
    Some(begun.elapsed())
}

/// The line between the hub and `end` is down for so long, while clients ask or while they do not.
fn comes_back(end: &str, down: Duration, asking: bool) {
    explore(20, |net| {
        net.set_links(LinkOptions::new().latency(Duration::from_millis(20)));
        net.run(async {
            let ([_hub, _far, near], echo) = tunnel(net).await;
            let ctx = near.context().unwrap();
            let minute = Duration::from_secs(60);
            asks(net, &ctx, &echo, minute).await.expect("an answer before it is down");
            net.sleep(minute + Duration::from_millis(700) * (net.seed() as u32)).await;
            net.cut("hub", end);
            match asking {
                true => assert_eq!(asks(net, &ctx, &echo, down).await, None),
                false => net.sleep(down).await,
            }
            net.mend("hub", end);
            let took = asks(net, &ctx, &echo, minute).await.expect("an answer when it is back");
            assert!(took < Duration::from_secs(2), "{took:?}");
        });
    });
}

#[test]
fn a_clients_line_is_used_within_two_seconds() {
    comes_back("near", Duration::from_secs(20), true);
    comes_back("near", Duration::from_secs(20), false);
}

#[test]
fn an_outlets_line_is_used_within_two_seconds() {
    comes_back("far", Duration::from_secs(20), true);
    comes_back("far", Duration::from_secs(20), false);
}
