//! Several hubs as one: a node that reaches one of them reaches the forwarders of all.
//!
//! A hub that gets a message to a forwarder that it does not have asks the others, over a [`Bus`],
//! and from then on such messages go over a connection between the two hubs.

#[cfg(feature = "cluster")]
mod nats;

#[cfg(feature = "cluster")]
pub use nats::{NatsBus, NatsOptions};
pub use ockam_actix_workers::forwarder::cluster::{
    bus::{Accept, Bus, Receive},
    Cluster, CLUSTER_SERVICE,
};
