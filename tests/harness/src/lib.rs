//! What tests and benchmarks that run real programs on real sockets are made of.
//!
//! | module | what is in it |
//! |---|---|
//! | [`pattern`], [`random`] | bytes that show where they belong, and choices that a seed repeats |
//! | [`transfer`] | sending such bytes, and checking them as they arrive |
//! | [`client`], [`target`], [`echo`] | TCP clients in front of a tunnel, and the servers behind it |
//! | [`process`], [`program`] | child processes; as tests want them, they fail on a panic |
//! | [`built`], [`installed`] | where our own programs are, and those of the system |
//! | [`role`] | what a program that starts itself again owes its parent |
//! | [`network`] | a test in a network of its own, where every port is free |
//! | [`deadline`] | waiting, never for ever |
//! | [`usage`], [`machine`] | what processes have used, and where and when they ran |
//! | [`scratch`], [`table`] | where processes keep their files, and tables in Markdown |
//!
//! The protocols of the soak and of the benchmark are their own; their parts are from here.

pub mod built;
pub mod client;
pub mod deadline;
pub mod echo;
pub mod installed;
pub mod machine;
pub mod network;
pub mod pattern;
pub mod process;
pub mod program;
pub mod random;
pub mod role;
pub mod scratch;
pub mod table;
pub mod target;
pub mod transfer;
pub mod usage;
