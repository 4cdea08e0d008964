//! Several hubs as one: whoever reaches one of them reaches the forwarders of all.
//!
//! A hub that is not asked for a forwarder of its own asks the others, over a [`Bus`], and from then
//! on messages go from hub to hub over a connection between the two.

#[cfg(feature = "cluster")]
mod nats;

#[cfg(feature = "cluster")]
pub use nats::{NatsBus, NatsOptions};
pub use ockam_actix_workers::forwarder::cluster::{
    bus::{Bus, Receive},
    Cluster, CLUSTER_SERVICE,
};
