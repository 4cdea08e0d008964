//! The nodes of the guide's steps 03 and 04, each with an identity that outlives restarts.

use std::{cell::RefCell, rc::Rc};

use ockam::{
    author::Host as _,
    route,
    testing::{Network, TestNode},
    Address, Entity, ForwardingAddress, ForwardingOptions, ForwardingService, Node,
    RemoteForwarder, RemoteForwarderOptions, Result, Route, SecureChannels, TcpTransport,
    TrustEveryonePolicy, Vault, TCP,
};

/// The name of the channel listener in the guide.
const LISTENER: &str = "secure_channel_listener_service";

/// Where the inlet listens.
pub const INLET: &str = "near:4001";

/// Where the target listens.
pub const TARGET: &str = "far:5000";

/// The nodes of a step that run.
pub struct Tunnel {
    /// The one with the inlet first, the one with the outlet last.
    pub nodes: Vec<TestNode>,
    channel: Rc<RefCell<Option<Address>>>,
}

impl Tunnel {
    /// Bytes under way from the inlet through the channel.
    pub fn under_way(&self) -> usize {
        let channel = self.channel.borrow().clone().unwrap();
        self.nodes[0].as_ref().first_hop(&channel.into()).unwrap().budget.used()
    }
}

/// A step of the guide: its nodes, the one with the inlet first, the one with the outlet last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A channel over one connection.
    Direct,
    /// A channel through a hub with a forwarder.
    ThroughHub,
}

impl Step {
    /// The links between its nodes.
    pub const fn links(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Direct => &[("near", "far")],
            Self::ThroughHub => &[("near", "hub"), ("hub", "far")],
        }
    }

    /// Starts its nodes and their programs.
    pub async fn start(self, net: &Network) -> Result<Tunnel> {
        let (mut near, mut far) = (net.node("near"), net.node("far"));
        let vaults = [(); 2].map(|()| Vault::in_memory());
        let [near_vault, far_vault] = vaults;
        let channel = Rc::new(RefCell::new(None));
        let told = channel.clone();
        let program = |vault: Vault, listener: Route| {
            move |node| inlet(node, vault.clone(), listener.clone(), told.clone())
        };
        match self {
            Self::Direct => {
                far.boot(move |node| outlet_that_listens(node, far_vault.clone())).await?;
                let listener = route![(TCP, "far:4000"), LISTENER];
                near.boot(program(near_vault, listener)).await?;
                Ok(Tunnel { nodes: vec![near, far], channel })
            }
            Self::ThroughHub => {
                let mut hub = net.node("hub");
                hub.boot(hub_program).await?;
                let address: Rc<RefCell<Option<ForwardingAddress>>> = Rc::default();
                let told = address.clone();
                far.boot(move |node| outlet_behind_hub(node, far_vault.clone(), told.clone()))
                    .await?;
                let forwarding = address.borrow().clone().unwrap();
                let listener: Route = route![(TCP, "hub:4000"), forwarding];
                near.boot(program(near_vault, listener)).await?;
                Ok(Tunnel { nodes: vec![near, hub, far], channel })
            }
        }
    }
}

async fn outlet(node: &Node, vault: &Vault) -> Result<TcpTransport> {
    let tcp = TcpTransport::create(node).await?;
    let mut entity = Entity::open_or_create(node, vault, "far")?;
    entity.create_secure_channel_listener(LISTENER, TrustEveryonePolicy)?;
    tcp.create_outlet("outlet", TARGET).await?;
    Ok(tcp)
}

async fn outlet_that_listens(node: Node, vault: Vault) -> Result<()> {
    outlet(&node, &vault).await?.listen("far:4000").await.map(drop)
}

async fn outlet_behind_hub(
    node: Node,
    vault: Vault,
    told: Rc<RefCell<Option<ForwardingAddress>>>,
) -> Result<()> {
    outlet(&node, &vault).await?;
    let options = RemoteForwarderOptions::to(LISTENER).keep_trying();
    let forwarder = RemoteForwarder::create(&node, (TCP, "hub:4000"), options).await?;
    told.borrow_mut().get_or_insert(forwarder.remote_address());
    Ok(())
}

async fn hub_program(node: Node) -> Result<()> {
    ForwardingService::start(&node, ForwardingOptions::new())?;
    TcpTransport::create(&node).await?.listen("hub:4000").await.map(drop)
}

async fn inlet(
    node: Node,
    vault: Vault,
    listener: Route,
    told: Rc<RefCell<Option<Address>>>,
) -> Result<()> {
    let tcp = TcpTransport::create(&node).await?;
    let mut entity = Entity::open_or_create(&node, &vault, "near")?;
    let channel = entity.create_secure_channel(listener, TrustEveryonePolicy)?;
    told.replace(Some(channel.address().clone()));
    tcp.create_inlet(INLET, route![channel, "outlet"]).await.map(drop)
}
