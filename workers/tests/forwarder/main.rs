//! Forwarders over real connections: several nodes of one process, joined by TCP on loopback.

// A failing test ends with what it found.
#![allow(clippy::unwrap_used)]

mod capability;
mod channel;
mod displacement;
mod guessed_addresses;
mod hostile;
mod named;
mod registration;
mod support;
mod thief;

use ockam_actix_runtime::{route, trust::reachability::ReachabilityRule, Class, Host};
use ockam_actix_workers::{
    echoer::Echoer,
    forwarder::{ForwardingOptions, RemoteForwarder},
};
use support::*;

#[test]
fn messages_pass_the_hub_in_both_directions() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (private, other) = (node(arbiters).await, node(arbiters).await);
        Echoer::start(&private, "echoer").unwrap();
        private.worker("rest", Rest).start().unwrap();
        let echoer = RemoteForwarder::create(&private, &at, "echoer").await.unwrap();
        let rest = RemoteForwarder::create(&private, &at, "rest").await.unwrap();
        for _ in 0..100 {
            let answer = echo(&other, route![&at, echoer.remote_address()]).await.unwrap();
            assert_eq!(answer, "hello");
        }
        let answer = echo(&other, route![&at, rest.remote_address(), "a", "b"]).await.unwrap();
        assert_eq!(answer, "a => b");
        assert_eq!(of_class(&hub, Class::Forwarder).len(), 2);
    });
}

#[test]
fn the_destinations_identity_is_in_the_address() {
    with_arbiters(|arbiters| async move {
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (private, other) = (node(arbiters).await, node(arbiters).await);
        Echoer::start(&private, "echoer").unwrap();
        let identity = identify(&private, "echoer");
        let forwarder = RemoteForwarder::create(&private, &at, "echoer").await.unwrap();
        let address = forwarder.remote_address();
        assert_eq!(address.identifier, Some(identity.identifier()));
        // As it is printed, and without the fingerprint.
        for at_hub in [address.clone().into(), address.forwarder] {
            assert_eq!(echo(&other, route![&at, at_hub]).await.unwrap(), "hello");
        }
    });
}

#[test]
fn a_hub_reaches_nothing_but_the_destination() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (private, other) = (node(arbiters).await, node(arbiters).await);
        Echoer::start(&private, "echoer").unwrap();
        private.worker("hop", Hop).start().unwrap();
        let forwarder = RemoteForwarder::create(&private, &at, "hop").await.unwrap();
        let refused = || private.refusals().by(ReachabilityRule::NotADestination.name());
        // Through the forwarder and on with the rest of the route.
        let through = echo(&other, route![&at, forwarder.remote_address(), "echoer"]).await;
        assert_eq!(undelivered_at(through), "echoer");
        assert_eq!(refused(), 1);
        // From the hub, which knows the connection's address.
        for connection in of_class(&hub, Class::Reply) {
            let direct = echo(&hub, route![connection, "echoer"]).await;
            assert_eq!(undelivered_at(direct), "echoer");
        }
        assert!(refused() >= 2, "{}", refused());
    });
}

#[test]
fn a_forwarder_dies_with_its_connection() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (private, other) = (node(arbiters).await, node(arbiters).await);
        Echoer::start(&private, "echoer").unwrap();
        let before = hub.worker_count();
        let forwarder = RemoteForwarder::create(&private, &at, "echoer").await.unwrap();
        let address = forwarder.remote_address();
        private.stop().await;
        until("the hub has forgotten the node", || hub.worker_count() == before).await;
        let lost = echo(&other, route![&at, address.clone()]).await;
        assert_eq!(undelivered_at(lost), address.to_string());
    });
}

#[test]
fn a_stopped_forwarder_is_gone_with_its_grant() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let private = node(arbiters).await;
        Echoer::start(&private, "echoer").unwrap();
        let forwarder = RemoteForwarder::create(&private, &at, "echoer").await.unwrap();
        let again = RemoteForwarder::create(&private, &at, "echoer").await.unwrap_err();
        assert!(again.to_string().contains("already"), "{again}");
        in_time("the keeper", forwarder.stop()).await;
        assert!(!private.hub_grants(&at).contains(&"echoer".into()));
        until("the hub was told", || of_class(&hub, Class::Forwarder).is_empty()).await;
        RemoteForwarder::create(&private, &at, "echoer").await.unwrap();
    });
}
