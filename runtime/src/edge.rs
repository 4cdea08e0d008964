//! Edges between actors: the bytes that may be under way, the credit of a connection's peer, the
//! first hop as its sources see it, messages that wait until an edge is established, whether the
//! peer is alive, and the pauses between attempts.

#[cfg_attr(not(internals), doc(hidden))]
pub mod backoff;
pub mod budget;
#[cfg_attr(not(internals), doc(hidden))]
pub mod connection_pools;
pub mod first_hop;
#[cfg_attr(not(internals), doc(hidden))]
pub mod lane;
mod lane_window;
#[cfg_attr(not(internals), doc(hidden))]
pub mod link_budgets;
#[cfg_attr(not(internals), doc(hidden))]
pub mod liveness;
#[cfg_attr(not(internals), doc(hidden))]
pub mod message_queue;
#[cfg_attr(not(internals), doc(hidden))]
pub mod pool;
