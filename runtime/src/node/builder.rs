//! The builder that starts nodes.

use crate::{
    error::{Error, Result},
    limits::NodeLimits,
    node::Node,
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

    /// Starts the node.
    ///
    /// # Errors
    /// If the node's threads cannot be started, or `OCKAM_ARBITERS` is no number of them.
    pub async fn start(self) -> Result<Node> {
        let arbiters = match self.arbiters {
            Some(count) => count,
            None => default_arbiters()?,
        };
        Node::start(arbiters, self.limits).await
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
