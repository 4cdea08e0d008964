//! An identity whose programs want one address at hubs of a cluster, and clients that it trusts.

use std::{cell::Cell, time::Duration};

use ockam::{
    route,
    testing::{Network, TestNode},
    Echoer, Entity, Identifier, RegistrationState, RemoteForwarder, RemoteForwarderOptions,
    SecureChannelListenerOptions, SecureChannels, ServiceAddress, TcpTransport,
    TrustIdentifierPolicy, Vault, TCP,
};

use crate::hubs::{at, HUBS};

/// The identity that owns the address, and a client's that it trusts.
pub struct Owner {
    vault: Vault,
    own: Identifier,
    client: Identifier,
    clients: Cell<usize>,
}

impl Default for Owner {
    fn default() -> Self {
        Self::new()
    }
}

impl Owner {
    /// With new identities.
    pub fn new() -> Self {
        let vault = Vault::in_memory();
        let [own, client] = ["own", "client"].map(|name| vault.create_identity(name).unwrap());
        Self { vault, own, client, clients: Cell::default() }
    }

    /// A program with the owner's identity, which registers the service with `hubs`.
    pub async fn program(&self, net: &Network, name: &str, hubs: &str) -> Program {
        self.prepared(net, name).await.register(hubs).await
    }

    /// The same, which has the owner's key of now, before it registers.
    pub async fn prepared(&self, net: &Network, name: &str) -> Prepared {
        let node = net.node(name);
        TcpTransport::create(&node).await.unwrap();
        // It tells one program from another.
        Echoer::start(&node, name).unwrap();
        let mut entity = Entity::open(&node, &self.vault, "own").unwrap();
        let listener = SecureChannelListenerOptions::at("listener").named();
        let policy = TrustIdentifierPolicy::new(self.client);
        entity.create_secure_channel_listener(listener, policy).unwrap();
        Prepared(node)
    }

    /// Gives the identity a new key, which programs have that are started from now on.
    pub fn rotate(&self) {
        self.vault.rotate(&self.own).unwrap();
    }

    /// Which of two programs a client reaches through `hub`.
    pub async fn reached(&self, net: &Network, hub: &str, names: [&str; 2]) -> Option<usize> {
        self.clients.set(self.clients.get() + 1);
        let near = net.node(&format!("client-{}", self.clients.get()));
        TcpTransport::create(&near).await.unwrap();
        let mut entity = Entity::open(&near, &self.vault, "client").unwrap();
        let service = ServiceAddress::new(self.own, "web").unwrap().forwarding_address();
        let policy = TrustIdentifierPolicy::new(self.own);
        let listener = route![(TCP, at(hub)), service];
        let channel = entity.create_secure_channel(listener, policy).unwrap();
        let ctx = near.context().unwrap();
        for (number, name) in names.into_iter().enumerate() {
            let asked = ctx.ask(route![channel.clone(), name], 7_u32);
            if asked.within(Duration::from_secs(5)).reply_as::<u32>().await.is_ok() {
                return Some(number);
            }
        }
        None
    }

    /// Whether all hubs lead to the second of the programs.
    pub async fn all_reach_second(&self, net: &Network, names: [&str; 2]) {
        for hub in HUBS {
            assert_eq!(self.reached(net, hub, names).await, Some(1), "through {hub}");
        }
    }
}

/// A program that has not registered.
pub struct Prepared(TestNode);

impl Prepared {
    /// Registers the service with `hubs`.
    pub async fn register(self, hubs: &str) -> Program {
        let options = RemoteForwarderOptions::to("listener").service("web").named();
        let forwarder = RemoteForwarder::create(&self.0, (TCP, hubs), options).await.unwrap();
        Program { node: self.0, forwarder }
    }
}

/// A program that has registered.
pub struct Program {
    /// Its node.
    pub node: TestNode,
    /// Its registration.
    pub forwarder: RemoteForwarder,
}

impl Program {
    /// How it stands with its hubs.
    pub fn state(&self) -> RegistrationState {
        self.forwarder.watch().borrow().clone()
    }

    /// Whether it has the address.
    pub fn has_it(&self) -> bool {
        let state = self.state();
        assert!(!(state.registered && state.displaced), "{state:?}");
        state.registered
    }
}
