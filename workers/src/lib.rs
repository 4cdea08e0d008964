//! Workers that come with the node: portals, identities, secure channels and forwarders.

pub mod cookie;
pub mod handshake;
pub mod identity;
pub mod local_identity;
pub mod messagepack;
pub mod policy;

pub mod portal;
pub mod record;
pub mod secret_bytes;
pub mod signature;
pub mod vault;
pub mod vault_file;
