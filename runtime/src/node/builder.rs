//! The builder that starts nodes.

use crate::{
    error::{Error, Result},
    limits::NodeLimits,
    node::{arbiter::Started, Node},
    process::usable_descriptors,
    socket::network::Network,
};

/// Starts nodes: inside the actix `System` of this thread, such as that of an actix-web
/// application, or where there is none, as under `#[tokio::main]`, with one of their own.
///
/// ```
/// # actix_rt::System::new().block_on(async {
/// use ockam_actix_runtime::NodeBuilder;
/// let node = NodeBuilder::new().arbiters(1).start().await?;
/// assert_eq!(node.arbiter_count(), 1);
/// node.stop().await;
/// # Ok::<(), ockam_actix_runtime::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct NodeBuilder {
    arbiters: Option<usize>,
    limits: NodeLimits,
    network: Network,
}

impl NodeBuilder {
    /// A builder with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of arbiters (threads) that the node owns, at least 1. The default is the
    /// number of the machine's cores, or the value of the environment variable `OCKAM_ARBITERS`.
    #[must_use]
    pub fn arbiters(mut self, count: usize) -> Self {
        self.arbiters = Some(count.max(1));
        self
    }

    /// Replaces the default limits.
    #[must_use]
    pub fn limits(mut self, limits: NodeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Puts the node on a host of a simulated network: all of it runs on the thread of the actix
    /// `System`, whatever the number of arbiters that was set.
    #[cfg(feature = "testing")]
    #[cfg_attr(not(internals), doc(hidden))]
    #[must_use]
    pub fn on_host(mut self, host: crate::simulated::Host) -> Self {
        self.network = Network::Simulated(host);
        self
    }

    /// Starts the node.
    ///
    /// # Errors
    /// If the node's threads cannot be started, or `OCKAM_ARBITERS` is no number of them.
    pub async fn start(self) -> Result<Node> {
        let id = Node::next_id();
        #[cfg(feature = "testing")]
        if let Network::Simulated(host) = &self.network {
            // Its sockets take no descriptors.
            let limits = NodeLimits { descriptors: usize::MAX, ..self.limits };
            let started = Started::simulated(host, id);
            return Ok(Node::start(id, started, self.network, limits));
        }
        let arbiters = match self.arbiters {
            Some(count) => count,
            None => default_arbiters()?,
        };
        let limits = self.limits.within(usable_descriptors());
        let started = Started::threads(arbiters, id).await?;
        Ok(Node::start(id, started, self.network, limits))
    }
}

fn default_arbiters() -> Result<usize> {
    match std::env::var("OCKAM_ARBITERS") {
        Ok(text) => match text.parse() {
            Ok(count @ 1..=1024) => Ok(count),
            _ => Err(Error::Usage(format!(
                "OCKAM_ARBITERS is {text:?}: expected a number from 1 to 1024"
            ))),
        },
        Err(_) => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}
