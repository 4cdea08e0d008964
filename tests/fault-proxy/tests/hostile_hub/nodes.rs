//! The nodes at both ends of the proxy. They serve all runs of a fault; each run has an inlet and a
//! channel of its own.

use std::{net::SocketAddr, time::Duration};

use fault_proxy::{Line, Outcome};
use ockam::{
    route, Address, Entity, ForwardingOptions, ForwardingService, Inlet, RemoteForwarder,
    SecureChannel, SecureChannels, TrustEveryonePolicy, Vault,
};

use crate::{
    carrier::{Carrier, Files},
    node::Node,
    stream::{converse, Target},
};

const SERVICE: &str = "secure_channel_listener_service";

/// What is between inlet and outlet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    Direct,
    ThroughHub,
}

pub(crate) struct Nodes {
    inlet: Node,
    others: Vec<Node>,
    forwarder: Option<RemoteForwarder>,
    carrier: Carrier,
    door: Address,
}

impl Nodes {
    pub(crate) async fn start(
        topology: Topology,
        carrier: Carrier,
        files: &Files,
        target: &Target,
    ) -> Self {
        let (inlet, mut outlet) = (Node::start(1).await, Node::start(1).await);
        carrier.join(inlet.ctx.node(), files).await;
        carrier.join(outlet.ctx.node(), files).await;
        outlet.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        outlet.tcp.create_outlet("outlet", target.address().to_string()).await.unwrap();
        if topology == Topology::Direct {
            let door = carrier.listen(outlet.ctx.node(), files, 0).await.unwrap();
            return Self { inlet, others: vec![outlet], forwarder: None, carrier, door };
        }
        let hub = Node::start(1).await;
        ForwardingService::start(hub.ctx.node(), ForwardingOptions::new()).unwrap();
        let door = carrier.listen(hub.ctx.node(), files, 0).await.unwrap();
        let forwarder = RemoteForwarder::create(&outlet.ctx, door.clone(), SERVICE);
        let forwarder = Some(forwarder.await.unwrap());
        Self { inlet, others: vec![outlet, hub], forwarder, carrier, door }
    }

    /// The line to the node that the proxy leads to.
    pub(crate) fn line(&self) -> Line {
        let (_, at) = self.door.as_str().split_once('#').unwrap();
        match self.carrier {
            Carrier::Unix => Line::Unix(at.into()),
            Carrier::Tcp => Line::Tcp(at.parse().unwrap()),
            Carrier::Ws | Carrier::Wss => Line::Opaque(at.parse().unwrap()),
            Carrier::Quic => Line::Udp(at.parse().unwrap()),
        }
    }

    /// An inlet whose streams pass the proxy in a channel of their own.
    pub(crate) async fn enter(&self, proxy: &str) -> Entrance {
        let (transport, _) = self.door.as_str().split_once('#').unwrap();
        let proxy = Address::from(format!("{transport}#{proxy}"));
        let route = match &self.forwarder {
            None => route![proxy, SERVICE],
            Some(forwarder) => route![proxy, forwarder.remote_address()],
        };
        let vault = Vault::create(&self.inlet.ctx).unwrap();
        let mut entity = Entity::create(&self.inlet.ctx, &vault).unwrap();
        let channel = entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let route = route![channel.clone(), "outlet"];
        // Elsewhere than the proxies: a node dials one that has ended for some time, and its port
        // may belong to another by then.
        let inlet = self.inlet.tcp.create_inlet("127.0.0.2:0", route).await.unwrap();
        Entrance { inlet, channel }
    }

    pub(crate) async fn stop(self) {
        for node in [self.inlet].into_iter().chain(self.others) {
            node.ctx.stop().await.unwrap();
        }
    }
}

/// One run's inlet and channel.
pub(crate) struct Entrance {
    inlet: Inlet,
    channel: SecureChannel,
}

impl Entrance {
    pub(crate) fn address(&self) -> SocketAddr {
        self.inlet.address()
    }

    /// Waits until a stream passes whole: the channel may still have to find out that it is cut.
    pub(crate) async fn works_again(&self, target: &Target, seed: u64) {
        let mut seed = !seed;
        loop {
            let directions = converse(self.address(), target, seed).await;
            let outcomes = directions.map(|direction| direction.unwrap());
            if outcomes == [Outcome::Whole; 2] {
                return;
            }
            seed = seed.wrapping_sub(1 << 32);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn stop(self) {
        self.inlet.stop().unwrap();
        self.channel.close();
    }
}
