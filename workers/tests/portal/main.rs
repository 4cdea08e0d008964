//! Portals between nodes of one process.

// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

mod quiet;
mod stalled;
mod support;
mod together;
mod unread;
mod urgent;
