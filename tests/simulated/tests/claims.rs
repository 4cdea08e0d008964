//! Programs of one identity that want one address at different hubs of a cluster: the newest has it
//! everywhere, and the others are told.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{
    cell::Cell,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::future::join;
use ockam::{
    cluster::Bus as _,
    route,
    testing::{explore, Network, TestNode},
    Echoer, Entity, Identifier, RegistrationState, RemoteForwarder, RemoteForwarderOptions,
    SecureChannelListenerOptions, SecureChannels, ServiceAddress, TcpTransport,
    TrustIdentifierPolicy, Vault, TCP,
};
use ockam_actix_workers::forwarder::limits::LEASE;
use simulated::{
    bus::MemoryBus,
    hubs::{at, hubs, HUBS},
};

/// The identity that owns the address, and a client's that it trusts.
struct Owner {
    vault: Vault,
    own: Identifier,
    client: Identifier,
    clients: Cell<usize>,
}

impl Owner {
    fn new() -> Self {
        let vault = Vault::in_memory();
        let [own, client] = ["own", "client"].map(|name| vault.create_identity(name).unwrap());
        Self { vault, own, client, clients: Cell::default() }
    }

    /// A program with the owner's identity, which registers the service with `hubs`.
    async fn program(&self, net: &Network, name: &str, hubs: &str) -> Program {
        let node = net.node(name);
        TcpTransport::create(&node).await.unwrap();
        // It tells one program from another.
        Echoer::start(&node, name).unwrap();
        let mut entity = Entity::open(&node, &self.vault, "own").unwrap();
        let listener = SecureChannelListenerOptions::at("listener").named();
        let policy = TrustIdentifierPolicy::new(self.client);
        entity.create_secure_channel_listener(listener, policy).unwrap();
        let options = RemoteForwarderOptions::to("listener").service("web").named();
        let forwarder = RemoteForwarder::create(&node, (TCP, hubs), options).await.unwrap();
        Program { node, forwarder }
    }

    /// Which of two programs a client reaches through `hub`.
    async fn reached(&self, net: &Network, hub: &str, names: [&str; 2]) -> Option<usize> {
        self.clients.set(self.clients.get() + 1);
        let near = net.node(&format!("client-{}", self.clients.get()));
        TcpTransport::create(&near).await.unwrap();
        let mut entity = Entity::open(&near, &self.vault, "client").unwrap();
        let service = ServiceAddress::new(self.own, "web").unwrap().forwarding_address();
        let policy = TrustIdentifierPolicy::new(self.own);
        let listener = route![(TCP, at(hub)), service];
        let channel = entity.create_secure_channel(listener, policy).unwrap();
        let ctx = near.context().unwrap();
        for (number, name) in names.into_iter().enumerate() {
            let asked = ctx.ask(route![channel.clone(), name], 7_u32);
            if asked.within(Duration::from_secs(5)).reply_as::<u32>().await.is_ok() {
                return Some(number);
            }
        }
        None
    }

    /// Whether all hubs lead to the second of the programs.
    async fn all_reach_second(&self, net: &Network, names: [&str; 2]) {
        for hub in HUBS {
            assert_eq!(self.reached(net, hub, names).await, Some(1), "through {hub}");
        }
    }
}

struct Program {
    node: TestNode,
    forwarder: RemoteForwarder,
}

impl Program {
    fn state(&self) -> RegistrationState {
        self.forwarder.watch().borrow().clone()
    }

    fn has_it(&self) -> bool {
        let state = self.state();
        assert!(!(state.registered && state.displaced), "{state:?}");
        state.registered
    }
}

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
