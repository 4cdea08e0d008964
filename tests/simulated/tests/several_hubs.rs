//! An outlet's node that registers with two hubs, and a client that knows both.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use ockam::{
    author::Host as _,
    route,
    testing::{explore, LinkOptions, Network, TestNode},
    Echoer, Entity, ForwardingOptions, ForwardingService, Node, RemoteForwarder, Result, Route,
    SecureChannels, TcpTransport, TrustEveryonePolicy, Vault, TCP,
};
use simulated::hubs::answered;
use tokio::time::Instant;

const HUBS: &str = "one:4000,two:4000";

async fn hub(node: Node, listen: &'static str) -> Result<()> {
    ForwardingService::start(&node, ForwardingOptions::new())?;
    TcpTransport::create(&node).await?.listen(listen).await.map(drop)
}

/// The hubs, a node with an echoer behind both, and a client with a route to the echoer.
async fn tunnel(net: &Network) -> Result<([TestNode; 2], TestNode, TestNode, Route)> {
    let (mut one, mut two) = (net.node("one"), net.node("two"));
    one.boot(|node| hub(node, "one:4000")).await?;
    two.boot(|node| hub(node, "two:4000")).await?;
    let (far, near) = (net.node("far"), net.node("near"));
    for node in [&far, &near] {
        TcpTransport::create(node).await?;
    }
    Echoer::start(&far, "echo")?;
    let mut entity = Entity::create(&far, &Vault::in_memory())?;
    entity.create_secure_channel_listener("listener", TrustEveryonePolicy)?;
    let forwarder = RemoteForwarder::create(&far, (TCP, HUBS), "listener").await?;
    let mut state = forwarder.watch();
    state.wait_for(|state| state.registrations == 2).await.unwrap();
    let mut entity = Entity::create(&near, &Vault::in_memory())?;
    let listener = route![(TCP, HUBS), forwarder.remote_address()];
    let channel = entity.create_secure_channel(listener, TrustEveryonePolicy)?;
    Ok(([one, two], far, near, route![channel, "echo"]))
}

#[test]
fn clients_move_on_within_a_second() {
    explore(40, |net| {
        net.set_links(LinkOptions::new().latency(Duration::from_millis(20)));
        net.run(async {
            let (mut hubs, _far, near, echo) = tunnel(net).await.unwrap();
            let ctx = near.context().unwrap();
            answered(net, &ctx, &echo).await;
            // The client prefers the first, and moves on whenever it loses the one that it has.
            for lost in [0, 1, 0, 1] {
                hubs[lost].kill();
                let took = answered(net, &ctx, &echo).await;
                assert!(took < Duration::from_secs(1), "{took:?}");
                hubs[lost].restart().await.unwrap();
                net.sleep(Duration::from_secs(30)).await;
            }
        });
    });
}

#[test]
fn a_hub_that_stops_sends_its_clients_on() {
    explore(40, |net| {
        net.set_links(LinkOptions::new().latency(Duration::from_millis(20)));
        net.run(async {
            let (mut hubs, _far, near, echo) = tunnel(net).await.unwrap();
            let ctx = near.context().unwrap();
            answered(net, &ctx, &echo).await;
            let link = near.as_ref().first_hop(&route![(TCP, HUBS)]).unwrap();
            for stopped in [0, 1, 0, 1] {
                net.sleep(Duration::from_secs(30)).await;
                let mut lost = link.clone();
                let epoch = lost.state().epoch;
                let begun = Instant::now();
                let losing = async {
                    lost.lost(epoch).await;
                    assert!(lost.state().announced, "{:?}", lost.state());
                    assert!(begun.elapsed() < Duration::from_millis(200), "{:?}", begun.elapsed());
                };
                tokio::join!(hubs[stopped].as_ref().stop(), losing);
                assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
                let took = answered(net, &ctx, &echo).await;
                assert!(took < Duration::from_millis(500), "{took:?}");
                hubs[stopped].restart().await.unwrap();
            }
        });
    });
}

#[test]
fn a_hub_that_falls_silent_is_left() {
    explore(20, |net| {
        net.run(async {
            let (_hubs, _far, near, echo) = tunnel(net).await.unwrap();
            let ctx = near.context().unwrap();
            answered(net, &ctx, &echo).await;
            net.sleep(Duration::from_secs(60)).await;
            net.cut("near", "one");
            let took = answered(net, &ctx, &echo).await;
            assert!(took < Duration::from_secs(5), "{took:?}");
        });
    });
}

#[test]
fn an_idle_hub_that_falls_silent_is_left() {
    explore(20, |net| {
        net.run(async {
            let (_hubs, _far, near, echo) = tunnel(net).await.unwrap();
            let ctx = near.context().unwrap();
            answered(net, &ctx, &echo).await;
            net.cut("near", "one");
            net.sleep(Duration::from_secs(30)).await;
            let took = answered(net, &ctx, &echo).await;
            assert!(took < Duration::from_millis(100), "it is still at the silent one: {took:?}");
        });
    });
}

#[test]
fn a_hub_that_never_greets_is_passed_over() {
    let net = Network::seeded(7);
    net.run(async {
        let _silent = net.host("one").listen_on("one:4000").unwrap();
        let mut two = net.node("two");
        two.boot(|node| hub(node, "two:4000")).await.unwrap();
        Echoer::start(&two, "echo").unwrap();
        let mut entity = Entity::create(&two, &Vault::in_memory()).unwrap();
        entity.create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
        let near = net.node("near");
        TcpTransport::create(&near).await.unwrap();
        let mut entity = Entity::create(&near, &Vault::in_memory()).unwrap();
        let to = route![(TCP, HUBS), "listener"];
        let channel = entity.create_secure_channel(to, TrustEveryonePolicy).unwrap();
        let ctx = near.context().unwrap();
        let took = answered(&net, &ctx, &route![channel, "echo"]).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
    });
}
