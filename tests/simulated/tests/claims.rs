//! Programs of one identity that want one address at different hubs of a cluster: the newest has it
//! everywhere, and the others are told.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::future::join;
use ockam::{
    cluster::{Bus as _, Cluster},
    testing::{explore, Network},
    ForwardingOptions, ForwardingService, TcpTransport, TCP,
};
use ockam_actix_workers::forwarder::limits::LEASE;
use simulated::{
    bus::MemoryBus,
    hubs::{at, hubs, HUBS},
    owner::{Owner, Program},
};

#[test]
fn the_newer_registration_wins_at_all_hubs() {
    explore(20, |net| {
        let (bus, owner) = (MemoryBus::default(), Owner::new());
        net.run(async {
            let _hubs = hubs(net, &bus).await;
            let old = owner.program(net, "old", "one:4000").await;
            net.sleep(Duration::from_millis(net.random(60_000))).await;
            let new = owner.program(net, "new", "two:4000").await;
            net.sleep(LEASE).await;
            assert!(old.state().displaced && new.has_it(), "{:?} {:?}", old.state(), new.state());
            owner.all_reach_second(net, ["old", "new"]).await;
        });
    });
}

#[test]
fn of_two_at_the_same_moment_one_wins() {
    explore(40, |net| {
        let (bus, owner) = (MemoryBus::default(), Owner::new());
        net.run(async {
            let _hubs = hubs(net, &bus).await;
            let after = |name, hub: &'static str| {
                let (owner, pause) = (&owner, Duration::from_millis(net.random(20)));
                async move {
                    net.sleep(pause).await;
                    owner.program(net, name, hub).await
                }
            };
            let (one, two) = join(after("a", "one:4000"), after("b", "three:4000")).await;
            net.sleep(LEASE).await;
            let names = match (one.has_it(), two.has_it()) {
                (true, false) => ["b", "a"],
                (false, true) => ["a", "b"],
                both => panic!("{both:?} have the address"),
            };
            assert!(one.state().displaced != two.state().displaced);
            owner.all_reach_second(net, names).await;
        });
    });
}

#[test]
fn hubs_that_were_apart_agree_afterwards() {
    explore(20, |net| {
        let (bus, owner) = (MemoryBus::default(), Owner::new());
        net.run(async {
            let _hubs = hubs(net, &bus).await;
            // The older one is on either side.
            let [first, second] = match net.random(2) {
                0 => ["one:4000", "two:4000"],
                _ => ["two:4000", "one:4000"],
            };
            bus.cut("one", true);
            let old = owner.program(net, "old", first).await;
            net.sleep(Duration::from_millis(1 + net.random(100_000))).await;
            // Also for so short that nobody misses a hub.
            if net.random(2) == 0 {
                bus.cut("one", false);
                net.sleep(Duration::from_millis(5_000 + net.random(10_000))).await;
                bus.cut("one", true);
            }
            let new = owner.program(net, "new", second).await;
            net.sleep(Duration::from_millis(net.random(1 << net.random(18)))).await;
            assert!(old.has_it() && new.has_it());
            bus.cut("one", false);
            net.sleep(LEASE).await;
            assert!(old.state().displaced && new.has_it(), "{:?} {:?}", old.state(), new.state());
            owner.all_reach_second(net, ["old", "new"]).await;
        });
    });
}

#[test]
fn an_older_one_that_comes_back_is_told() {
    explore(20, |net| {
        let (bus, owner) = (MemoryBus::default(), Owner::new());
        net.run(async {
            let mut hubs = hubs(net, &bus).await;
            let old = owner.program(net, "old", "one:4000").await;
            net.cut("old", "one");
            net.sleep(Duration::from_millis(net.random(100_000))).await;
            let new = owner.program(net, "new", "two:4000").await;
            net.sleep(LEASE).await;
            assert!(new.has_it());
            if net.random(2) == 0 {
                hubs[0].restart().await.unwrap();
            }
            net.mend("old", "one");
            net.sleep(LEASE + Duration::from_secs(2)).await;
            assert!(old.state().displaced && new.has_it(), "{:?} {:?}", old.state(), new.state());
            owner.all_reach_second(net, ["old", "new"]).await;
        });
    });
}

#[test]
fn three_programs_at_three_hubs_come_to_one() {
    explore(10, |net| {
        let (bus, owner) = (MemoryBus::default(), Owner::new());
        net.run(async {
            let _hubs = hubs(net, &bus).await;
            HUBS.iter().for_each(|hub| bus.cut(hub, true));
            let mut programs = Vec::new();
            for (name, hub) in [("a", "one:4000"), ("b", "two:4000"), ("c", "three:4000")] {
                programs.push(owner.program(net, name, hub).await);
                net.sleep(Duration::from_millis(1 + net.random(3_000))).await;
            }
            HUBS.iter().for_each(|hub| bus.cut(hub, false));
            // The newest learns of one other at each renewal.
            net.sleep(2 * LEASE).await;
            let have = programs.iter().map(Program::has_it).collect::<Vec<_>>();
            assert_eq!(have, [false, false, true]);
            owner.all_reach_second(net, ["b", "c"]).await;
        });
    });
}

#[test]
fn one_program_at_several_hubs_stays() {
    let (net, bus, owner) = (Network::seeded(5), MemoryBus::default(), Owner::new());
    net.run(async {
        let mut hubs = hubs(&net, &bus).await;
        let program = owner.program(&net, "own", "one:4000,three:4000").await;
        for _ in 0..4 {
            net.sleep(2 * LEASE).await;
            assert!(program.has_it());
            hubs[2].restart().await.unwrap();
        }
        owner.all_reach_second(&net, ["nobody", "own"]).await;
    });
}

#[test]
fn a_hub_takes_over_from_its_stand_in() {
    let (net, bus, owner) = (Network::seeded(6), MemoryBus::default(), Owner::new());
    net.run(async {
        let _hubs = hubs(&net, &bus).await;
        let _old = owner.program(&net, "old", "one:4000").await;
        assert_eq!(owner.reached(&net, "two", ["old", "new"]).await, Some(0));
        bus.cut("one", true);
        let new = owner.program(&net, "new", "two:4000").await;
        assert!(new.has_it());
        assert_eq!(owner.reached(&net, "two", ["old", "new"]).await, Some(1));
    });
}

#[test]
fn a_service_started_again_stays_in_its_cluster() {
    let (net, bus, owner) = (Network::seeded(7), MemoryBus::default(), Owner::new());
    net.run(async {
        let mut nodes = Vec::new();
        for name in ["one", "two"] {
            let node = net.node(name);
            let cluster = Cluster::join(&node, (TCP, at(name)), bus.join(name)).unwrap();
            let start = || {
                let options = ForwardingOptions::new().cluster(cluster.clone());
                ForwardingService::start(&node, options)
            };
            let first = start().unwrap();
            start().unwrap_err();
            first.stop().unwrap();
            start().unwrap();
            TcpTransport::create(&node).await.unwrap().listen(at(name)).await.unwrap();
            nodes.push(node);
        }
        let old = owner.program(&net, "old", "one:4000").await;
        let new = owner.program(&net, "new", "two:4000").await;
        net.sleep(LEASE).await;
        assert!(old.state().displaced && new.has_it(), "{:?} {:?}", old.state(), new.state());
    });
}

#[test]
fn a_hub_that_repeats_others_decides_nothing() {
    explore(10, |net| {
        let (bus, owner) = (MemoryBus::default(), Owner::new());
        net.run(async {
            let heard = Arc::new(Mutex::new(Vec::<Bytes>::new()));
            let (liar, hears) = (bus.join("liar"), heard.clone());
            liar.listen(Box::new(move |message| {
                hears.lock().unwrap().push(message.clone());
                // It answers everything, and first.
                Some(message)
            }));
            let _hubs = hubs(net, &bus).await;
            let mut programs = Vec::new();
            for (name, hub) in [("a", "one:4000"), ("b", "two:4000"), ("c", "three:4000")] {
                programs.push(owner.program(net, name, hub).await);
                for _ in 0..LEASE.as_secs() {
                    net.sleep(Duration::from_secs(1)).await;
                    let known = heard.lock().unwrap().len();
                    let again = heard.lock().unwrap()[net.random(known as u64) as usize].clone();
                    liar.publish(again);
                }
            }
            let have = programs.iter().map(Program::has_it).collect::<Vec<_>>();
            assert_eq!(have, [false, false, true]);
            assert!(programs[..2].iter().all(|program| program.state().displaced));
            owner.all_reach_second(net, ["b", "c"]).await;
            assert!(!programs[2].node.as_ref().is_stopping());
        });
    });
}

#[test]
fn an_older_program_is_not_newer_elsewhere() {
    explore(10, |net| {
        let (bus, owner) = (MemoryBus::default(), Owner::new());
        net.run(async {
            let mut hubs = hubs(net, &bus).await;
            // The other hub of its list comes after the newer program.
            hubs[2].kill();
            let old = owner.program(net, "old", "one:4000,three:4000").await;
            net.sleep(Duration::from_secs(1)).await;
            let new = owner.program(net, "new", "two:4000").await;
            net.sleep(Duration::from_millis(net.random(100_000))).await;
            hubs[2].restart().await.unwrap();
            net.sleep(2 * LEASE).await;
            assert!(new.has_it() && !old.state().registered, "{:?} {:?}", old.state(), new.state());
            owner.all_reach_second(net, ["old", "new"]).await;
        });
    });
}

#[test]
fn the_newer_key_wins_at_all_hubs() {
    explore(20, |net| {
        let (bus, owner) = (MemoryBus::default(), Owner::new());
        net.run(async {
            let mut hubs = hubs(net, &bus).await;
            let old = owner.prepared(net, "old").await;
            owner.rotate();
            let new = owner.prepared(net, "new").await;
            let pause = Duration::from_millis(net.random(30_000));
            // Which one is the later registration decides nothing.
            let (old, new) = match net.random(2) {
                0 => {
                    let old = old.register("one:4000,three:4000").await;
                    net.sleep(pause).await;
                    (old, new.register("two:4000").await)
                }
                _ => {
                    let new = new.register("two:4000").await;
                    net.sleep(pause).await;
                    (old.register("one:4000,three:4000").await, new)
                }
            };
            net.sleep(LEASE + Duration::from_secs(20)).await;
            for _ in 0..2 {
                assert!(new.has_it() && !old.state().registered, "{:?}", old.state());
                owner.all_reach_second(net, ["old", "new"]).await;
                // A hub that has met neither key, and is told at the older one's next attempt.
                hubs[0].restart().await.unwrap();
                net.sleep(2 * LEASE).await;
            }
        });
    });
}
