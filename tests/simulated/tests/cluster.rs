//! Hubs of one cluster: what is registered at one is reached through any.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use ockam::{
    cluster::{Accept, Bus, Cluster, Receive},
    route,
    testing::{explore, Network, TestNode},
    trace, Echoer, Entity, HopRole, RemoteForwarder, RemoteForwarderOptions,
    SecureChannelListenerOptions, SecureChannels, TcpTransport, TraceOptions, TrustEveryonePolicy,
    TrustIdentifierPolicy, UndeliverableReason, Vault, TCP,
};
use ockam_actix_runtime::metrics::{counter::Counter, Metrics};
use simulated::{
    bus::{MemoryBus, OnBus},
    hubs::{answered, at, client, hubs, outlet, HUBS},
};
use tokio::time::Instant;

#[test]
fn any_hub_reaches_any_forwarder() {
    let (net, bus) = (Network::seeded(1), MemoryBus::default());
    net.run(async {
        let hubs = hubs(&net, &bus).await;
        let (_far, forwarder) = outlet(&net, "one:4000").await;
        for (name, hub) in [("a", "one"), ("b", "two"), ("c", "three")] {
            let (_near, ctx, echo) = client(&net, name, hub, &forwarder).await;
            let took = answered(&net, &ctx, &echo).await;
            assert!(took < Duration::from_millis(300), "through {hub}: {took:?}");
        }
        // Each hub asked once, and found it in one hop.
        assert_eq!(bus.asked(), 2 * 2);
        let figures = |hub: &TestNode| {
            let cluster = &Metrics::of(hub.as_ref()).cluster;
            let counts = [&cluster.lookups, &cluster.found, &cluster.not_found];
            (counts.map(Counter::count), cluster.stand_ins.all().len())
        };
        let figures: Vec<_> = hubs.iter().map(figures).collect();
        assert_eq!(figures, [([0, 0, 0], 0), ([1, 1, 0], 1), ([1, 1, 0], 1)]);
    });
}

#[test]
fn a_trace_shows_the_hub_in_between() {
    let (net, bus) = (Network::seeded(7), MemoryBus::default());
    net.run(async {
        let _hubs = hubs(&net, &bus).await;
        let (_far, forwarder) = outlet(&net, "one:4000").await;
        let near = net.node("near");
        TcpTransport::create(&near).await.unwrap();
        for (hub, expected) in [
            ("one", vec![HopRole::Node, HopRole::Forwarder]),
            ("two", vec![HopRole::Node, HopRole::OtherHub, HopRole::Forwarder]),
        ] {
            let route = route![(TCP, at(hub)), forwarder.remote_address().forwarder];
            let found = trace(&near, TraceOptions::along(route)).await.unwrap();
            assert_eq!(found.failure, None);
            let roles: Vec<_> = found.hops.iter().map(|hop| hop.role).collect();
            assert_eq!(roles, expected);
        }
    });
}

#[test]
fn what_is_known_goes_on_without_the_bus() {
    let (net, bus) = (Network::seeded(2), MemoryBus::default());
    net.run(async {
        let _hubs = hubs(&net, &bus).await;
        let (_far, forwarder) = outlet(&net, "one:4000").await;
        let (_near, ctx, echo) = client(&net, "near", "two", &forwarder).await;
        answered(&net, &ctx, &echo).await;
        HUBS.iter().for_each(|hub| bus.cut(hub, true));
        for _ in 0..20 {
            let took = answered(&net, &ctx, &echo).await;
            assert!(took < Duration::from_millis(100), "{took:?}");
            net.sleep(Duration::from_secs(30)).await;
        }
    });
}

#[test]
fn an_unknown_address_is_told_within_seconds() {
    let (net, bus) = (Network::seeded(3), MemoryBus::default());
    net.run(async {
        let _hubs = hubs(&net, &bus).await;
        let near = net.node("near");
        TcpTransport::create(&near).await.unwrap();
        let ctx = near.context().unwrap();
        let nobody = route![(TCP, "two:4000"), format!("F{}", "7".repeat(32))];
        let begun = Instant::now();
        let asked = ctx.ask(nobody, 7_u32).reply_as::<u32>().await.unwrap_err();
        assert!(asked.to_string().contains(&UndeliverableReason::Unreachable.to_string()));
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    });
}

/// A bus that nobody should have written.
struct Broken(OnBus);

impl Bus for Broken {
    fn listen(&self, receive: Receive) {
        self.0.listen(receive);
    }

    fn publish(&self, message: Bytes) {
        self.0.publish(message);
    }

    fn ask(&self, _: Bytes, _: Accept) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send>> {
        panic!("a fault in the bus")
    }
}

#[test]
fn a_lookup_that_panics_leaves_nothing_behind() {
    let net = Network::seeded(8);
    net.run(async {
        let hub = net.node("hub");
        let bus = Broken(MemoryBus::default().join("hub"));
        let _cluster = Cluster::join(&hub, (TCP, at("hub")), bus).unwrap();
        TcpTransport::create(&hub).await.unwrap().listen(at("hub")).await.unwrap();
        let near = net.node("near");
        TcpTransport::create(&near).await.unwrap();
        let ctx = near.context().unwrap();
        let nobody = route![(TCP, at("hub")), format!("F{}", "7".repeat(32))];
        for _ in 0..3 {
            let asked = ctx.ask(&nobody, 7_u32).reply_as::<u32>().await.unwrap_err();
            assert!(asked.to_string().contains(&UndeliverableReason::Unreachable.to_string()));
        }
        assert_eq!(Metrics::of(hub.as_ref()).cluster.lookups.count(), 3);
    });
}

#[test]
fn a_killed_hub_is_replaced_by_the_others() {
    explore(20, |net| {
        let bus = MemoryBus::default();
        net.run(async {
            let mut hubs = hubs(net, &bus).await;
            let (_far, forwarder) = outlet(net, "one:4000,three:4000").await;
            let mut state = forwarder.watch();
            state.wait_for(|state| state.registrations == 2).await.unwrap();
            let (_near, ctx, echo) = client(net, "near", "two", &forwarder).await;
            answered(net, &ctx, &echo).await;
            for (killed, registrations) in [(0, 3), (2, 4), (0, 5)] {
                hubs[killed].kill();
                let took = answered(net, &ctx, &echo).await;
                assert!(took < Duration::from_secs(6), "{took:?}");
                hubs[killed].restart().await.unwrap();
                state.wait_for(|state| state.registrations == registrations).await.unwrap();
            }
        });
    });
}

#[test]
fn a_forwarder_that_has_left_is_unknown_everywhere() {
    let (net, bus) = (Network::seeded(4), MemoryBus::default());
    net.run(async {
        let _hubs = hubs(&net, &bus).await;
        let far = net.node("far");
        TcpTransport::create(&far).await.unwrap();
        Echoer::start(&far, "echo").unwrap();
        let forwarder = RemoteForwarder::create(&far, (TCP, "one:4000"), "echo").await.unwrap();
        let near = net.node("near");
        TcpTransport::create(&near).await.unwrap();
        let ctx = near.context().unwrap();
        let echo = route![(TCP, "two:4000"), forwarder.remote_address()];
        answered(&net, &ctx, &echo).await;
        forwarder.stop().await;
        net.sleep(Duration::from_millis(100)).await;
        let asked = ctx.ask(echo, 7_u32).reply_as::<u32>().await.unwrap_err();
        assert!(asked.to_string().contains(&UndeliverableReason::Unreachable.to_string()));
    });
}

#[test]
fn a_forwarder_that_arrives_is_reached_at_once() {
    let (net, bus) = (Network::seeded(9), MemoryBus::default());
    net.run(async {
        let _hubs = hubs(&net, &bus).await;
        let far = net.node("far");
        TcpTransport::create(&far).await.unwrap();
        Echoer::start(&far, "echo").unwrap();
        let near = net.node("near");
        TcpTransport::create(&near).await.unwrap();
        let new = |node: &TestNode| Entity::create(node, &Vault::in_memory()).unwrap();
        let (mut outlet, mut client) = (new(&far), new(&near));
        let listener = SecureChannelListenerOptions::at("listener").named();
        let policy = TrustIdentifierPolicy::new(client.identifier());
        outlet.create_secure_channel_listener(listener, policy).unwrap();
        // One that is named has the same address again.
        let register = async |hub| {
            let options = RemoteForwarderOptions::to("listener").named();
            RemoteForwarder::create(&far, (TCP, at(hub)), options).await.unwrap()
        };
        let forwarder = register("one").await;
        forwarder.stop().await;
        // A client looks for it at a hub where it is registered a moment later.
        let route = route![(TCP, at("two")), forwarder.remote_address()];
        let channel = client.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let (ctx, echo) = (near.context().unwrap(), route![channel, "echo"]);
        let registering = async {
            net.sleep(Duration::from_millis(200)).await;
            register("two").await
        };
        let (took, again) = tokio::join!(answered(&net, &ctx, &echo), registering);
        assert_eq!(again.remote_address(), forwarder.remote_address());
        assert!(took < Duration::from_millis(500), "{took:?}");
    });
}
