//! A forwarding address as a capability: who was not given its secret opens no channel through it.

use std::{path::Path, time::Duration};

use ockam_actix_runtime::{route, Address, Host, Node};
use ockam_actix_workers::{
    echoer::Echoer,
    forwarder::{ForwardingOptions, RemoteForwarder},
    identity::vault::file::Secret,
    secure_channel::{ChannelListeners, Limits},
    Entity, ForwardingAddress, SecureChannel, SecureChannels, TrustEveryonePolicy, Vault,
};

use crate::support::{echo, hub, in_time, node, until, with_arbiters, DEADLINE};

const SERVICE: &str = "secure_channel_listener_service";

/// Limits with short times.
fn quick() -> Limits {
    Limits {
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(50),
        ..Limits::default()
    }
}

fn entity(node: &Node, limits: Limits) -> Entity {
    let vault = Vault::create(node).unwrap();
    Entity::create(node, &vault).unwrap().with_limits(limits)
}

/// A node with a listener and an echoer that trusts everybody, and its forwarder at the hub.
struct Private {
    node: Node,
    entity: Entity,
    forwarder: RemoteForwarder,
}

impl Private {
    async fn start(arbiters: usize, hub: &Address, limits: Limits) -> Self {
        let node = node(arbiters).await;
        let mut entity = entity(&node, limits);
        entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        Echoer::start(&node, "echo").unwrap();
        let registering = RemoteForwarder::create(&node, hub, SERVICE);
        let forwarder = in_time("a forwarder", registering).await.unwrap();
        Self { node, entity, forwarder }
    }

    /// What a person copies.
    fn copied(&self) -> String {
        self.forwarder.remote_address().to_string()
    }

    fn refused(&self) -> u64 {
        self.node.refusals().by("handshake-without-secret")
    }
}

fn open(entity: &mut Entity, hub: &Address, address: &str) -> SecureChannel {
    entity.create_secure_channel(route![hub, address], TrustEveryonePolicy).unwrap()
}

#[test]
fn a_copied_address_opens_channels_and_renews_them() {
    with_arbiters(|arbiters| async move {
        let mut limits = quick();
        (limits.keys_due_records, limits.renewal_pause) = (8, Duration::ZERO);
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let private = Private::start(arbiters, &at, limits.clone()).await;
        let client = node(arbiters).await;
        let channel = open(&mut entity(&client, limits), &at, &private.copied());
        let peer = channel.established_within(DEADLINE).await.unwrap();
        assert_eq!(peer, private.entity.identifier());
        let first_hop = client.first_hop(&route![&channel, "echo"]).unwrap();
        for _ in 0..50 {
            assert_eq!(echo(&client, route![&channel, "echo"]).await.unwrap(), "hello");
        }
        assert_eq!((first_hop.state().epoch, private.refused()), (0, 0));
    });
}

#[test]
fn what_a_hub_sees_opens_no_channel() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let private = Private::start(arbiters, &at, quick()).await;
        let whole: ForwardingAddress = private.copied().parse().unwrap();
        let seen = ForwardingAddress { secret: None, ..whole.clone() };
        // That of another listener's address, which somebody was given.
        let other = Private::start(arbiters, &at, quick()).await.forwarder.remote_address();
        let wrong = ForwardingAddress { secret: other.secret, ..whole };
        let mut stranger = entity(&hub, quick());
        for address in [seen.forwarder.to_string(), seen.to_string(), wrong.to_string()] {
            let before = private.refused();
            let channel = open(&mut stranger, &at, &address);
            until("the listener has refused it", || private.refused() > before).await;
            assert_eq!(channel.peer(), None);
            channel.close();
        }
        let listeners = private.node.extension(ChannelListeners::default);
        assert_eq!(listeners.load_of(&SERVICE.into()), Some((0, 0)), "nothing was begun for them");
    });
}

#[test]
fn renewed_secrets_end_what_old_addresses_opened() {
    with_arbiters(|arbiters| async move {
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let mut limits = quick();
        (limits.keys_due_records, limits.renewal_pause) = (8, Duration::ZERO);
        let mut private = Private::start(arbiters, &at, limits.clone()).await;
        let (client, old) = (node(arbiters).await, private.copied());
        let mut own = entity(&client, limits);
        let channel = open(&mut own, &at, &old);
        channel.established_within(DEADLINE).await.unwrap();
        let mut first_hop = client.first_hop(&route![&channel, "echo"]).unwrap();
        private.entity.renew_address_secrets().unwrap();
        while first_hop.state().epoch == 0 {
            let echoed =
                client.ask(route![&channel, "echo"], String::from("on")).reply_as::<String>();
            tokio::select! {
                _ = echoed => {}
                () = first_hop.lost(0) => {}
            }
        }
        until("the old address is refused", || private.refused() > 0).await;
        let new = private.copied();
        assert_ne!(new, old);
        let channel = open(&mut own, &at, &new);
        channel.established_within(DEADLINE).await.unwrap();
    });
}

#[test]
fn a_restarted_program_has_the_same_address() {
    with_arbiters(|arbiters| async move {
        let directory = tempfile::tempdir().unwrap();
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (first, second) = (
            registered(arbiters, &at, directory.path()).await,
            registered(arbiters, &at, directory.path()).await,
        );
        assert!(first.contains(".S"), "{} characters", first.len());
        assert_eq!(first, second);
    });
}

/// The address of a program with a vault in `directory`, which then ends.
async fn registered(arbiters: usize, hub: &Address, directory: &Path) -> String {
    let node = node(arbiters).await;
    let vault =
        Vault::open(directory.join("vault"), &Secret::key_file(directory.join("key"))).unwrap();
    let mut entity = Entity::open_or_create(&node, &vault, "outlet").unwrap();
    entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
    let forwarder = RemoteForwarder::create(&node, hub, SERVICE).await.unwrap();
    let address = forwarder.remote_address().to_string();
    node.stop().await;
    address
}
