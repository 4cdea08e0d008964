//! Messages to addresses that no worker of this node has, but another node may.

use crate::{address::Address, message::Message};

/// Takes messages to addresses that nobody has, such as those of workers that were moved to another
/// node. It is called where such a message would come back as undeliverable.
pub trait Strays: Send + Sync {
    /// Takes a message, whose onward route begins with `address`, to deliver it later or to
    /// [bounce](crate::host::Host::bounce) it; gives back one that it knows nothing about.
    ///
    /// # Errors
    /// The message that it does not take.
    fn take(&self, address: &Address, message: Box<Message>) -> Result<(), Box<Message>>;
}
