//! For authors of transports, and of workers that see envelopes.
//!
//! Programs and workers that handle [`Routed`](crate::Routed) bodies need none of this. [`Host`]
//! has everything that a node does for such extensions:
//!
//! * A *transport* brings a [`Carrier`], which is a connected socket, and a [`Connector`], which
//!   makes one for a peer. [`add_connector`] makes the node dial addresses of the transport;
//!   [`listen`] accepts connections on its [`Binding`]. Greeting, frames, limits, pauses and the
//!   origin of messages are the same for all transports. `examples/own-transport.rs` is one for
//!   Unix sockets.
//! * A *worker that sees envelopes* handles `Routed<Payload>`, or is a [`Deliver`] that is called
//!   for each delivery; it is registered with a [`Description`] and keeps its address as long as
//!   its [`Registration`].

/// What a [`Carrier`] reads into.
pub use bytes::BytesMut;
pub use ockam_actix_runtime::{
    edge::{
        budget::{Budget, Permit},
        first_hop::{FirstHop, LinkState},
    },
    host::Host,
    message::{undelivered::Undelivered, MessageParts},
    node::{
        directory::Registration,
        entry::{AccessRule, Deliver, Description, Entry, Interceptor},
        routing::NextHop,
        Busy, Dialer,
    },
    trust::{
        origin::{Door, HubGrants, Ingress},
        reachability::Listening,
        source::SourceAddress,
    },
    watched,
    worker::mailbox::Registered,
};
pub use ockam_actix_transports::connection::{
    accepted::{accept, Peer},
    carrier::Carrier,
    connection_limits::{ConnectionLimits, ConnectionSlot},
    connectors::Connector,
    dialled::add_connector,
    listener::{listen, Binding, Incoming, Opened},
};
