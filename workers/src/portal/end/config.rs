//! What one end of a stream is started with.

use std::{sync::Arc, time::Duration};

use ockam_actix_runtime::{
    edge::first_hop::FirstHop,
    metrics::{listing::Recorded, portal::StreamRecord},
    socket::endpoint::Endpoint,
    MessageKind, Node, Route,
};

use crate::portal::{
    kept_streams::Kept, known_outlet::KnownOutlet, opening::Listed, pool::StreamSlot,
    protocol::stream::Stream, target::connect::Dial,
};

/// Which end of the stream this is.
pub(crate) enum Side {
    /// This client connected to the inlet.
    Inlet {
        client: Endpoint,
        outlet: KnownOutlet,
        /// What the outlet is told of the client, encoded; until it has answered.
        introduction: Option<Arc<[u8]>>,
        /// Whether the client speaks SOCKS, and waits for the reply to its request.
        owes_reply: bool,
    },
    /// The outlet connects to a target.
    Outlet { dial: Dial, kept: Option<Kept>, _listed: Option<Listed> },
}

impl Side {
    /// The kind of what is sent to the other end: the outlet's end answers.
    pub(crate) fn kind(&self) -> MessageKind {
        match self {
            Self::Inlet { .. } => MessageKind::Data,
            Self::Outlet { .. } => MessageKind::Reply,
        }
    }
}

/// What a stream worker is started with.
pub(crate) struct StreamConfig {
    pub(crate) node: Node,
    pub(crate) stream: Stream,
    pub(crate) first_hop: FirstHop,
    /// The route to the outlet's name, or back to the inlet's end.
    pub(crate) route: Route,
    pub(crate) side: Side,
    pub(crate) slot: StreamSlot,
    /// How long the stream waits for another path when its own is lost.
    pub(crate) resume_for: Duration,
    /// What is counted of the stream.
    pub(crate) record: Recorded<StreamRecord>,
}
