//! Forwarders: how a node that nobody can connect to is reached through a hub.
//!
//! | idea | module |
//! |---|---|
//! | the messages between a node and the service on its hub | [`protocol`] |
//! | addresses that only their identity can have again | [`claim`] |
//! | why a hub refuses | [`refusal`] |
//! | caps, rates and leases, without clock or actor | [`ledger`] |
//! | the worker on a hub that registers nodes | [`service`] |
//! | one forwarder: a registered address and the route behind it | [`forward`] |
//! | how a hub is set up | [`options`] |
//! | the other end: a node that has itself forwarded to | [`remote`], [`keeper`], [`registrar`] |
//! | every limit, with its unit and reason | [`limits`] |
//!
//! # The way of a message
//!
//! ```text
//! inlet's node            hub                                            private node
//! [hub, F..., rest] ->    connection -> F...: route put before the rest -> [destination, rest]
//! ```
//!
//! The forwarder leaves the return route as it is: answers go from the private node's connection
//! over the hub straight to the connection that the message came in by.
//!
//! # What a hub can do
//!
//! Drop, delay and read what it forwards, and reach the destination that it was asked to forward
//! to. It reaches nothing else on the private node (rule `not-a-destination`), and it cannot
//! open a secure channel as somebody else: the forwarding address carries the fingerprint of the
//! identity behind it.

pub mod address;
pub mod hub;
pub mod limits;
pub mod protocol;
pub mod remote;

pub use hub::{options::ForwardingOptions, service::ForwardingService};
pub use remote::{RegistrationState, RemoteForwarder};

/// Where a hub's forwarding service is found.
pub const FORWARDING_SERVICE: &str = "forwarding_service";
