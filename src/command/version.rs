//! What `ockam --version` says.

/// The version, the commit if this was built from one, and the features.
pub(crate) const LONG: &str = concat!(env!("CARGO_PKG_VERSION"), env!("OCKAM_BUILD"));
