//! What one end of a stream is started with.

use std::net::SocketAddr;

use ockam_actix_runtime::{edge::first_hop::FirstHop, Node, Route};

use crate::portal::{opening::Listed, pool::StreamSlot, protocol::stream::Stream};

/// Which end of the stream this is.
pub(crate) enum Side {
    /// A client connected to the inlet at this address.
    Inlet { client: SocketAddr },
    /// The outlet connects to this target.
    Outlet { target: String, _listed: Option<Listed> },
}

/// What a stream worker is started with.
pub(crate) struct StreamConfig {
    pub(crate) node: Node,
    pub(crate) stream: Stream,
    pub(crate) first_hop: FirstHop,
    pub(crate) route: Route,
    pub(crate) side: Side,
    pub(crate) slot: StreamSlot,
}
