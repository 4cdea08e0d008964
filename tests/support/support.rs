//! What tests of real programs on real sockets are made of.
//!
//! | module | what is in it |
//! |---|---|
//! | [`network`] | a test in a network of its own, where every port is free |
//! | [`program`] | child processes, their output, and their end |
//! | [`target`] | the TCP server behind the tunnel |
//! | [`client`] | TCP clients in front of it |
//! | [`pattern`] | bytes that show where they belong |
//! | [`deadline`] | waiting, never for ever |
//!
//! `echo_server.rs` and `node.rs` are beside it for tests that need no more than one of them.

pub(crate) mod client;
pub(crate) mod deadline;
pub(crate) mod network;
pub(crate) mod pattern;
pub(crate) mod program;
pub(crate) mod target;
