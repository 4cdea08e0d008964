//! The console: what its documents say is what comes, nothing in it gives access, and the page does
//! what it shows.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

mod api;
mod command;
mod figures;
mod network;
mod page;
mod several;
