//! Edges between actors: the bytes that may be under way, the first hop as its sources see it,
//! what waits until an edge is there, and the pauses before it is made again.

pub mod backoff;
pub mod budget;
pub mod first_hop;
pub mod message_queue;
