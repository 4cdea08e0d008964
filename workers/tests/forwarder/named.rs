//! Services that are reached by name: whoever knows the identity and the name finds the listener,
//! which lets in whom its policy names.

use std::time::Duration;

use ockam_actix_runtime::{route, Address, Host, Node};
use ockam_actix_workers::{
    echoer::Echoer,
    forwarder::{ForwardingOptions, RemoteForwarder, RemoteForwarderOptions, ServiceAddress},
    secure_channel::{
        ChannelListeners, Limits, SecureChannelListener, SecureChannelListenerOptions,
    },
    Entity, ForwardingAddress, SecureChannels, TrustEveryonePolicy, TrustIdentifierPolicy, Vault,
};

use crate::support::{echo, hub, in_time, node, with_arbiters, DEADLINE};

const NAMED: &str = "named";

fn entity(node: &Node) -> Entity {
    let limits = Limits {
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(50),
        keys_due_records: 8,
        renewal_pause: Duration::ZERO,
        ..Limits::default()
    };
    let vault = Vault::create(node).unwrap();
    Entity::create(node, &vault).unwrap().with_limits(limits)
}

/// A node with an echoer behind a listener that trusts `client`, registered as `web`.
async fn private(arbiters: usize, hub: &Address, client: &Entity) -> (Node, SecureChannelListener) {
    let node = node(arbiters).await;
    let options = SecureChannelListenerOptions::at(NAMED).named();
    let policy = TrustIdentifierPolicy::new(client.identifier());
    let listener = entity(&node).create_secure_channel_listener(options, policy).unwrap();
    Echoer::start(&node, "echo").unwrap();
    let options = RemoteForwarderOptions::to(NAMED).service("web").named();
    let forwarder = RemoteForwarder::create(&node, hub, options);
    let forwarder = in_time("a forwarder", forwarder).await.unwrap();
    assert_eq!(forwarder.remote_address(), name_of(&node));
    (node, listener)
}

/// What clients compute.
fn name_of(private: &Node) -> ForwardingAddress {
    let listeners = private.extension(ChannelListeners::default);
    let identity = listeners.identity_of(&NAMED.into()).unwrap().identifier();
    ServiceAddress::new(identity, "web").unwrap().forwarding_address()
}

#[test]
fn trusted_peers_find_a_service_by_name() {
    with_arbiters(|arbiters| async move {
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let client = node(arbiters).await;
        let mut alice = entity(&client);
        let mut mallory = entity(&client);
        let (private, _listener) = private(arbiters, &at, &alice).await;
        let name = name_of(&private);
        let (identity, route) = (name.identifier.unwrap(), route![&at, name]);
        let channel = alice.create_secure_channel(route.clone(), TrustEveryonePolicy).unwrap();
        assert_eq!(channel.established_within(DEADLINE).await.unwrap(), identity);
        let first_hop = client.first_hop(&route![&channel, "echo"]).unwrap();
        // Enough for its keys to be renewed several times.
        for _ in 0..50 {
            assert_eq!(echo(&client, route![&channel, "echo"]).await.unwrap(), "hello");
        }
        assert_eq!(first_hop.state().epoch, 0);
        let stranger = mallory.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let error = stranger.established_within(DEADLINE).await.unwrap_err().to_string();
        assert!(error.contains("does not trust"), "{error}");
    });
}

#[test]
fn a_policy_for_everybody_lets_in_nobody() {
    with_arbiters(|arbiters| async move {
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let client = node(arbiters).await;
        let mut alice = entity(&client);
        let (private, listener) = private(arbiters, &at, &alice).await;
        let options = SecureChannelListenerOptions::at("another").named();
        let refused = entity(&private).create_secure_channel_listener(options, TrustEveryonePolicy);
        assert!(refused.unwrap_err().to_string().contains("trusts everybody"));
        listener.replace_policy(TrustEveryonePolicy);
        let route = route![&at, name_of(&private)];
        let channel = alice.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let error = channel.established_within(DEADLINE).await.unwrap_err().to_string();
        assert!(error.contains("does not trust"), "{error}");
    });
}

#[test]
fn only_named_listeners_are_registered_by_name() {
    with_arbiters(|arbiters| async move {
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let node = node(arbiters).await;
        let mut entity = entity(&node);
        entity.create_secure_channel_listener("secret", TrustEveryonePolicy).unwrap();
        Echoer::start(&node, "echo").unwrap();
        for worker in ["secret", "echo"] {
            let options = RemoteForwarderOptions::to(worker).named();
            let error = RemoteForwarder::create(&node, &at, options).await.unwrap_err();
            assert!(error.to_string().contains("cannot be reached by name"), "{error}");
        }
    });
}
