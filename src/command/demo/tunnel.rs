//! The demonstration's two private nodes, and the taps between them and the hub.

use std::{net::SocketAddr, time::Duration};

use ockam::{
    route, Context, Entity, Identifier, Inlet, InletOptions, NodeBuilder, OutletOptions,
    RemoteForwarder, Result, SecureChannels, TcpTransport, TrustEveryonePolicy, Vault, TCP,
};

use crate::command::{demo::tap::Tap, CHANNEL_LISTENER, OUTLET};

/// How long the channel may take to be established: all of it is on one machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the tunnel is between, and how.
pub(crate) struct TunnelOptions<'a> {
    pub(crate) target: SocketAddr,
    pub(crate) hub: SocketAddr,
    /// Where the inlet listens, as host:port.
    pub(crate) listen: &'a str,
    pub(crate) resume_for: Duration,
}

/// An outlet node and an inlet node, which know nothing of each other but a forwarding address.
pub(crate) struct Tunnel {
    pub(crate) outlet_node: Context,
    pub(crate) outlet_tap: Tap,
    pub(crate) outlet_identity: Identifier,
    pub(crate) forwarding_address: String,
    pub(crate) inlet_node: Context,
    pub(crate) inlet_tap: Tap,
    pub(crate) inlet_identity: Identifier,
    pub(crate) inlet: Inlet,
}

impl Tunnel {
    /// Starts both nodes, and waits for the channel between them.
    pub(crate) async fn start(options: TunnelOptions<'_>) -> Result<Self> {
        let TunnelOptions { target, hub, listen, resume_for } = options;

        // The outlet node: private, it listens nowhere.
        let outlet_tap = Tap::start(hub).await?;
        let outlet_node = NodeBuilder::new().arbiters(1).start_with_context().await?;
        let tcp = TcpTransport::create(&outlet_node).await?;
        let mut outlet_entity = Entity::create(&outlet_node, &Vault::create(&outlet_node)?)?;
        outlet_entity.create_secure_channel_listener(CHANNEL_LISTENER, TrustEveryonePolicy)?;
        let outlet = OutletOptions::to(target.to_string()).resume_for(resume_for);
        tcp.create_outlet(OUTLET, outlet).await?;
        let hub_seen_by_outlet = (TCP, outlet_tap.address().to_string());
        let forwarder =
            RemoteForwarder::create(&outlet_node, hub_seen_by_outlet, CHANNEL_LISTENER).await?;

        // The inlet node: private as well; it knows the forwarding address and nothing else.
        let inlet_tap = Tap::start(hub).await?;
        let inlet_node = NodeBuilder::new().arbiters(1).start_with_context().await?;
        let tcp = TcpTransport::create(&inlet_node).await?;
        let mut inlet_entity = Entity::create(&inlet_node, &Vault::create(&inlet_node)?)?;
        let route = route![(TCP, inlet_tap.address().to_string()), forwarder.remote_address()];
        let channel = inlet_entity.create_secure_channel(route, TrustEveryonePolicy)?;
        let inlet = InletOptions::on(listen).resume_for(resume_for);
        let inlet = tcp.create_inlet(inlet, route![&channel, OUTLET]).await?;
        channel.established_within(PATIENCE).await?;

        Ok(Self {
            outlet_identity: outlet_entity.identifier(),
            forwarding_address: forwarder.remote_address().to_string(),
            outlet_node,
            outlet_tap,
            inlet_identity: inlet_entity.identifier(),
            inlet_node,
            inlet_tap,
            inlet,
        })
    }

    /// Where a client fetches the page.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.inlet.address())
    }

    /// Stops both nodes.
    pub(crate) async fn stop(&self) {
        self.inlet_node.node().stop().await;
        self.outlet_node.node().stop().await;
    }
}
