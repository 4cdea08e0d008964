//! Edges between actors: the bytes that may be under way, the first hop as its sources see it,
//! messages that wait until an edge is established, and the pauses between attempts.

#[cfg_attr(not(internals), doc(hidden))]
pub mod backoff;
pub mod budget;
pub mod first_hop;
#[cfg_attr(not(internals), doc(hidden))]
pub mod message_queue;
