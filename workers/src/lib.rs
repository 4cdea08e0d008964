//! Workers that come with the node: portals, identities, secure channels and forwarders.

pub mod access;
pub mod cookie;
mod current;
pub mod echoer;
pub mod entity;
pub mod forwarder;
pub mod forwarding_address;
pub mod handshake;
pub mod identity;
pub mod known_identities;
pub mod local_identity;
pub mod messagepack;
#[cfg(test)]
mod mutated_inputs;
pub mod policy;
pub mod portal;
#[cfg(test)]
mod protocol_document;
pub mod record;
pub mod relay;
pub mod secret_bytes;
pub mod secure_channel;
pub mod signature;
pub mod vault;
pub mod vault_file;

pub use entity::{Entity, SecureChannels};
pub use forwarding_address::ForwardingAddress;
pub use policy::{
    TrustEveryonePolicy, TrustIdentifierPolicy, TrustMultiIdentifiersPolicy, TrustPolicy,
};
pub use secure_channel::SecureChannel;
pub use vault::Vault;
