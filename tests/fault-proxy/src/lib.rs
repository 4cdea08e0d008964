//! A hostile network between two nodes, and a check that nothing wrong came through.
//!
//! | idea | module |
//! |---|---|
//! | what can go wrong with a frame, a chunk of bytes or a datagram | [`fault`] |
//! | when it goes wrong, from a seed; no socket, no clock | [`script`] |
//! | the proxy between two nodes, which follows a script and logs what it does | [`proxy`] |
//! | what it stands in: TCP, a Unix socket, UDP | [`line`](mod@line) |
//! | whether what was received is what was sent; no socket either | [`history`] |
//!
//! All that the proxy knows of the wire protocol is that a frame is a 4-byte length and a body, and
//! that the first one is the greeting. Of WebSockets, TLS and QUIC it knows nothing.

mod datagrams;
pub mod fault;
pub mod history;
mod journal;
pub mod line;
pub mod proxy;
pub mod script;
mod socket;
mod streams;

pub use fault::Fault;
pub use history::{check, End, Outcome, Violation};
pub use line::Line;
pub use proxy::Proxy;
pub use script::{Operation, Script};
