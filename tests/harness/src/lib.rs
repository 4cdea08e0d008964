//! The parts of tests and benchmarks that run real programs on real sockets.
//!
//! | module | what is in it |
//! |---|---|
//! | [`pattern`], [`random`] | bytes that show where they belong, and choices that a seed repeats |
//! | [`transfer`] | sending such bytes, and checking them as they arrive |
//! | [`client`], [`target`], [`echo`] | TCP clients of a tunnel, and the servers that it leads to |
//! | [`lasting`] | connections that must outlive what happens between their ends |
//! | [`process`], [`program`] | child processes, and their form for tests: every failure is a panic |
//! | [`built`], [`installed`] | where our own programs are, and those of the system |
//! | [`role`] | the contract between a program and the copies that it starts of itself |
//! | [`network`] | a test in a network of its own, where every port is free |
//! | [`datagrams`] | a line for datagrams, with delay and loss, on which the client moves |
//! | [`wan`], [`islands`] | lines between networks that can be cut |
//! | [`deadline`], [`pauses`] | waits with a deadline, and when the machine let nobody run |
//! | [`usage`], [`machine`] | what processes have used, and where and when they ran |
//! | [`progress`] | what long work is doing, for whoever waits for it |
//! | [`scratch`], [`table`] | where processes keep their files, and tables in Markdown |
//!
//! The soak and the benchmark have protocols of their own, which are made of these parts.

pub mod built;
pub mod client;
pub mod datagrams;
pub mod deadline;
pub mod echo;
pub mod installed;
pub mod islands;
pub mod lasting;
pub mod machine;
pub mod network;
pub mod pattern;
pub mod pauses;
pub mod process;
pub mod program;
pub mod progress;
pub mod random;
pub mod role;
pub mod scratch;
pub mod table;
pub mod target;
pub mod transfer;
pub mod usage;
pub mod wan;
