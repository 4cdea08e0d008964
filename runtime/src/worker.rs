//! Workers: how an actor gets messages, and what its handlers see.
//!
//! * [`start`]: how an actor becomes a worker.
//! * `inbox`: where messages wait for an actor that the node started.
//! * [`mailbox`]: how they reach an actor that was started elsewhere, and how registrations reach
//!   actors.
//! * [`routed`]: a message at its worker; `delivery` is its envelope.
//! * [`reply`]: what answers a message whose body was taken.
//! * [`context`]: a program's own address.
//! * [`ask`]: questions, and what their answers are taken as.
//! * [`supervision`]: what is started again after a panic.

pub mod ask;
pub mod context;
mod delivery;
mod inbox;
pub mod mailbox;
mod recipient;
pub mod reply;
pub mod routed;
pub mod start;
pub mod supervision;
