//! Edges between actors: the bytes that may be under way, and the first hop as its sources see it.

pub mod budget;
pub mod first_hop;
