//! Secure channels between nodes of one process that are connected by TCP on loopback.
//!
//! Every wait has a deadline; nothing sleeps to let something happen.

// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

mod altered;
mod answers;
mod establishing;
mod expendable;
mod load;
mod loss;
mod other_peer;
mod renewal;
mod reply_addresses;
mod rotation;
mod support;
mod trust;
mod unanswered;
mod withdrawal;
