//! Forwarders: how a node that nobody can connect to is reached through a hub.
//!
//! | idea | module |
//! |---|---|
//! | what a node and its hub say to each other | [`protocol`] |
//! | the address that is copied from the outlet to the inlet | [`address`] |
//! | the address that the inlet computes: an identity and a name | [`service_address`] |
//! | the hub's side | [`hub`] |
//! | the side of a node that registers a forwarder | [`remote`] |
//! | which hub of a list clients prefer | `placement` |
//! | hubs that share their forwarders | [`cluster`] |
//! | every limit, with its unit and reason | [`limits`] |
//!
//! # The route of a message
//!
//! ```text
//! inlet's node            hub                                            private node
//! [hub, F..., rest] ->    connection -> F...: route put before the rest -> [destination, rest]
//! ```
//!
//! The forwarder leaves the return route as it is: answers go from the private node's connection
//! through the hub straight back to the connection that the message arrived on.
//!
//! # What a hub can do
//!
//! Drop, delay and read what it forwards, and reach the destination that it was asked to forward
//! to. It reaches nothing else on the private node (rule `not-a-destination`), and it cannot open a
//! secure channel as somebody else: the forwarding address carries the fingerprint of the identity
//! that the forwarder leads to.

pub mod address;
pub mod cluster;
pub mod hub;
pub mod limits;
mod placement;
#[cfg_attr(not(internals), doc(hidden))]
pub mod protocol;
pub mod remote;
pub mod service_address;

pub use hub::{options::ForwardingOptions, service::ForwardingService};
pub use remote::{RegistrationState, RemoteForwarder, RemoteForwarderOptions};
pub use service_address::ServiceAddress;

/// The address of a hub's forwarding service.
pub const FORWARDING_SERVICE: &str = "forwarding_service";
