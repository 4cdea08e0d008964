//! How each transport of a node connects to its peers.

use std::{collections::HashMap, future::Future, sync::Arc};

use futures::{future::LocalBoxFuture, FutureExt};
use ockam_actix_runtime::{lock::SharedLock, Address, Error, Host, Node, Result, TransportType};

use crate::connection::carrier::Carrier;

/// How one transport connects to its peers.
pub trait Connector: Send + Sync + 'static {
    /// The carrier that it makes.
    type Carrier: Carrier;

    /// Checks the text after the `#` of an address, without using the network. It has no comma:
    /// those stand between the peers of a list.
    ///
    /// # Errors
    /// If the transport cannot dial it.
    fn check(&self, peer: &str) -> Result<()>;

    /// The proxy that a connection to `peer` goes through, for the log.
    fn proxy(&self, _peer: &str) -> Option<String> {
        None
    }

    /// Connects to `peer`. It gives up by itself after a while.
    ///
    /// # Errors
    /// If nobody answers.
    fn connect(&self, peer: String) -> impl Future<Output = Result<Self::Carrier>>;
}

/// The connectors of a node, by the names of their transports.
#[derive(Default)]
pub(crate) struct Connectors {
    by_transport: SharedLock<HashMap<&'static str, Arc<dyn AnyConnector>>>,
}

impl Connectors {
    pub(crate) fn of(node: &Node) -> Arc<Self> {
        node.extension(Self::default)
    }

    /// Keeps the connector of a transport that has none yet.
    pub(crate) fn add(&self, transport: TransportType, connector: impl Connector) {
        let mut by_transport = self.by_transport.write();
        by_transport.entry(transport.name()).or_insert_with(|| Arc::new(connector));
    }

    /// The connector for a peer.
    fn find(&self, peer: &Address) -> Result<(Arc<dyn AnyConnector>, String)> {
        let (transport, text) = peer.dial_parts().unwrap_or_default();
        let connector = self.by_transport.read().get(transport).cloned();
        Ok((connector.ok_or_else(|| Error::NoTransport(peer.clone()))?, text.to_owned()))
    }

    /// Checks the addresses of all peers that `address` lists.
    pub(crate) fn check(&self, address: &Address) -> Result<()> {
        address.alternatives().try_for_each(|peer| {
            let (connector, text) = self.find(&peer)?;
            connector.check(&text)
        })
    }

    /// The proxy that a connection to one peer goes through.
    pub(crate) fn proxy(&self, peer: &Address) -> Option<String> {
        let (connector, text) = self.find(peer).ok()?;
        connector.proxy(&text)
    }

    /// Connects to one peer.
    pub(crate) async fn connect(&self, peer: &Address) -> Result<Box<dyn Carrier>> {
        let (connector, text) = self.find(peer)?;
        connector.connect(text).await
    }
}

/// A [`Connector`] of any transport.
trait AnyConnector: Send + Sync {
    fn check(&self, peer: &str) -> Result<()>;
    fn proxy(&self, peer: &str) -> Option<String>;
    fn connect(&self, peer: String) -> LocalBoxFuture<'_, Result<Box<dyn Carrier>>>;
}

impl<C: Connector> AnyConnector for C {
    fn check(&self, peer: &str) -> Result<()> {
        Connector::check(self, peer)
    }

    fn proxy(&self, peer: &str) -> Option<String> {
        Connector::proxy(self, peer)
    }

    fn connect(&self, peer: String) -> LocalBoxFuture<'_, Result<Box<dyn Carrier>>> {
        let connecting = Connector::connect(self, peer);
        async { Ok(Box::new(connecting.await?) as Box<dyn Carrier>) }.boxed_local()
    }
}
