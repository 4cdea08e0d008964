//! The counts of a node, and the lists of what is open on it, for its operators.
//!
//! Nothing here decides anything. The code that does the work notes what has happened, with plain
//! additions to atomics where bytes are counted in any case; the code that shows it, such as a
//! console, reads at any time from any thread.
//!
//! | idea | module |
//! |---|---|
//! | lists of what is open: each thing is listed as long as it lasts | [`listing`] |
//! | connections and secure channels, up or down | [`link`] |
//! | inlets and outlets, and their streams and flows | [`portal`] |
//! | how often something happens, and how long it takes | [`counter`], [`histogram`] |
//!
//! The [refusal log](crate::trust::refusal_log) counts refusals, and the
//! [reachability](crate::trust::reachability) listing says which workers are reached from where.

pub mod counter;
pub mod histogram;
pub mod link;
pub mod listing;
pub mod portal;

use std::sync::Arc;

use crate::{
    address::{identifier::Identifier, Address},
    clock::Instant,
    metrics::{
        counter::Counter,
        histogram::Histogram,
        link::{Link, Traffic},
        listing::{Listing, Recorded},
        portal::{figures, Portal, PortalFigures, StreamRecord},
    },
    node::Node,
};

/// The figures of one node.
///
/// ```
/// # actix_rt::System::new().block_on(async {
/// use ockam_actix_runtime::{metrics::Metrics, NodeBuilder};
///
/// let node = NodeBuilder::new().start().await?;
/// assert_eq!(Metrics::of(&node).connections.all().len(), 0);
/// node.stop().await;
/// # Ok::<(), ockam_actix_runtime::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct Metrics {
    /// Connections with other nodes, and those that are being made again.
    pub connections: Listing<Link>,
    /// Secure channels, and those that are being established again.
    pub channels: Listing<Link>,
    /// Inlets and outlets, and those that have ended and still have streams.
    pub portals: Listing<Portal>,
    /// Streams and flows of datagrams.
    pub streams: Listing<StreamRecord>,
    /// Forwarders that this node, a hub, has for others.
    pub forwarders: Listing<Forwarder>,
    /// Forwarders that hubs have for this node.
    pub registrations: Listing<Link>,
    /// Connections that were made again after a loss.
    pub reconnects: Counter,
    /// Streams that went on along another path.
    pub resumptions: Counter,
    /// Of connections that have ended.
    ended_connections: Arc<Traffic>,
    /// How long the handshakes of secure channels took, at either end.
    pub handshakes: Histogram,
    /// How long it took to connect to other nodes, and to be greeted.
    pub node_connects: Histogram,
    /// How long it took to connect to the targets of outlets.
    pub target_connects: Histogram,
    /// How long streams that went on had been without a path.
    pub stalls: Histogram,
    /// What this node, a hub of a cluster, looks for at others.
    pub cluster: ClusterFigures,
}

/// How a hub of a cluster finds what others have.
#[derive(Debug, Default)]
pub struct ClusterFigures {
    /// Forwarders that were looked for, those that are being looked for included.
    pub lookups: Counter,
    /// Those that another hub has.
    pub found: Counter,
    /// Those that no hub has, or that cannot be reached.
    pub not_found: Counter,
    /// How long it took to find one, with the connection to its hub.
    pub times_to_find: Histogram,
    /// Forwarders of other hubs that messages are sent on to.
    pub stand_ins: Listing<Forwarder>,
}

impl Metrics {
    /// The figures of `node`.
    pub fn of(node: &Node) -> Arc<Self> {
        node.extension(Self::default)
    }

    /// Lists a connection.
    pub fn list_connection(&self, mut link: Link) -> Recorded<Link> {
        link.ended = self.ended_connections.clone();
        self.connections.list(link)
    }

    /// All portals with what their streams come to, those that have ended included.
    pub fn portal_figures(&self) -> Vec<PortalFigures> {
        figures(&self.portals, &self.streams)
    }

    /// Bytes of all connections, those that have ended included: sent, and received.
    pub fn connection_bytes(&self) -> [u64; 2] {
        self.connections.while_locked(|connections| {
            let ended = [self.ended_connections.sent(), self.ended_connections.received()];
            connections.fold(ended, |[sent, received], (_, link)| {
                [sent + link.traffic.sent(), received + link.traffic.received()]
            })
        })
    }
}

/// A forwarder, as its hub lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarder {
    /// Where it leads to, for people.
    pub route: String,
    /// The first address of that route.
    pub over: Option<Address>,
    /// The identity that proved that the address is its own.
    pub identity: Option<Identifier>,
    /// When it was registered.
    pub since: Instant,
}

impl listing::Record for Forwarder {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::link::Opener;

    #[test]
    fn bytes_of_ended_connections_stay() {
        let metrics = Metrics::default();
        let connect = || metrics.list_connection(Link::new(Opener::Peer, "a".into(), "peer"));
        let (one, two) = (connect(), connect());
        one.traffic.count_sent(3);
        two.traffic.count_received(4);
        assert_eq!(metrics.connection_bytes(), [3, 4]);
        drop(one);
        assert_eq!(metrics.connection_bytes(), [3, 4]);
        assert_eq!(metrics.connections.all().len(), 1);
    }
}
