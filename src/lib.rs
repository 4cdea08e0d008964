//! An embeddable, actor-based message-routing node on actix.

pub mod tcp_transport;

/// The attribute that turns an async `main` into a program that runs a node.
pub use ockam_macros::node;
pub use ockam_runtime::{
    route, run, Address, Body, Context, Culprit, Error, Identifier, Message, Node, NodeBuilder,
    Notice, Origin, Payload, Reason, Result, Route, Routed,
};
pub use ockam_transports::{ListenOptions, Listener, TCP};
pub use ockam_workers::portal::{Inlet, Outlet};
pub use tcp_transport::TcpTransport;
