//! Attacks that must fail: taking over an address, endless loops, dialling for strangers.

use std::{
    io::ErrorKind,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use ockam_actix_runtime::{
    limits::MAX_ROUTE_ADDRESSES, node::routing::NextHop, route,
    trust::reachability::ReachabilityRule, Address, Context, Error, Host, Message, Node, Payload,
    Route, UndeliverableReason,
};
use ockam_actix_workers::{
    echoer::Echoer,
    forwarder::{
        protocol::{
            claim::{prove, ForwarderId, Instance, Salt, Statement, Tenure},
            refusal::RegistrationRefusal,
            Request,
        },
        ForwardingOptions, RemoteForwarder,
    },
    identity::local_identity::LocalIdentity,
};

use crate::support::*;

#[test]
fn nobody_else_gets_an_identitys_address() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (victim, thief) = (identity(), identity());
        let salt = Salt([7; 16]);
        let owner = Raw { node: node(arbiters).await, hub: route![&at] };
        Echoer::start(&owner.node, "echoer").unwrap();
        owner.node.hub_grants(&at).permit("echoer".into());
        let id = owner.claim("echoer", &victim, salt, &victim).await.unwrap();
        let raw = Raw { node: node(arbiters).await, hub: route![&at] };

        // The victim's history and salt, signed by the thief.
        let forged = raw.claim("trap", &victim, salt, &thief).await;
        assert_eq!(forged, Err(RegistrationRefusal::ProofWrong));
        // The thief's own history under the victim's identifier.
        let claim = first_claim(&victim, salt);
        let (nonce, displaced) = raw.challenge("trap", &claim).await;
        let own = thief.identity().encode();
        let swapped = raw.prove("trap", claim.clone(), &thief, nonce, displaced, own).await;
        assert_eq!(granted(swapped), Err(RegistrationRefusal::ProofWrong));
        // The victim's own proof over a challenge that this connection got, for another
        // destination, tenure or displaced instance.
        let (nonce, displaced) = raw.challenge("trap", &claim).await;
        let genuine = victim.identity().encode();
        let (trap, tenure) = (route!["trap"], claim.tenure);
        let said = Statement { nonce: &nonce, displaced, tenure, destination: &trap };
        for said in [
            Statement { destination: &route!["x"], ..said },
            Statement { tenure: Tenure(u64::MAX), ..said },
            Statement { displaced: Instance([1; 16]), ..said },
        ] {
            let proof = Request::Proof {
                destination: trap.clone(),
                claim: claim.clone(),
                nonce,
                displaced,
                signature: prove(&victim, &claim.id(), said),
                identity: genuine.clone(),
            };
            assert_eq!(granted(raw.ask(proof).await), Err(RegistrationRefusal::ProofWrong));
        }
        // A challenge of another connection, and one that the thief made.
        let (foreign, _) = owner.challenge("echoer", &claim).await;
        for nonce in [foreign, [0; 32]] {
            let (claim, identity) = (claim.clone(), genuine.clone());
            let replayed = raw.prove("echoer", claim, &victim, nonce, displaced, identity).await;
            assert_eq!(granted(replayed), Err(RegistrationRefusal::ProofWrong));
        }
        // The victim's salt with the thief's identity gives another address.
        let own = raw.claim("trap", &thief, salt, &thief).await.unwrap();
        assert_ne!(own, id);
        // Renewing and releasing are for the owner's connection alone.
        for request in [Request::Renew(id), Request::Release(id)] {
            let answer = raw.ask(request).await;
            assert!(format!("{answer:?}").contains("NoForwarder"), "{answer:?}");
        }
        assert!(hub.is_registered(&id.address()));
        let other = node(arbiters).await;
        assert_eq!(echo(&other, route![&at, id.address()]).await.unwrap(), "hello");
    });
}

#[test]
fn a_proven_registration_replaces_an_earlier_connections_forwarder() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (identity, salt) = (identity(), Salt([7; 16]));
        let mut all = Vec::new();
        for name in ["first", "second"] {
            let raw = Raw { node: node(arbiters).await, hub: route![&at] };
            Echoer::start(&raw.node, name).unwrap();
            raw.node.hub_grants(&at).permit(name.into());
            all.push(raw.claim(name, &identity, salt, &identity).await.unwrap());
            all.push(unnamed(&identity, &salt));
            assert_eq!(hub.worker_count(), of_hub(all.len() / 2));
            let other = node(arbiters).await;
            let full = all[0].forwarding_address(Some(identity.identifier()));
            for address in [Address::from(full), all[0].address()] {
                assert_eq!(echo(&other, route![&at, address]).await.unwrap(), "hello");
            }
            // The node that asked goes; the one that registered stays.
            other.stop().await;
            until("only the nodes' connections are left", || {
                hub.worker_count() == of_hub(all.len() / 2)
            })
            .await;
            std::mem::forget(raw);
        }
        assert!(all.iter().all(|id| *id == all[0]), "{all:?}");
    });
}

/// The bits of an identity's service without a name.
fn unnamed(identity: &LocalIdentity, salt: &Salt) -> ForwarderId {
    ForwarderId::of(&identity.identifier(), salt, &"".parse().unwrap())
}

/// The service, the two addresses of one forwarder, and the connections.
fn of_hub(connections: usize) -> usize {
    3 + connections
}

/// Messages that are sent into a loop: `OCKAM_LOOPS`, or 1,000. A run with that variable also
/// checks that the nodes are quiet afterwards, for which its test must run alone.
fn looping_messages() -> (u64, bool) {
    let asked = std::env::var("OCKAM_LOOPS").ok();
    let count = asked.as_ref().map(|count| count.parse().expect("OCKAM_LOOPS is a number"));
    (count.unwrap_or(1_000), asked.is_some())
}

/// Sends `messages` along `route`, a thousand at a time, and receives as many notices.
async fn send_into_a_loop(
    node: &Node,
    route: Route,
    messages: u64,
    allowed: &[UndeliverableReason],
) {
    const AT_ONCE: u64 = 1_000;
    let (begun, mut sender) = (Instant::now(), Context::new(node).unwrap());
    for sent in (0..messages).step_by(1_000) {
        let count = AT_ONCE.min(messages - sent);
        for _ in 0..count {
            sender.send(route.clone(), String::from("round")).await.unwrap();
        }
        for _ in 0..count {
            match in_time("the end of a loop", sender.receive::<String>()).await {
                Err(Error::Undeliverable(notice)) => {
                    assert!(allowed.contains(&notice.reason), "{notice}");
                }
                other => panic!("expected a notice, got {other:?}"),
            }
        }
    }
    println!("{messages} messages: as many notices, {:.1} s", begun.elapsed().as_secs_f32());
}

/// Asserts that nothing passes any more and nothing is busy: at most 50 ms of processor time in a
/// second.
async fn is_quiet(passed: &AtomicU64) {
    let before = (passed.load(Ordering::Relaxed), processor_time());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spent = processor_time() - before.1;
    println!("{} forwards counted, {spent:?} of processor time in the second after", before.0);
    assert_eq!(passed.load(Ordering::Relaxed), before.0);
    assert!(spent <= Duration::from_millis(50), "{spent:?}");
}

/// The processor time of all threads of this process, in the units of 10 ms that Linux counts in.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    Duration::from_millis(10 * ticks.map(|field| field.parse::<u64>().unwrap()).sum::<u64>())
}

#[test]
fn two_forwarders_that_point_at_each_other_stop() {
    let (messages, alone) = looping_messages();
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let private = node(arbiters).await;
        let passed = Arc::new(AtomicU64::new(0));
        let addresses = ["x", "y"].map(|name| {
            let identity = identify(&private, name);
            let salt = Salt::derive(&identity, &route![&at], &route![name]);
            unnamed(&identity, &salt).address()
        });
        // What arrives for x goes to the forwarder that leads to y, and the other way round.
        for (name, to) in [("x", &addresses[1]), ("y", &addresses[0])] {
            let counting =
                Counting { node: private.clone(), route: route![&at, to], passed: passed.clone() };
            private.worker(name, counting).start().unwrap();
        }
        let x = RemoteForwarder::create(&private, &at, "x").await.unwrap();
        let y = RemoteForwarder::create(&private, &at, "y").await.unwrap();
        assert_eq!([x, y].map(|forwarder| forwarder.remote_address().forwarder), addresses);

        let route = route![&at, &addresses[0]];
        let ends = [UndeliverableReason::HopsSpent, UndeliverableReason::TooLarge];
        send_into_a_loop(&private, route, messages, &ends).await;
        if alone {
            is_quiet(&passed).await;
        }
        // Each turn spends two forwards, one of them here; the return route is full after a few
        // turns.
        let passed = passed.load(Ordering::Relaxed);
        assert!((messages..=16 * messages).contains(&passed), "{passed}");
        assert!(hub.is_registered(&addresses[0]) && hub.is_registered(&addresses[1]));
    });
}

#[test]
fn forwarders_pointing_directly_at_each_other_stop() {
    let (messages, alone) = looping_messages();
    with_arbiters(|arbiters| async move {
        let (hub, _) = hub(arbiters, ForwardingOptions::new()).await;
        let (one, other, salt) = (identity(), identity(), Salt([1; 16]));
        let local = Raw { node: hub.clone(), hub: Route::new() };
        let address = |of: &LocalIdentity| unnamed(of, &salt).address();
        let passed = Arc::new(AtomicU64::new(0));
        let counting = Counting { node: hub.clone(), route: Route::new(), passed: passed.clone() };
        hub.worker("counting", counting).start().unwrap();
        for (own, next) in [(&one, &other), (&other, &one)] {
            let destination = route!["counting", address(next)];
            local.claim(destination, own, salt, own).await.unwrap();
        }
        let ends = [UndeliverableReason::HopsSpent];
        send_into_a_loop(&hub, route![address(&one)], messages, &ends).await;
        if alone {
            is_quiet(&passed).await;
        }
        // Each message has come back after 32 forwards, of which the forwarders did the other half.
        assert_eq!(passed.load(Ordering::Relaxed), 16 * messages);
    });
}

#[test]
fn ten_thousand_routes_from_outside_make_no_connection() {
    const ROUTES: usize = 10_000;
    // As many as a mailbox that is not read has room for the notices of.
    const AT_ONCE: usize = 1_000;
    with_arbiters(|arbiters| async move {
        let canary = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        canary.set_nonblocking(true).unwrap();
        let target = Address::from(format!("tcp#{}", canary.local_addr().unwrap()));
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (private, outside) = (node(arbiters).await, node(arbiters).await);
        private.worker("hop", Hop).start().unwrap();
        let forwarder = RemoteForwarder::create(&private, &at, "hop").await.unwrap();
        // A forwarder whose destination is the target, as a node may ask for.
        let raw = Raw { node: private.clone(), hub: route![&at] };
        let to_target = raw.register(target.as_str()).await.unwrap().address();
        let routes = [
            route![&at, &target, "outlet"],
            route![&at, forwarder.remote_address(), &target],
            route![&at, &to_target],
            route![&at, "forwarding_service", &target],
        ];
        let mut sender = Context::new(&outside).unwrap();
        // The last route takes a malformed request for a forwarder, which is answered, not
        // forwarded.
        for batch in 0..ROUTES / AT_ONCE {
            for number in 0..AT_ONCE {
                let route = routes[(batch + number) % 3].clone();
                in_time("room to send", sender.send(route, String::from("dial"))).await.unwrap();
            }
            for _ in 0..AT_ONCE {
                let hop = undelivered_at(in_time("a notice", sender.receive::<String>()).await);
                assert_eq!(hop, target.as_str());
            }
        }
        sender.send(routes[3].clone(), Payload::from(b"?".to_vec())).await.unwrap();
        in_time("a refusal", sender.receive::<Payload>()).await.unwrap();
        let refused = |node: &ockam_actix_runtime::Node| {
            node.refusals().by(ReachabilityRule::OnlyLocalRoutesDial.name())
        };
        assert_eq!(refused(&hub) + refused(&private), ROUTES as u64);
        let accepted = canary.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(accepted, Err(ErrorKind::WouldBlock));
    });
}

#[test]
fn a_registration_cannot_name_its_own_route() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let outside = node(arbiters).await;
        let before = hub.refusals().by(ReachabilityRule::OnlyLocalRoutesDial.name());
        // Without a return route in the request, the forwarder's route would be the destination
        // alone.
        let request = Request::Register { destination: route!["forwarding_service"], claim: None };
        let service = Route::from(&at).then("forwarding_service");
        let message = Message::new(service, Route::new(), request.encode());
        outside.try_route(message, NextHop::Chosen).unwrap();
        let refusals = hub.refusals();
        until("the hub has refused", || refusals.by(RegistrationRefusal::Route.rule()) == 1).await;
        assert_eq!(hub.refusals().by(ReachabilityRule::OnlyLocalRoutesDial.name()), before);
    });
}

#[test]
fn full_length_routes_do_not_cut_the_connection() {
    with_arbiters(|arbiters| async move {
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (private, outside) = (node(arbiters).await, node(arbiters).await);
        Echoer::start(&private, "echoer").unwrap();
        let forwarder = RemoteForwarder::create(&private, &at, "echoer").await.unwrap();
        let mut sender = Context::new(&outside).unwrap();
        let filler = (2..=MAX_ROUTE_ADDRESSES).map(|number| Address::from(format!("a{number}")));
        let back: Route = std::iter::once(sender.address().clone()).chain(filler).collect();
        let onward = route![&at, forwarder.remote_address()];
        let message = Message::new(onward.clone(), back, Payload::from(vec![1]));
        outside.try_route(message, NextHop::Chosen).unwrap();
        match in_time("the notice", sender.receive::<String>()).await {
            Err(Error::Undeliverable(notice)) => {
                assert_eq!(notice.reason, UndeliverableReason::TooLarge)
            }
            other => panic!("expected a notice, got {other:?}"),
        }
        assert_eq!(echo(&outside, onward).await.unwrap(), "hello");
        assert_eq!(forwarder.watch().borrow().registrations, 1);
    });
}
