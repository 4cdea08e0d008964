//! A simulated network: hosts with names, links between them, TCP connections over the links, all
//! in one thread and in virtual time.
//!
//! | idea | module |
//! |---|---|
//! | the network, and its hosts | [`network`], [`host`] |
//! | how a link delays, loses and cuts | [`link`] |
//! | one connection: what its two systems would keep of it | `connection` |
//! | hosts, links, and what happens when | `state` |
//! | how segments travel, time out and are answered | `traffic` |
//! | what programs do with connections | `program` |
//! | the two ends as a program has them | [`socket`] |
//! | the arbiter of a node | `arbiter` |
//! | random bits and the calendar | [`scope`] |
//!
//! It stands for the system's TCP where a node uses it: see
//! [`socket::network`](crate::socket::network). Connections lose no bytes: what a link loses is
//! sent again, later, and a link that is cut for long ends them at the times at which TCP would. A
//! host that dies without a word is noticed by keep-alive, by the time limit for unacknowledged
//! bytes, or by the reset that answers the next segment.
//!
//! It does not simulate congestion, reordering of whole connections, and the time that an
//! acknowledgement takes.

pub(crate) mod arbiter;
mod connection;
pub mod host;
pub mod link;
pub mod network;
mod program;
pub mod scope;
pub mod socket;
mod state;
mod traffic;

pub use self::{
    host::Host,
    link::LinkOptions,
    network::SimulatedNetwork,
    scope::{Random, Scope},
    socket::{Listener, Stream},
};
