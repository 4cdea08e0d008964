//! One change of an identity's history: the key that comes into force, and who agreed to it.

use crate::identity::signature::{PublicKey, Signature};

/// Changes in a history, the first key included. It bounds what a stranger can make us verify:
/// 31 signatures.
pub const MAX_CHANGES: usize = 16;

/// A key of a history with its signatures.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) key: PublicKey,
    pub(super) own: Signature,
    /// By the previous key; the first change has none.
    pub(super) approval: Option<Signature>,
}
