//! UDP portals between nodes of one process, with real sockets.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

mod access;
mod flows;
mod losses;
mod lossy;
mod passing;
mod support;
