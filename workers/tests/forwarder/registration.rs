//! Registration: errors that name what is wrong, restarts, leases and caps.

use std::sync::Arc;

use ockam_actix_runtime::{route, Address, Class, Error, Host, Node, Route};
use ockam_actix_workers::{
    echoer::Echoer,
    forwarder::{
        protocol::{claim::Salt, refusal::RegistrationRefusal, Request},
        ForwardingOptions, RegistrationState, RemoteForwarder,
    },
    identity::vault::Vault,
    secure_channel::ChannelListeners,
};

use crate::support::*;

async fn refused(node: &Node, hub: impl Into<Route>, destination: &str) -> Error {
    let created = RemoteForwarder::create(node, hub, destination);
    in_time("the registration's end", created).await.unwrap_err()
}

#[test]
fn errors_name_the_hub_and_what_is_wrong() {
    with_arbiters(|arbiters| async move {
        let private = node(arbiters).await;
        // A port where nothing listens any more.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let at = Address::from(format!("tcp#{port}"));
        let error = refused(&private, &at, "echoer").await.to_string();
        assert!(error.contains("\"echoer\"") && error.contains("start it first"), "{error}");
        Echoer::start(&private, "echoer").unwrap();
        let error = refused(&private, &at, "echoer").await.to_string();
        assert!(error.contains(at.as_str()) && error.contains("refused"), "{error}");
        assert!(!private.hub_grants(&at).contains(&"echoer".into()));
        let error = refused(&private, "nowhere", "echoer").await.to_string();
        assert!(error.contains("nowhere"), "{error}");
        assert!(matches!(refused(&private, Route::new(), "echoer").await, Error::EmptyRoute));
    });
}

#[test]
fn a_refusing_hub_looks_like_one_without_service() {
    with_arbiters(|arbiters| async move {
        let private = node(arbiters).await;
        Echoer::start(&private, "echoer").unwrap();
        let (_closed, closed) = hub(arbiters, ForwardingOptions::new().permit(|_| false)).await;
        let (stopped, none) = hub(arbiters, ForwardingOptions::new()).await;
        stopped.stop_worker("forwarding_service").unwrap();
        for at in [closed, none] {
            let error = refused(&private, &at, "echoer").await.to_string();
            let expected = format!("the hub {at} has no forwarding service");
            assert!(error.starts_with(&expected), "{error}");
        }
    });
}

#[test]
fn a_stopping_node_gives_its_forwarder_up_first() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let private = node(arbiters).await;
        Echoer::start(&private, "echoer").unwrap();
        let forwarder = RemoteForwarder::create(&private, &at, "echoer").await.unwrap();
        assert_eq!(of_class(&hub, Class::Forwarder).len(), 1);
        // A stream that has still to end keeps the node.
        let stream = private.busy();
        let stopping = async {
            until("the hub forwards no more", || of_class(&hub, Class::Forwarder).is_empty()).await;
            assert!(!forwarder.watch().borrow().registered);
            drop(stream);
        };
        in_time("the node's end", async { futures::join!(private.stop(), stopping) }).await;
    });
}

/// Waits until the forwarder was registered for the second time.
async fn registered_again(forwarder: &RemoteForwarder) -> RegistrationState {
    let mut states = forwarder.watch();
    let again = states.wait_for(|state| state.registrations == 2 && state.registered);
    #[allow(clippy::let_and_return)] // The borrow must end before `states` does.
    let state = in_time("the second registration", again).await.unwrap().clone();
    state
}

#[test]
fn a_restarted_hub_gives_identities_their_addresses_again() {
    with_arbiters(|arbiters| async move {
        let (first, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (private, other) = (node(arbiters).await, node(arbiters).await);
        let vault = Vault::in_memory();
        let identifier = vault.create_identity("outlet").unwrap();
        let listeners = private.extension(ChannelListeners::default);
        Echoer::start(&private, "known").unwrap();
        Echoer::start(&private, "unknown").unwrap();
        listeners.add("known".into(), vault.local_identity(&identifier).unwrap());
        let known = RemoteForwarder::create(&private, &at, "known").await.unwrap();
        let unknown = RemoteForwarder::create(&private, &at, "unknown").await.unwrap();
        let (known_before, unknown_before) = (known.remote_address(), unknown.remote_address());

        vault.rotate(&identifier).unwrap();
        listeners.add("known".into(), vault.local_identity(&identifier).unwrap());
        first.stop().await;
        let _second = hub_again(arbiters, &at).await;
        assert_eq!(registered_again(&known).await.address, known_before);
        assert_eq!(echo(&other, route![&at, known_before]).await.unwrap(), "hello");

        let unknown_after = registered_again(&unknown).await.address;
        assert_ne!(unknown_after, unknown_before);
        assert_eq!(unknown.remote_address(), unknown_after);
        assert_eq!(echo(&other, route![&at, unknown_after]).await.unwrap(), "hello");
    });
}

#[test]
fn a_restarted_program_keeps_its_identitys_address() {
    with_arbiters(|arbiters| async move {
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let identity = identity();
        let mut addresses = Vec::new();
        for _ in 0..2 {
            let private = node(arbiters).await;
            Echoer::start(&private, "echoer").unwrap();
            private.extension(ChannelListeners::default).add("echoer".into(), identity.clone());
            let forwarder = RemoteForwarder::create(&private, &at, "echoer").await.unwrap();
            addresses.push(forwarder.remote_address());
            private.stop().await;
        }
        assert_eq!(addresses[0], addresses[1]);
    });
}

#[test]
fn cap_refusals_are_clear_and_counted() {
    with_arbiters(|arbiters| async move {
        let options = ForwardingOptions::new().max_forwarders(3).max_per_connection(2);
        let (hub, at) = hub(arbiters, options).await;
        let (one, two) = (node(arbiters).await, node(arbiters).await);
        for node in [&one, &two] {
            for name in ["a", "b", "c"] {
                Echoer::start(node, name).unwrap();
            }
        }
        let _a = RemoteForwarder::create(&one, &at, "a").await.unwrap();
        let b = RemoteForwarder::create(&one, &at, "b").await.unwrap();
        let error = refused(&one, &at, "c").await.to_string();
        let expected = format!("the hub {at} refused to forward to \"c\": this connection has");
        assert!(error.starts_with(&expected), "{error}");
        let _c = RemoteForwarder::create(&two, &at, "a").await.unwrap();
        let error = refused(&two, &at, "b").await.to_string();
        assert!(error.contains("the hub has as many forwarders as it may have"), "{error}");
        let refusals = hub.refusals();
        assert_eq!(refusals.by(RegistrationRefusal::ConnectionFull.rule()), 1);
        assert_eq!(refusals.by(RegistrationRefusal::HubFull.rule()), 1);
        // A forwarder that is given up frees its slot.
        b.stop().await;
        until("the hub was told", || of_class(&hub, Class::Forwarder).len() == 2).await;
        RemoteForwarder::create(&two, &at, "b").await.unwrap();
    });
}

#[test]
fn a_flooding_connection_is_refused_and_others_served() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let flood = Raw { node: node(arbiters).await, hub: route![&at] };
        let honest = node(arbiters).await;
        Echoer::start(&honest, "echoer").unwrap();
        let mut refused = 0;
        for _ in 0..400 {
            let id = ockam_actix_workers::forwarder::protocol::claim::ForwarderId([0; 16]);
            let answer = flood.ask(Request::Renew(id)).await;
            refused += u64::from(format!("{answer:?}").contains("TooOften"));
        }
        assert!(refused > 100, "{refused} of 400");
        assert_eq!(hub.refusals().by(RegistrationRefusal::TooOften.rule()), refused);
        RemoteForwarder::create(&honest, &at, "echoer").await.unwrap();
    });
}

#[test]
fn one_source_gets_its_forwarders_and_no_more() {
    with_arbiters(|arbiters| async move {
        let options = ForwardingOptions::new().max_per_source(3);
        let (hub, at) = hub(arbiters, options).await;
        let mut strangers = Vec::new();
        for _ in 0..3 {
            let stranger = Raw { node: node(arbiters).await, hub: route![&at] };
            stranger.register("nobody").await.unwrap();
            strangers.push(stranger);
        }
        let late = Raw { node: node(arbiters).await, hub: route![&at] };
        let refused = late.register("nobody").await;
        assert_eq!(refused, Err(RegistrationRefusal::SourceFull));
        assert_eq!(hub.refusals().by(RegistrationRefusal::SourceFull.rule()), 1);
        assert_eq!(hub.refusals().by("registration-source-full"), 1);
        // What the hub itself registers has no source address.
        let own = Raw { node: hub.clone(), hub: Route::new() };
        Echoer::start(&hub, "echoer").unwrap();
        own.register("echoer").await.unwrap();
        // The end of a connection gives its slot back.
        strangers.pop().unwrap().node.stop().await;
        until("its forwarder is gone", || of_class(&hub, Class::Forwarder).len() == 3).await;
        late.register("nobody").await.unwrap();
    });
}

#[test]
fn each_hub_of_a_list_has_one_address() {
    with_arbiters(|arbiters| async move {
        let (first, at_first) = hub(arbiters, ForwardingOptions::new()).await;
        let (second, at_second) = hub(arbiters, ForwardingOptions::new()).await;
        let peers = [&at_first, &at_second].map(|at| at.dial_parts().unwrap().1);
        let list = Address::from(format!("tcp#{},{}", peers[0], peers[1]));
        let (private, other) = (node(arbiters).await, node(arbiters).await);
        identify(&private, "echoer");
        Echoer::start(&private, "echoer").unwrap();
        let forwarder = RemoteForwarder::create(&private, &list, "echoer").await.unwrap();
        let address = forwarder.remote_address();
        let mut states = forwarder.watch();
        let both = states.wait_for(|state| state.registrations == 2);
        in_time("both registrations", both).await.unwrap();
        for at in [&at_first, &at_second, &list] {
            assert_eq!(echo(&other, route![at, address.clone()]).await.unwrap(), "hello");
        }
        let mut first_hop = other.first_hop(&route![&list]).unwrap();
        let epoch = first_hop.state().epoch;
        first.stop().await;
        in_time("the loss of the first hub", first_hop.lost(epoch)).await;
        in_time("the connection with the second", first_hop.up()).await;
        assert_eq!(echo(&other, route![&list, address.clone()]).await.unwrap(), "hello");
        assert!(forwarder.watch().borrow().registered, "at the second");
        forwarder.stop().await;
        let released = states.wait_for(|state| !state.registered);
        in_time("the release", released).await.unwrap();
        until("the second hub forwards no more", || of_class(&second, Class::Forwarder).is_empty())
            .await;
    });
}

#[test]
fn one_hub_of_several_is_enough() {
    with_arbiters(|arbiters| async move {
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (later, at_later) = hub(arbiters, ForwardingOptions::new()).await;
        later.stop().await;
        let peers = [&at_later, &at].map(|at| at.dial_parts().unwrap().1);
        let list = Address::from(format!("tcp#{},{}", peers[0], peers[1]));
        let private = node(arbiters).await;
        Echoer::start(&private, "echoer").unwrap();
        identify(&private, "echoer");
        let forwarder = RemoteForwarder::create(&private, &list, "echoer").await.unwrap();
        let mut states = forwarder.watch();
        assert_eq!(states.borrow().registrations, 1);
        let _later = hub_again(arbiters, &at_later).await;
        in_time("the other one", states.wait_for(|state| state.registrations == 2)).await.unwrap();
    });
}

#[test]
fn hubs_reach_nothing_once_it_is_stopped() {
    with_arbiters(|arbiters| async move {
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        // It takes connections, and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at_silent = Address::from(format!("tcp#{}", silent.local_addr().unwrap()));
        let peers = [&at_silent, &at].map(|at| at.dial_parts().unwrap().1);
        let list = Address::from(format!("tcp#{},{}", peers[0], peers[1]));
        let private = node(arbiters).await;
        Echoer::start(&private, "echoer").unwrap();
        let reached = |at| private.hub_grants(at).contains(&"echoer".into());
        for _ in 0..20 {
            let forwarder = RemoteForwarder::create(&private, &list, "echoer").await.unwrap();
            until("both may reach it", || reached(&at) && reached(&at_silent)).await;
            in_time("the end", forwarder.stop()).await;
            assert_eq!([reached(&at), reached(&at_silent)], [false, false]);
        }
    });
}

#[test]
fn hubs_behind_one_connection_are_permitted_each() {
    with_arbiters(|arbiters| async move {
        let (first, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (_second, at_second) = hub(arbiters, ForwardingOptions::new()).await;
        let (own, route) = (first.clone(), route![&at_second]);
        let further = Counting { node: own, route, passed: Arc::default() };
        first.worker("further", further).start().unwrap();
        let (private, other) = (node(arbiters).await, node(arbiters).await);
        Echoer::start(&private, "echoer").unwrap();
        let near = RemoteForwarder::create(&private, &at, "echoer").await.unwrap();
        let behind = route![&at, "further"];
        let far = RemoteForwarder::create(&private, behind, "echoer").await.unwrap();
        let through_second = route![&at_second, far.remote_address()];
        assert_eq!(echo(&other, through_second.clone()).await.unwrap(), "hello");
        near.stop().await;
        assert_eq!(echo(&other, through_second).await.unwrap(), "hello");
        far.stop().await;
        assert!(!private.hub_grants(&at).contains(&"echoer".into()));
    });
}

#[test]
fn a_taken_address_is_the_hubs_fault() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (owner, salt) = (identity(), Salt([7; 16]));
        let raw = Raw { node: node(arbiters).await, hub: route![&at] };
        Echoer::start(&hub, first_claim(&owner, salt).id().address()).unwrap();
        let refused = raw.claim("nobody", &owner, salt, &owner).await;
        assert_eq!(refused, Err(RegistrationRefusal::Internal));
        assert_eq!(hub.refusals().by("registration-internal"), 1);
    });
}
