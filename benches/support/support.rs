//! What the benchmarks that run real programs are made of.
//!
//! | module | what is in it |
//! |---|---|
//! | [`process`] | a child process: started, listened to, and ended |
//! | [`role`] | what a program that starts itself again owes its parent |
//! | [`scratch`] | where processes keep their files |
//! | [`usage`] | processor time, memory and descriptors of processes |
//! | [`machine`], [`installed`] | where and when it ran, and with which programs |
//! | [`table`] | tables in Markdown |

pub(crate) mod installed;
pub(crate) mod machine;
pub(crate) mod process;
pub(crate) mod role;
pub(crate) mod scratch;
pub(crate) mod table;
pub(crate) mod usage;
