//! Trust: where a message came from, what it may reach because of that, and how much a stranger
//! may ask for.
//!
//! * [`origin`]: what the node itself knows of a message's sender.
//! * [`reachability`]: the one function that decides what is delivered, and its listing for people.
//! * [`members`]: accepted connections that do not belong to strangers.
//! * [`source`]: what an accepted connection is counted against.
//! * [`rate`]: how often a source may ask for something.
//! * [`tally`]: how many connections or channels each has.
//! * [`refusal_log`]: warnings that strangers cause, all counted and few logged.

pub mod members;
pub mod origin;
pub mod rate;
pub mod reachability;
pub mod refusal_log;
pub mod source;
#[cfg_attr(not(internals), doc(hidden))]
pub mod tally;
