//! Hubs of a cluster that do not reach each other, and what one of them believes too long.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use ockam::testing::{explore, Network};
use simulated::{
    bus::MemoryBus,
    hubs::{answered, client, hubs, outlet},
};
use tokio::time::Instant;

#[test]
fn a_hub_out_of_reach_is_passed_over() {
    explore(5, |net| {
        let bus = MemoryBus::default();
        net.run(async {
            let _hubs = hubs(net, &bus).await;
            // Both have it, and are heard; the one that answers first cannot be reached.
            let (_far, forwarder) = outlet(net, "one:4000,three:4000").await;
            let mut state = forwarder.watch();
            state.wait_for(|state| state.registrations == 2).await.unwrap();
            net.cut("two", "one");
            let (_near, ctx, echo) = client(net, "near", "two", &forwarder).await;
            let took = answered(net, &ctx, &echo).await;
            assert!(took < Duration::from_secs(8), "{took:?}");
        });
    });
}

#[test]
fn what_a_hub_has_missed_is_told_again() {
    let (net, bus) = (Network::seeded(3), MemoryBus::default());
    net.run(async {
        let _hubs = hubs(&net, &bus).await;
        let (_far, forwarder) = outlet(&net, "one:4000,three:4000").await;
        let mut state = forwarder.watch();
        state.wait_for(|state| state.registrations == 2).await.unwrap();
        let (_near, ctx, echo) = client(&net, "near", "two", &forwarder).await;
        answered(&net, &ctx, &echo).await;
        // The first hub loses the forwarder, which the second is not told: it still has a
        // connection to the first.
        bus.cut("one", true);
        net.cut("far", "one");
        let begun = Instant::now();
        let ask = || ctx.ask(&echo, 7_u32).within(Duration::from_secs(1)).reply_as::<u32>();
        while begun.elapsed() < Duration::from_secs(90) {
            let _ = ask().await;
            net.sleep(Duration::from_millis(100)).await;
        }
        bus.cut("one", false);
        let took = answered(&net, &ctx, &echo).await;
        assert!(took < Duration::from_secs(20), "{took:?}");
    });
}
