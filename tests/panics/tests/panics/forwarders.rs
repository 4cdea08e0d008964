//! The forwarding service, its forwarders, and the remote forwarder.

use std::time::Duration;

use ockam::{
    route, Address, ForwardingOptions, ForwardingService, RemoteForwarder, Route, SecureChannels,
    TrustEveryonePolicy,
};

use crate::nodes::{in_time, run, stop, Peer};

/// A hub, a private node that is registered there, and a third one.
struct Hub {
    hub: Peer,
    private: Peer,
    client: Peer,
    address: Address,
    forwarder: RemoteForwarder,
}

impl Hub {
    async fn start(arbiters: usize) -> Self {
        let (hub, mut private) = (Peer::start(arbiters).await, Peer::start(arbiters).await);
        // Renewed three times a second.
        let options = ForwardingOptions::new().lease(Duration::from_secs(1));
        ForwardingService::start(&hub.node, options).unwrap();
        let address = hub.listen().await;
        private.entity.create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
        let forwarder =
            RemoteForwarder::create(&private.ctx, address.clone(), "listener").await.unwrap();
        let this = Self { hub, private, client: Peer::start(arbiters).await, address, forwarder };
        this.is_reached().await;
        this
    }

    /// Somebody establishes a channel through the forwarder.
    async fn is_reached(&self) {
        let way: Route = route![self.address.clone(), self.forwarder.remote_address()];
        let mut entity = self.client.entity.clone();
        let channel = entity.create_secure_channel(way, TrustEveryonePolicy).unwrap();
        let established = in_time("a channel through the hub", channel.established()).await;
        assert_eq!(established.unwrap(), self.private.entity.identifier());
        channel.close();
    }

    /// Waits until the private node has registered so often.
    async fn registered(&self, times: u64) {
        let mut state = self.forwarder.watch();
        let again = state.wait_for(|state| state.registered && state.registrations == times);
        in_time("another registration", again).await.unwrap();
    }

    async fn stop(self) {
        stop([self.client, self.private, self.hub]).await;
    }
}

#[test]
fn a_panic_in_the_forwarding_service_leaves_its_forwarders_and_others_register_again() {
    run(|arbiters| async move {
        let hub = Hub::start(arbiters).await;
        hub.hub.panic_in("ForwardingService");
        hub.is_reached().await;
        hub.hub.lives().await;
        let before = hub.forwarder.watch().borrow().registrations;
        // It may come in the moment between, and is then told so.
        let mut client = hub.client.entity.clone();
        client.create_secure_channel_listener("another", TrustEveryonePolicy).unwrap();
        let end = std::time::Instant::now() + crate::nodes::DEADLINE;
        while let Err(error) =
            RemoteForwarder::create(&hub.client.ctx, hub.address.clone(), "another").await
        {
            assert!(std::time::Instant::now() < end, "{error}");
        }
        // Longer than the lease: what was renewed since was renewed by the new service.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        hub.is_reached().await;
        assert!(hub.forwarder.watch().borrow().registrations <= before + 1);
        hub.stop().await;
    });
}

#[test]
fn a_panic_in_a_forwarder_frees_its_address_and_its_node_registers_again() {
    run(|arbiters| async move {
        let hub = Hub::start(arbiters).await;
        let (before, address) = (hub.hub.workers(), hub.forwarder.remote_address());
        hub.hub.panic_in("Forwarder");
        hub.registered(2).await;
        assert_eq!(hub.forwarder.remote_address(), address);
        hub.is_reached().await;
        hub.hub.lives().await;
        hub.client.lives().await;
        hub.hub.is_as_before(&before).await;
        hub.stop().await;
    });
}

#[test]
fn a_panic_in_a_remote_forwarder_is_followed_by_another_registration_at_the_same_address() {
    run(|arbiters| async move {
        let hub = Hub::start(arbiters).await;
        let (before, address) = (hub.hub.workers(), hub.forwarder.remote_address());
        hub.private.panic_in("Keeper");
        hub.registered(2).await;
        assert_eq!(hub.forwarder.remote_address(), address);
        hub.is_reached().await;
        hub.private.lives().await;
        hub.hub.is_as_before(&before).await;
        hub.stop().await;
    });
}

#[test]
fn a_remote_forwarder_that_was_stopped_after_a_panic_gives_its_forwarder_up() {
    run(|arbiters| async move {
        let hub = Hub::start(arbiters).await;
        hub.private.panic_in("Keeper");
        hub.forwarder.stop().await;
        let mut state = hub.forwarder.watch();
        in_time("the release", state.wait_for(|state| !state.registered)).await.unwrap();
        let gone = || {
            let workers = hub.hub.node.workers();
            workers.iter().all(|(_, class)| *class != ockam_actix_runtime::Class::Forwarder)
        };
        crate::nodes::until("the forwarder is gone", gone).await;
        hub.stop().await;
    });
}
