//! A message that could not be delivered, with the notice for its sender.

use crate::{
    address::Address,
    message::{
        notice::{Notice, UndeliverableReason},
        Message,
    },
};

/// A message that could not be delivered.
#[derive(Debug)]
pub struct Undelivered {
    /// The message, with its onward route as it was at the hop that failed.
    pub message: Message,
    /// Which hop, and why.
    pub notice: Notice,
}

impl Undelivered {
    /// Says that `message` could not pass `hop`.
    pub fn new(message: Message, hop: &Address, reason: UndeliverableReason) -> Box<Self> {
        Box::new(Self { message, notice: Notice::new(hop.clone(), reason) })
    }
}
