//! Whose arbiter runs on a thread.

use std::cell::Cell;

thread_local! {
    /// The node's id, and the arbiter's index.
    static CURRENT: Cell<Option<(u64, usize)>> = const { Cell::new(None) };
}

/// The id of the node whose arbiter runs on this thread at this moment, and the arbiter's index.
pub(super) fn current() -> Option<(u64, usize)> {
    CURRENT.get()
}

/// Notes whose arbiter runs on this thread from now on; returns whose did before.
pub(crate) fn enter(arbiter: Option<(u64, usize)>) -> Option<(u64, usize)> {
    CURRENT.replace(arbiter)
}
