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
        // The registration is renewed three times a second.
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

    /// The client establishes a channel through the forwarder.
    async fn is_reached(&self) {
        let route: Route = route![self.address.clone(), self.forwarder.remote_address()];
        let mut entity = self.client.entity.clone();
        let channel = entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let established = in_time("a channel through the hub", channel.established()).await;
        assert_eq!(established.unwrap(), self.private.entity.identifier());
        channel.close();
    }

    /// Waits until the private node has registered `times` times, or more often.
    async fn registered(&self, times: u64) {
        let mut state = self.forwarder.watch();
        let again = state.wait_for(|state| state.registered && state.registrations >= times);
        in_time("another registration", again).await.unwrap();
    }

    async fn stop(self) {
        stop([self.client, self.private, self.hub]).await;
    }
}

#[test]
fn panic_in_forwarding_service_leaves_its_forwarders() {
    run(|arbiters| async move {
        let hub = Hub::start(arbiters).await;
        hub.hub.panic_in("ForwardingActor");
        hub.is_reached().await;
        hub.hub.lives().await;
        let before = hub.forwarder.watch().borrow().registrations;
        // A registration in the moment before the restart fails.
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
fn panic_in_forwarder_makes_its_node_register_again() {
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
fn panic_in_remote_forwarder_keeps_its_address() {
    run(|arbiters| async move {
        let hub = Hub::start(arbiters).await;
        let (before, address) = (hub.hub.workers(), hub.forwarder.remote_address());
        hub.private.panic_in("RegistrationKeeper");
        hub.registered(2).await;
        assert_eq!(hub.forwarder.remote_address(), address);
        hub.is_reached().await;
        hub.private.lives().await;
        hub.hub.is_as_before(&before).await;
        hub.stop().await;
    });
}

#[test]
fn remote_forwarder_stopped_after_a_panic_is_released() {
    run(|arbiters| async move {
        let hub = Hub::start(arbiters).await;
        hub.private.panic_in("RegistrationKeeper");
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

#[test]
fn a_hubs_channel_that_panicked_is_used_again() {
    run(|arbiters| async move {
        let (mut hub, mut private) = (Peer::start(arbiters).await, Peer::start(arbiters).await);
        ForwardingService::start(&hub.node, ForwardingOptions::new()).unwrap();
        hub.entity.create_secure_channel_listener("hub", TrustEveryonePolicy).unwrap();
        let to_hub = route![hub.listen().await, "hub"];
        let channel = private.entity.create_secure_channel(to_hub, TrustEveryonePolicy).unwrap();
        private.entity.create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
        let created = RemoteForwarder::create(&private.ctx, route![&channel], "listener");
        let forwarder = created.await.unwrap();
        // Until it is started again, nothing is at the channel's address.
        private.panic_in("ChannelActor");
        let mut state = forwarder.watch();
        let again = state.wait_for(|state| state.registered && state.registrations == 2);
        in_time("another registration", again).await.unwrap();
        stop([private, hub]).await;
    });
}
