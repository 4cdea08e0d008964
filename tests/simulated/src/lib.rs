//! The guide's tunnels in simulated networks, with faults that follow from seeds.
//!
//! | module | what is in it |
//! |---|---|
//! | [`tunnel`] | the nodes of steps 03 and 04 |
//! | [`exchange`] | clients and the target, which note what they sent and got |
//! | [`faults`] | cuts, kills, losses of power, slow and lossy links |
//! | [`history`] | what must hold of what was noted |
//! | [`hubs`], [`bus`] | hubs of a cluster, and what they talk over |
//! | [`owner`] | programs of one identity that want one address |
//! | [`trial`] | one run: exchanges under faults, then rest, and all that must hold |

// These are parts of tests.
#![allow(clippy::unwrap_used)]

pub mod bus;
pub mod exchange;
pub mod faults;
pub mod history;
pub mod hubs;
pub mod owner;
pub mod trial;
pub mod tunnel;
