//! Hubs of a cluster that do not reach each other, what one of them believes too long, hubs that
//! repeat what others said, and clients that make addresses up.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use ockam::{
    cluster::Bus as _,
    route,
    testing::{explore, Network, TestNode},
    Identifier, RemoteForwarder, TcpTransport, TCP,
};
use ockam_actix_runtime::metrics::Metrics;
use simulated::{
    bus::MemoryBus,
    hubs::{answered, client, hubs, outlet},
};
use tokio::time::Instant;

/// An outlet that both hubs of its list have.
async fn outlet_at_two(net: &Network) -> (TestNode, RemoteForwarder) {
    let (far, forwarder) = outlet(net, "one:4000,three:4000").await;
    forwarder.watch().wait_for(|state| state.registrations == 2).await.unwrap();
    (far, forwarder)
}

#[test]
fn a_hub_out_of_reach_is_passed_over() {
    explore(5, |net| {
        let bus = MemoryBus::default();
        net.run(async {
            let _hubs = hubs(net, &bus).await;
            // Both have it, and are heard; the one that answers first cannot be reached.
            let (_far, forwarder) = outlet_at_two(net).await;
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
        let (_far, forwarder) = outlet_at_two(&net).await;
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

#[test]
fn a_made_up_identity_has_no_forwarder() {
    let (net, bus) = (Network::seeded(4), MemoryBus::default());
    net.run(async {
        let hubs = hubs(&net, &bus).await;
        let (_far, forwarder) = outlet_at_two(&net).await;
        let (_near, ctx, echo) = client(&net, "near", "two", &forwarder).await;
        answered(&net, &ctx, &echo).await;
        let stranger = net.node("stranger");
        TcpTransport::create(&stranger).await.unwrap();
        let ctx = stranger.context().unwrap();
        // Whoever knows one address could else have hubs keep any number of them.
        for number in 0..20 {
            let identifier = Some(Identifier::from_bytes([number; 32]));
            let made_up = forwarder.remote_address();
            let made_up = route![
                (TCP, "two:4000"),
                ockam::ForwardingAddress { identifier, secret: None, ..made_up }
            ];
            ctx.ask(made_up, 7_u32).reply_as::<u32>().await.unwrap_err();
        }
        let kept = hubs.iter().map(|hub| Metrics::of(hub.as_ref()).cluster.stand_ins.all().len());
        assert_eq!(kept.collect::<Vec<_>>(), [0, 1, 0]);
    });
}

#[test]
fn an_answer_is_for_one_question() {
    let (net, bus) = (Network::seeded(5), MemoryBus::default());
    net.run(async {
        // It is asked first, and knows no address.
        let liar = bus.join("liar");
        let (asked, kept) =
            (Arc::<Mutex<Vec<Bytes>>>::default(), Arc::<Mutex<Option<Bytes>>>::default());
        let (hears, answers) = (asked.clone(), kept.clone());
        liar.listen(Box::new(move |message: Bytes| {
            // Who has this forwarder?
            let is_question = message.get(1) == Some(&0);
            hears.lock().unwrap().extend(is_question.then_some(message));
            answers.lock().unwrap().clone().filter(|_| is_question)
        }));
        let _hubs = hubs(&net, &bus).await;
        let (_far, forwarder) = outlet_at_two(&net).await;
        let (_near, ctx, echo) = client(&net, "near", "two", &forwarder).await;
        answered(&net, &ctx, &echo).await;
        // It asks the same, keeps the answer, and gives it when that is not true any more.
        let question = asked.lock().unwrap()[0].clone();
        let answer = liar.ask(question, Box::new(|_| true)).await;
        *kept.lock().unwrap() = answer;
        net.cut("far", "one");
        net.sleep(Duration::from_secs(90)).await;
        let took = answered(&net, &ctx, &echo).await;
        assert!(took < Duration::from_secs(30), "{took:?}");
    });
}
