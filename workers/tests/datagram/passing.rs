//! What passes: every size that the path carries, along every kind of route.

use ockam_actix_runtime::route;
use ockam_actix_transports::ListenOptions;
use ockam_actix_workers::{
    datagram::{
        limits::{MAX_CHANNEL_DATAGRAM, MAX_DATAGRAM},
        UdpOutlet,
    },
    forwarder::{ForwardingOptions, ForwardingService, RemoteForwarder},
    SecureChannels, TrustEveryonePolicy,
};

use crate::support::{
    client, echo, echoes, entity, in_time, inlet, listening, node, run, tcp, until, Pair, SERVICE,
};

const SIZES: [usize; 7] = [0, 1, 255, 256, 1_472, 9_000, MAX_CHANNEL_DATAGRAM];

fn datagram(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7) as u8).collect()
}

#[test]
fn every_size_passes_within_a_node() {
    run(async {
        let node = node(2).await;
        UdpOutlet::start(&node, "outlet", echo().await.to_string()).unwrap();
        let client = client(inlet(&node, route!["outlet"])).await;
        for length in SIZES.into_iter().chain([MAX_DATAGRAM]) {
            echoes(&client, &datagram(length)).await;
        }
    });
}

#[test]
fn every_size_passes_a_plain_connection() {
    run(async {
        let (near, far) = (node(1).await, node(2).await);
        UdpOutlet::start(&far, "outlet", echo().await.to_string()).unwrap();
        let listening = listening(&far, ListenOptions::on("127.0.0.1:0").expose("outlet")).await;
        let client = client(inlet(&near, route![tcp(listening), "outlet"])).await;
        for length in SIZES.into_iter().chain([MAX_DATAGRAM]) {
            echoes(&client, &datagram(length)).await;
        }
    });
}

#[test]
fn what_no_record_carries_harms_no_channel() {
    run(async {
        let pair = Pair::to(echo().await, 2).await;
        let first_hop =
            ockam_actix_runtime::Host::first_hop(&pair.client, &route![&pair.channel, "outlet"]);
        let client = client(pair.inlet()).await;
        for length in SIZES {
            echoes(&client, &datagram(length)).await;
            client.send(&datagram(MAX_CHANNEL_DATAGRAM + 1)).await.unwrap();
        }
        until("all were counted", || pair.lost("datagrams-too-large") == 7).await;
        echoes(&client, b"still there").await;
        assert_eq!(first_hop.unwrap().state().epoch, 0);
    });
}

#[test]
fn datagrams_pass_a_hub_and_its_channel() {
    run(async {
        // The outlet's node has a channel with the hub too, so the inlet's passes in a channel.
        let (hub, private, far) = (node(2).await, node(1).await, node(2).await);
        ForwardingService::start(&hub, ForwardingOptions::new()).unwrap();
        entity(&hub).create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let hub_at = tcp(listening(&hub, ListenOptions::on("127.0.0.1:0")).await);
        let mut own = entity(&private);
        own.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let to_hub = own.create_secure_channel(route![&hub_at, SERVICE], TrustEveryonePolicy);
        let to_hub = to_hub.unwrap();
        in_time("a channel with the hub", to_hub.established()).await.unwrap();
        let registering = RemoteForwarder::create(&private, route![&to_hub], SERVICE);
        let forwarder = in_time("a forwarder", registering).await.unwrap();
        UdpOutlet::start(&private, "outlet", echo().await.to_string()).unwrap();
        let route = route![hub_at, forwarder.remote_address()];
        let channel = entity(&far).create_secure_channel(route, TrustEveryonePolicy).unwrap();
        in_time("a channel", channel.established()).await.unwrap();
        let client = client(inlet(&far, route![&channel, "outlet"])).await;
        for length in SIZES {
            echoes(&client, &datagram(length)).await;
        }
    });
}

#[test]
fn names_of_targets_are_looked_up() {
    run(async {
        let node = node(1).await;
        let target = format!("localhost:{}", echo().await.port());
        UdpOutlet::start(&node, "outlet", target).unwrap();
        let client = client(inlet(&node, route!["outlet"])).await;
        for length in [100, 1_472] {
            echoes(&client, &datagram(length)).await;
        }
    });
}
