//! How a hub's forwarding service is set up.

use std::{fmt, sync::Arc, time::Duration};

use ockam_actix_runtime::{node::entry::AccessRule, Origin};

use crate::forwarder::{
    cluster::Cluster,
    limits::{
        LEASE, MAX_FORWARDERS, MAX_FORWARDERS_PER_CONNECTION, MAX_FORWARDERS_PER_SOURCE,
        MAX_LEASE_SECONDS, MOVE_TIMEOUT,
    },
};

/// The caps of a hub, and who may register.
///
/// ```
/// use std::time::Duration;
/// use ockam_actix_workers::forwarder::ForwardingOptions;
/// let options = ForwardingOptions::new()
///     .max_forwarders(1_000)
///     .max_per_connection(8)
///     .max_per_source(250)
///     .lease(Duration::from_secs(30))
///     .permit(|origin| origin.peer().is_some());
/// # let _ = options;
/// ```
#[derive(Clone)]
pub struct ForwardingOptions {
    pub(super) max_forwarders: usize,
    pub(super) max_per_connection: usize,
    pub(super) max_per_source: usize,
    pub(super) lease: Duration,
    pub(super) permit: Option<AccessRule>,
    pub(super) cluster: Option<Cluster>,
    pub(super) move_timeout: Duration,
}

impl ForwardingOptions {
    /// The defaults: 10,000 forwarders, 64 for each connection and 2,500 for each source address,
    /// with leases of a minute, for everybody who reaches the node.
    pub fn new() -> Self {
        Self {
            max_forwarders: MAX_FORWARDERS,
            max_per_connection: MAX_FORWARDERS_PER_CONNECTION,
            max_per_source: MAX_FORWARDERS_PER_SOURCE,
            lease: LEASE,
            permit: None,
            cluster: None,
            move_timeout: MOVE_TIMEOUT,
        }
    }

    /// The most forwarders in all.
    #[must_use]
    pub fn max_forwarders(mut self, count: usize) -> Self {
        self.max_forwarders = count;
        self
    }

    /// The most forwarders of one connection.
    #[must_use]
    pub fn max_per_connection(mut self, count: usize) -> Self {
        self.max_per_connection = count;
        self
    }

    /// The most forwarders of all connections from one IPv4 address or IPv6 /64. A hub behind a
    /// proxy sees everybody come from the proxy.
    #[must_use]
    pub fn max_per_source(mut self, count: usize) -> Self {
        self.max_per_source = count;
        self
    }

    /// How long a forwarder lives without being renewed, in whole seconds from 1 to a day.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        let seconds = lease.as_secs().clamp(1, u64::from(MAX_LEASE_SECONDS));
        self.lease = Duration::from_secs(seconds);
        self
    }

    /// Who may register, such as peers of a secure channel with a known identity. To others the
    /// service does not exist.
    #[must_use]
    pub fn permit(mut self, rule: impl Fn(&Origin) -> bool + Send + Sync + 'static) -> Self {
        self.permit = Some(Arc::new(rule));
        self
    }

    /// The cluster whose other hubs reach the forwarders of this one, and the other way round.
    #[must_use]
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// How long a stopping hub waits for its peers to move to other hubs. Those that know no other
    /// hub are not waited for. Zero has it stop at once, as if it were killed but for saying so.
    #[must_use]
    pub fn move_timeout(mut self, limit: Duration) -> Self {
        self.move_timeout = limit;
        self
    }
}

impl Default for ForwardingOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ForwardingOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardingOptions")
            .field("max_forwarders", &self.max_forwarders)
            .field("max_per_connection", &self.max_per_connection)
            .field("max_per_source", &self.max_per_source)
            .field("lease", &self.lease)
            .field("permit", &self.permit.as_ref().map(|_| "a rule"))
            .field("cluster", &self.cluster)
            .field("move_timeout", &self.move_timeout)
            .finish()
    }
}
