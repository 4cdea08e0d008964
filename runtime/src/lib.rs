//! Addresses, routes, messages, routers and workers: the runtime of an actor-based
//! message-routing node.
//!
//! The map of the whole project is in the documentation of the `ockam` library. In this crate:
//!
//! | module | what is in it |
//! |---|---|
//! | [`address`] | names of workers and peers, routes, identifiers of identities |
//! | [`message`] | the one envelope with its payload, body and bytes on the wire; notices |
//! | [`trust`] | where a message came from, what it may reach, and how much strangers may ask for |
//! | [`edge`] | how edges stay bounded, and what a source knows of its first hop |
//! | [`node`] | the function that every message passes through, the routing table, shutdown |
//! | [`worker`] | how actors become workers: inboxes, what handlers get, contexts, restarts |
//! | [`socket`] | connecting, reading and writing with few system calls |
//! | [`host`] | what a node does for the transports and workers that are built on it |
//! | [`group`] | workers, here or elsewhere, that share one address |
//! | [`watch`] | how a watcher is told that a worker, here or elsewhere, has ended |
//! | [`metrics`] | what a node counts of itself, and what is open on it |
//! | [`error`], [`limits`] | errors, by whose fault they are; every limit with its reason |
//! | [`clock`], [`random`] | time and random bits, which a simulated network replaces |
//! | [`watched`] | values that others watch, such as the state of a link |
//! | [`process`] | limits of the process: descriptors |
//! | [`lock`], [`text`] | locks that ignore poison; text from others, for people |
//! | `simulated` | with the feature `testing`: hosts, links and TCP connections in virtual time |

pub mod address;
pub mod clock;
pub mod edge;
pub mod error;
pub mod group;
pub mod host;
pub mod limits;
#[cfg_attr(not(internals), doc(hidden))]
pub mod lock;
pub mod message;
pub mod metrics;
pub mod node;
pub mod process;
#[cfg_attr(not(internals), doc(hidden))]
pub mod random;
#[cfg(feature = "testing")]
#[cfg_attr(not(internals), doc(hidden))]
pub mod simulated;
#[cfg_attr(not(internals), doc(hidden))]
pub mod socket;
#[cfg_attr(not(internals), doc(hidden))]
pub mod text;
pub mod trust;
pub mod watch;
pub mod watched;
pub mod worker;

/// The context of a worker's actor: actix's `Context`, which is not the node's [`Context`].
pub use actix::Context as WorkerContext;
pub use address::{identifier::Identifier, route::Route, Address, TransportType};
pub use edge::budget::{Budget, Permit};
pub use error::{Culprit, Error, Result};
pub use group::{Group, GroupBuilder};
pub use host::Host;
pub use limits::NodeLimits;
pub use message::{
    body::Body,
    notice::{Notice, UndeliverableReason},
    payload::Payload,
    request::Request,
    Direction, Message, MessageKind, MessageParts,
};
pub use node::{builder::NodeBuilder, life::Ended, Node};
pub use trust::{
    origin::Origin,
    reachability::{Class, Reachability, ReachabilityRule},
};
pub use watch::Watch;
pub use worker::{
    ask::{Answer, Ask, AskAs},
    context::Context,
    handle::WorkerHandle,
    reply::Reply,
    restart::RestartPolicy,
    routed::Routed,
    start::WorkerBuilder,
};
