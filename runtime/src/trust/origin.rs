//! Where a message entered this node: what the node knows itself, never what a message says.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
};

use crate::{
    address::{identifier::Identifier, Address},
    lock::SharedLock,
    trust::{source::SourceAddress, tally::Tally},
};

/// Who a message came from, stamped by the ingress that let it in.
#[derive(Clone, Debug, Default)]
pub enum Origin {
    /// A worker or a program on this node.
    #[default]
    Local,
    /// A peer, through the described ingress.
    Remote(Arc<Ingress>),
}

/// An entrance to this node: a TCP connection or the decrypting end of a secure channel.
#[derive(Debug)]
pub struct Ingress {
    /// The address that the ingress puts before every return route.
    pub via: Address,
    /// What kind of door it is.
    pub door: Door,
    /// The source that its messages are counted against: the remote end of the accepted connection,
    /// which a channel over it keeps. A peer that this node chose to dial has none.
    pub source: Option<SourceAddress>,
}

/// The kinds of ingress, from the least to the most trusted.
#[derive(Debug)]
pub enum Door {
    /// A connection that a listener of this node accepted; anybody may be at its other end.
    Listener {
        /// Whether the listener is bound to a loopback address.
        loopback: bool,
        /// Workers that the listener explicitly exposes.
        exposed: Arc<HashSet<Address>>,
    },
    /// A connection that this node made; the peer there, a hub perhaps, may only answer and
    /// reach what it was asked to forward to.
    Outgoing {
        /// The address that was dialled.
        dialled: Address,
        /// Workers that a forwarder at the peer may deliver to.
        grants: Arc<HubGrants>,
    },
    /// A secure channel whose peer was verified.
    Channel {
        /// The identity at the other end.
        peer: Identifier,
        /// The address of the encryptor on this node, which leads back to the peer.
        channel: Address,
        /// For a channel that this node opened: what the peer may reach once it was asked to
        /// forward, as with any hub.
        grants: Option<Arc<HubGrants>>,
    },
}

impl Origin {
    /// The identity of the sender, where a secure channel vouches for it.
    pub fn peer(&self) -> Option<Identifier> {
        match self {
            Self::Remote(ingress) => match &ingress.door {
                Door::Channel { peer, .. } => Some(*peer),
                Door::Listener { .. } | Door::Outgoing { .. } => None,
            },
            Self::Local => None,
        }
    }

    /// The source address that caps and rates count this against, where a listener accepted it.
    pub fn source(&self) -> Option<SourceAddress> {
        match self {
            Self::Remote(ingress) => ingress.source,
            Self::Local => None,
        }
    }

    /// Whether the message was made on this node.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local)
    }

    /// Whether a message of this origin can be an answer to one that was sent to `first_hop`: it
    /// came in where that one went out.
    pub fn came_through(&self, first_hop: &Address) -> bool {
        let Self::Remote(ingress) = self else { return true };
        ingress.via == *first_hop
            || match &ingress.door {
                Door::Listener { .. } => false,
                Door::Outgoing { dialled, .. } => dialled == first_hop,
                Door::Channel { channel, .. } => channel == first_hop,
            }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("this node"),
            Self::Remote(ingress) => match &ingress.door {
                Door::Listener { .. } => f.write_str("a connection to a listener"),
                Door::Outgoing { dialled, .. } => write!(f, "the connection to {dialled}"),
                Door::Channel { peer, .. } => write!(f, "the secure channel with {peer}"),
            },
        }
    }
}

/// The workers that the peer of an outgoing connection may deliver to, because it was asked for a
/// forwarder, or a hub behind it was. It outlives the connection, which may be lost and made again.
#[derive(Debug, Default)]
pub struct HubGrants {
    /// How many forwarders lead to each.
    workers: SharedLock<Tally<Address>>,
    used: AtomicBool,
}

impl HubGrants {
    /// Permits a worker for one more forwarder.
    pub fn permit(&self, worker: Address) {
        let mut workers = self.workers.write();
        workers.add(worker);
        self.used.store(true, Ordering::Release);
    }

    /// Withdraws one permission. The worker may be reached as long as it has others.
    pub fn withdraw(&self, worker: &Address) {
        let mut workers = self.workers.write();
        workers.remove(worker);
    }

    /// Whether the peer was ever asked for a forwarder. That makes it a hub from then on.
    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }

    /// The permitted workers, sorted.
    pub fn workers(&self) -> Vec<Address> {
        let workers = self.workers.read();
        let mut workers: Vec<_> = workers.keys().cloned().collect();
        workers.sort();
        workers
    }

    /// Whether `worker` is permitted.
    pub fn contains(&self, worker: &Address) -> bool {
        let workers = self.workers.read();
        workers.of(worker) > 0
    }
}
