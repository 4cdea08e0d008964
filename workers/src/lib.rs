//! Workers that come with the node: portals, identities, secure channels and forwarders.
//!
//! | idea | module |
//! |---|---|
//! | TCP portals: inlets, outlets and the streams between them | [`portal`] |
//! | UDP portals: inlets, outlets and the flows of datagrams between them | [`datagram`] |
//! | identities, their vault, and the policies that decide whom to trust | [`identity`] |
//! | how one more identity gets trusted by a string that is good once | [`invitation`] |
//! | end-to-end encrypted channels between two identities | [`secure_channel`] |
//! | how a node that accepts no connections is reached through a hub | [`forwarder`] |
//! | what a program calls to get identities and channels | [`entity`] |
//! | workers that pass messages on or echo them | [`relay`], [`echoer`] |
//! | what is at each hop of a route | [`trace`] |

pub mod datagram;
pub mod echoer;
pub mod entity;
pub mod forwarder;
pub mod identity;
pub mod invitation;
pub mod portal;
pub mod relay;
pub mod secure_channel;
#[cfg(test)]
mod tests;
pub mod trace;

pub use entity::{Entity, SecureChannels};
pub use forwarder::address::ForwardingAddress;
pub use identity::{
    policy::{
        TrustEveryonePolicy, TrustIdentifierPolicy, TrustMultiIdentifiersPolicy, TrustPolicy,
    },
    vault::Vault,
};
pub use secure_channel::SecureChannel;
