//! Guessed and learned addresses at a hub: they lead to no worker of the private nodes that it
//! forwards to.

use std::sync::{
    atomic::{AtomicU64, Ordering},
    Arc,
};

use ockam_actix_runtime::{
    route, trust::reachability::ReachabilityRule, Address, Class, Context, Error, Node, Route,
};
use ockam_actix_workers::{
    echoer::Echoer,
    forwarder::{ForwardingOptions, RemoteForwarder},
    Entity, SecureChannels, TrustEveryonePolicy, Vault,
};

use crate::support::*;

/// Sends a text along each route, a thousand at a time; all must come back as undeliverable.
async fn all_come_back(node: &Node, routes: impl IntoIterator<Item = Route>) {
    let mut sender = Context::new(node).unwrap();
    let routes: Vec<Route> = routes.into_iter().collect();
    for routes in routes.chunks(1_000) {
        for route in routes {
            sender.send(route.clone(), String::from("anybody?")).await.unwrap();
        }
        for _ in routes {
            match in_time("a notice", sender.receive::<String>()).await {
                Err(Error::Undeliverable(_)) => {}
                other => panic!("expected a notice, got {other:?}"),
            }
        }
    }
}

/// A private node with the worker "outlet", which counts what reaches it, and a forwarder to
/// "echoer".
async fn private(arbiters: usize, at: &Address) -> (Node, Arc<AtomicU64>, RemoteForwarder) {
    let (private, reached) = (node(arbiters).await, Arc::new(AtomicU64::new(0)));
    let counting =
        Counting { node: private.clone(), route: route!["nobody"], passed: reached.clone() };
    private.worker("outlet", counting).start().unwrap();
    Echoer::start(&private, "echoer").unwrap();
    let forwarder = RemoteForwarder::create(&private, at, "echoer").await.unwrap();
    (private, reached, forwarder)
}

#[test]
fn socket_addresses_of_private_nodes_lead_nowhere() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (private, reached, _forwarder) = private(arbiters, &at).await;
        let stranger = node(arbiters).await;
        let before = hub.worker_count();
        // One of these ports is that of the private node's connection.
        let sockets = (1..=65_535).map(|port| format!("127.0.0.1:{port}"));
        let numbers = (0..1_000).map(|number| number.to_string());
        let guesses = sockets.chain(numbers).map(|guess| route![&at, guess, "outlet"]);
        all_come_back(&stranger, guesses).await;
        assert_eq!(reached.load(Ordering::Relaxed), 0);
        // None reached the private node, and the hub has gained nothing but the stranger's
        // connection.
        assert_eq!(private.refusals().by(ReachabilityRule::NotADestination.name()), 0);
        assert_eq!(hub.worker_count(), before + 1);
    });
}

#[test]
fn an_answers_addresses_lead_to_no_other_worker() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (private, reached, forwarder) = private(arbiters, &at).await;
        let stranger = node(arbiters).await;
        let mut sender = Context::new(&stranger).unwrap();
        let onward = route![&at, forwarder.remote_address()];
        sender.send(onward.clone(), String::from("hello")).await.unwrap();
        let answer = in_time("the answer", sender.receive::<String>()).await.unwrap();
        let learned: Vec<Address> = answer.return_route().iter().cloned().collect();
        // The stranger's own connection, that of the private node at the hub, and the echoer's
        // second name.
        assert!(learned.len() >= 3, "{learned:?}");
        assert!(learned.iter().all(Address::is_random), "a name that can be guessed: {learned:?}");
        assert!(of_class(&hub, Class::Reply).contains(&learned[1]), "{learned:?}");

        // They reach the echoer, as the forwarder does.
        let again = echo(&stranger, answer.return_route().clone()).await;
        assert_eq!(again.unwrap(), "hello");
        // By itself, after the private node's connection, and after the forwarder, each leads to
        // the echoer or nowhere.
        for address in &learned {
            for before in [route![&at], route![&at, &learned[1]], onward.clone()] {
                let _ = echo(&stranger, before.then(address).then("outlet")).await;
            }
        }
        let direct = echo(&stranger, route![&at, &learned[1], "outlet"]).await;
        assert_eq!(undelivered_at(direct), "outlet");
        assert_eq!(reached.load(Ordering::Relaxed), 0);
        assert_eq!(private.refusals().by(ReachabilityRule::NotADestination.name()), 2);
    });
}

#[test]
fn an_alias_for_a_channel_admits_no_hub() {
    with_arbiters(|arbiters| async move {
        let entity = |node: &Node| Entity::create(node, &Vault::in_memory()).unwrap();
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let private = node(arbiters).await;
        entity(&private).create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
        Echoer::start(&private, "echoer").unwrap();
        let forwarder = RemoteForwarder::create(&private, &at, "listener").await.unwrap();
        let connection = of_class(&hub, Class::Reply).remove(0);

        let trusted = node(arbiters).await;
        let onward = route![&at, Address::from(forwarder.remote_address())];
        let channel = entity(&trusted).create_secure_channel(onward, TrustEveryonePolicy).unwrap();
        let mut sender = Context::new(&trusted).unwrap();
        sender.send(route![&channel, "echoer"], String::from("hello")).await.unwrap();
        let answer = in_time("the answer", sender.receive::<String>()).await.unwrap();
        let alias = answer.return_route().iter().last().unwrap().clone();
        assert_eq!(echo(&trusted, answer.return_route().clone()).await.unwrap(), "hello");

        let refused = || private.refusals().by(ReachabilityRule::OtherIngress.name());
        for (number, peer) in [(1, &node(arbiters).await), (2, &trusted)] {
            let through_the_hub = route![&at, &connection, &alias];
            assert_eq!(undelivered_at(echo(peer, through_the_hub).await), alias.as_str());
            assert_eq!(refused(), number);
        }
        channel.close();
        until("the alias has ended", || !private.is_registered(&alias)).await;
    });
}
