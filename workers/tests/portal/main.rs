//! Portals between nodes of one process.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

mod coalesced_messages;
mod idle_streams;
mod peer_that_never_reads;
mod proxy_protocol;
mod socks;
mod stalled;
mod support;
mod unix;
mod unknown_streams;
mod urgent;
