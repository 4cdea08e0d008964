//! Transports: how messages travel between nodes.
//!
//! | idea | module |
//! |---|---|
//! | the bytes on a connection: greeting and frames | [`frame`] |
//! | what runs on a connection, whatever carries it | [`connection`] |
//! | TCP: resolving, connecting, listening | [`tcp`] |
//! | Unix sockets | [`unix`] |
//! | QUIC, with the feature `quic` | `quic` |
//! | WebSockets, with the feature `ws` | `ws` |
//! | TLS, with the feature `tls` | `tls` |
//! | proxies for outgoing connections | [`proxy`] |
//! | peers as people write them | [`peer`] |
//! | a virtual link between two nodes of one process, for tests | [`memory`] |
//! | every limit, with its unit and reason | [`limits`] |
//!
//! A transport does three things: it registers an egress for each peer, which turns messages into
//! frames; it turns frames back into messages, stamps their origin and prepends the connection's
//! address to their return route; and it tells the sources of a connection through a
//! [`FirstHop`](ockam_actix_runtime::edge::first_hop::FirstHop) when it is lost.

pub mod connection;
#[cfg_attr(not(internals), doc(hidden))]
pub mod frame;
pub mod limits;
#[cfg_attr(not(internals), doc(hidden))]
pub mod memory;
#[cfg_attr(not(internals), doc(hidden))]
pub mod peer;
#[cfg_attr(not(internals), doc(hidden))]
pub mod proxy;
#[cfg(feature = "quic")]
pub mod quic;
pub mod tcp;
#[cfg(feature = "tls")]
pub mod tls;
pub mod unix;
#[cfg(feature = "ws")]
pub mod ws;

pub use connection::listener::{ListenOptions, Listener};
pub use proxy::Proxies;
#[cfg(feature = "quic")]
pub use quic::QUIC;
pub use tcp::TCP;
pub use unix::UNIX;
#[cfg(feature = "ws")]
pub use ws::WS;
#[cfg(feature = "tls")]
pub use ws::WSS;
