//! The real programs over real sockets: every example, the command, and what must hold when
//! something is killed or somebody is hostile.
//!
//! | module | what is in it |
//! |---|---|
//! | [`tunnel`] | the guide's steps as running programs |
//! | [`over`] | step 04 with the program `ockam`, over each carrier |
//! | [`guide`] | what each step carries |
//! | [`starting`] | the examples to start with |
//! | [`command`] | `ockam` and its errors |
//! | [`addresses`] | addresses as people write them |
//! | [`hops`] | streams that pass more workers |
//! | [`outage`] | programs that are killed and started again, targets that are not there |
//! | [`survival`], [`lost_line`] | what open connections do not notice |
//! | [`conformance`] | connections that end through a tunnel as they end without one |
//! | [`farewell`] | bytes that are sent just before a reset |
//! | [`latency`], [`line`] | keystrokes beside bulk transfers, over a line with a rate and a delay |
//! | [`surroundings`] | outputs that nobody takes, limits, a clock that is set |
//! | [`descriptors`] | programs that may have few descriptors |
//! | [`memory`] | the memory that readers that stop cost |
//! | [`saturation`] | both directions full at the same time |
//! | [`programs`] | curl, ssh, rsync, redis and others, which do not notice the tunnel |
//! | [`isolation`] | peers that take nothing, beside others that do |
//! | [`hostile`] | a hostile hub |
//! | [`garbage`] | hostile peers |

// A test that fails panics with what it found.
#![allow(clippy::unwrap_used)]

mod addresses;
#[path = "../carriers/carrier.rs"]
mod carrier;
mod command;
mod conformance;
mod descriptors;
mod farewell;
mod garbage;
mod guide;
mod hops;
mod hostile;
mod isolation;
mod latency;
mod line;
mod lost_line;
mod memory;
mod outage;
mod over;
mod programs;
mod saturation;
mod starting;
mod surroundings;
mod survival;
mod tunnel;
