//! The commands of `ockam`, and the names that they share.

pub(crate) mod cluster_args;
pub(crate) mod console_args;
pub(crate) mod demo;
pub(crate) mod dial_args;
pub(crate) mod doubts;
pub(crate) mod elsewhere;
pub(crate) mod hub;
pub(crate) mod hub_args;
pub(crate) mod identity;
pub(crate) mod identity_args;
pub(crate) mod inlet;
pub(crate) mod invite;
pub(crate) mod join;
pub(crate) mod known;
pub(crate) mod listeners;
pub(crate) mod log_args;
pub(crate) mod node_address;
pub(crate) mod outlet;
pub(crate) mod output;
pub(crate) mod passphrase;
pub(crate) mod reference;
pub(crate) mod resume_args;
pub(crate) mod route_args;
pub(crate) mod service;
pub(crate) mod several;
pub(crate) mod startable;
pub(crate) mod status;
pub(crate) mod tls_args;
pub(crate) mod to_args;
pub(crate) mod trace;
pub(crate) mod transports;
pub(crate) mod trust;
pub(crate) mod udp_args;
pub(crate) mod variables;
pub(crate) mod vault;
pub(crate) mod version;

/// Where the commands' outlet nodes listen for secure channels.
pub(crate) const CHANNEL_LISTENER: &str = "secure_channel_listener_service";

/// Where an outlet's node listens for those that name it, and were given no secret.
pub(crate) const NAMED_LISTENER: &str = "named_channel_listener";

/// The outlet's address on its node.
pub(crate) const OUTLET: &str = "outlet";
