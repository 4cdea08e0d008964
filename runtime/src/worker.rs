//! Workers: how an actor gets messages, and what its handlers see.
//!
//! * [`start`]: how an actor becomes a worker; [`handle`]: what its starter holds.
//! * `inbox`: where messages wait for an actor that the node started, as [`letter`]s of the types
//!   that it handles.
//! * `tenure`: how an actor holds the worker's address, and another one follows; [`restart`]: when.
//! * [`mailbox`]: how messages reach an actor that was started elsewhere, and how registrations
//!   reach actors.
//! * [`routed`]: a message at its worker; `delivery` is its envelope.
//! * [`reply`]: what answers a message whose body was taken.
//! * [`context`]: a program's own address.
//! * [`ask`]: questions, and the types of their answers.
//! * [`supervision`]: what is started again after a panic.

pub mod ask;
pub mod context;
mod delivery;
pub mod handle;
mod inbox;
#[cfg_attr(not(internals), doc(hidden))]
pub mod letter;
pub mod mailbox;
mod recipient;
pub mod reply;
pub mod restart;
pub mod routed;
pub mod start;
pub mod supervision;
mod tenure;
