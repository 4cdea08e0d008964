//! Registration through a secure channel with the hub: who may register, and what the hub may then
//! do.

use ockam_actix_runtime::{route, Address, Class, Context, Host, Node, ReachabilityRule, Route};
use ockam_actix_workers::{
    echoer::Echoer,
    forwarder::{ForwardingOptions, RemoteForwarder, FORWARDING_SERVICE},
    Entity, SecureChannel, SecureChannels, TrustEveryonePolicy, TrustIdentifierPolicy, Vault,
};

use crate::support::*;

const HUB_LISTENER: &str = "hub_channels";
const SERVICE: &str = "secure_channel_listener_service";

fn entity(node: &Node) -> Entity {
    Entity::create(node, &Vault::in_memory()).unwrap()
}

/// A hub that registers `trusted` alone, and the identity that it shows.
async fn channel_hub(arbiters: usize, trusted: &Entity) -> (Node, Address, Entity) {
    let trusted = trusted.identifier();
    let permitted = move |origin: &ockam_actix_runtime::Origin| origin.peer() == Some(trusted);
    let (hub, address) = hub(arbiters, ForwardingOptions::new().permit(permitted)).await;
    let mut identity = entity(&hub);
    identity.create_secure_channel_listener(HUB_LISTENER, TrustEveryonePolicy).unwrap();
    (hub, address, identity)
}

fn channel_to(hub: &Address, identity: &Entity, entity: &mut Entity) -> SecureChannel {
    let policy = TrustIdentifierPolicy::new(identity.identifier());
    entity.create_secure_channel(route![hub.clone(), HUB_LISTENER], policy).unwrap()
}

#[test]
fn a_node_registered_through_a_channel_is_reached() {
    with_arbiters(|arbiters| async move {
        let private = node(arbiters).await;
        let mut me = entity(&private);
        let (_hub, address, identity) = channel_hub(arbiters, &me).await;
        me.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        Echoer::start(&private, "echo").unwrap();
        let channel = channel_to(&address, &identity, &mut me);
        let forwarder =
            in_time("a forwarder", RemoteForwarder::create(&private, route![&channel], SERVICE))
                .await
                .unwrap();
        let client = node(arbiters).await;
        let remote = Address::from(forwarder.remote_address());
        let through = entity(&client)
            .create_secure_channel(route![address, remote], TrustEveryonePolicy)
            .unwrap();
        assert_eq!(in_time("a channel", through.established()).await.unwrap(), me.identifier());
        assert_eq!(echo(&client, route![through, "echo"]).await.unwrap(), "hello");
    });
}

#[test]
fn untrusted_nodes_find_no_forwarding_service() {
    with_arbiters(|arbiters| async move {
        let private = node(arbiters).await;
        let (hub, address, identity) = channel_hub(arbiters, &entity(&private)).await;
        let stranger = node(arbiters).await;
        let mut other = entity(&stranger);
        other.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let channel = channel_to(&address, &identity, &mut other);
        for route in [Route::from(address), route![channel]] {
            let refused = RemoteForwarder::create(&stranger, route, SERVICE).await.unwrap_err();
            assert!(refused.to_string().contains(FORWARDING_SERVICE), "{refused}");
        }
        assert_eq!(hub.refusals().by(ReachabilityRule::WorkerRefused.name()), 2);
        assert!(of_class(&hub, Class::Forwarder).is_empty());
    });
}

#[test]
fn a_channels_hub_reaches_nothing_but_the_destination() {
    with_arbiters(|arbiters| async move {
        let private = node(arbiters).await;
        let mut me = entity(&private);
        let (hub, address, identity) = channel_hub(arbiters, &me).await;
        me.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        private.first_hop(&route![&address]).unwrap().attempted().await.unwrap();
        until("the hub has the connection", || !of_class(&hub, Class::Reply).is_empty()).await;
        let connection = of_class(&hub, Class::Reply).remove(0);
        let channel = channel_to(&address, &identity, &mut me);
        let route = route![&channel];
        in_time("a forwarder", RemoteForwarder::create(&private, route, SERVICE)).await.unwrap();
        Echoer::start(&private, "outlet").unwrap();
        let refused = || private.refusals().by(ReachabilityRule::NotADestination.name());
        // The connection, and the hub's end of the channel, which its forwarder sends through.
        let mut spy = Context::named(&hub, "spy").unwrap();
        let to_spy = route![&channel, "spy"];
        private.send_from(&"me".into(), to_spy, String::from("?")).await.unwrap();
        let heard = in_time("a message", spy.receive::<String>()).await.unwrap();
        let end = heard.return_route().first().unwrap().clone();
        for route in [route![end, "outlet"], route![connection, "outlet"]] {
            assert_eq!(undelivered_at(echo(&hub, route).await), "outlet");
        }
        assert_eq!(refused(), 2);
    });
}

#[test]
fn restarts_with_one_identity_keep_the_address() {
    with_arbiters(|arbiters| async move {
        let vault = Vault::in_memory();
        let first = node(arbiters).await;
        let me = Entity::create_named(&first, &vault, "web").unwrap();
        let (_hub, address, identity) = channel_hub(arbiters, &me).await;
        first.stop().await;
        let mut addresses = Vec::new();
        for _ in 0..2 {
            let private = node(arbiters).await;
            let mut me = Entity::open(&private, &vault, "web").unwrap();
            me.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
            let channel = channel_to(&address, &identity, &mut me);
            let route = route![channel];
            let made = RemoteForwarder::create(&private, route, SERVICE);
            addresses.push(in_time("a forwarder", made).await.unwrap().remote_address());
            private.stop().await;
        }
        assert_eq!(addresses[0], addresses[1]);
    });
}

#[test]
fn forwarders_return_with_the_hub_of_their_channel() {
    with_arbiters(|arbiters| async move {
        let private = node(arbiters).await;
        let mut me = entity(&private);
        let (hub, address, identity) = channel_hub(arbiters, &me).await;
        me.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let channel = channel_to(&address, &identity, &mut me);
        let route = route![channel];
        let forwarder = in_time("a forwarder", RemoteForwarder::create(&private, route, SERVICE))
            .await
            .unwrap();
        let before = forwarder.remote_address();
        let local = identity.local_identity();
        hub.stop().await;
        let again = hub_again(arbiters, &address).await;
        let mut identity = Entity::new(&again, local);
        identity.create_secure_channel_listener(HUB_LISTENER, TrustEveryonePolicy).unwrap();
        let watched = forwarder.watch();
        until("it is registered again", || watched.borrow().registrations > 1).await;
        assert_eq!(forwarder.remote_address(), before);
        assert_eq!(of_class(&again, Class::Forwarder).len(), 2);
    });
}
