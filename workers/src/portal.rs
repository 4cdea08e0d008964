//! TCP portals: an inlet accepts clients, an outlet connects to the target, and each connection is
//! a stream between the two.
//!
//! A pure core decides what one tunnelled TCP connection says, may say, and does next:
//!
//! ```text
//! socket bytes -> Stream::socket_read -> data_header + bytes -> route -> decode -> Stream::handle_message -> socket bytes
//!                       ^                                                               |
//!                  SendWindow  <----------------- Window{limit} <------------------ ReceiveWindow
//! ```
//!
//! | idea | module |
//! |---|---|
//! | that core | [`protocol`] |
//! | accepts clients and starts a stream for each | [`inlet`] |
//! | starts the other end of a stream for each `Open` | [`outlet`] |
//! | the actor of one end, and its socket | `end` |
//! | what an outlet connects to, and how | `target` |
//! | clients that name their servers | `socks` |
//! | what passes on a socket before its stream does | `first_bytes` |
//! | streams whose inlets do not know their addresses yet | `opening` |
//! | streams that an outlet keeps when their paths are lost | `kept_streams` |
//! | what an inlet does until it is stopped, and again after a panic | `service` |
//! | what an inlet knows of its outlet | `known_outlet` |
//! | the bytes that all streams of a node may hold | [`pool`] |
//! | every limit, with its unit and reason | [`limits`] |

mod end;
mod first_bytes;
pub mod inlet;
mod kept_streams;
mod known_outlet;
pub mod limits;
mod opening;
pub mod outlet;
#[cfg_attr(not(internals), doc(hidden))]
pub mod pool;
#[cfg_attr(not(internals), doc(hidden))]
pub mod protocol;
pub(crate) mod service;
mod socks;
mod target;

pub use inlet::{Inlet, InletOptions};
pub use outlet::{Outlet, OutletOptions};
pub use target::proxy_protocol::ProxyProtocol;
