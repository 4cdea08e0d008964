//! Two machines that get together without copying addresses: an inlet that names its outlet, and an
//! invitation.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

mod clients;
mod invitations;
mod names;
mod support;
