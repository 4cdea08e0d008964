//! Positions in one direction of a stream: absolute 64-bit counts of bytes since it began.
//!
//! All arithmetic on them is here and checked, so that the rest of the core compares and moves
//! positions but never adds numbers.

use std::fmt;

/// How many bytes of one direction lie before a position; the first byte of a stream is at
/// [`Offset::ZERO`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(u64);

impl Offset {
    /// Where every direction of every stream begins.
    pub const ZERO: Self = Self(0);

    /// The position with `bytes` bytes before it.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes before this position.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The position `bytes` further on, or `None` past the end of the 64-bit range.
    pub const fn forward(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The position behind a `Fin` here, which counts as one byte.
    pub const fn after_fin(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The bytes from `earlier` to here; 0 when `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The first position that may *not* be sent: bytes with an offset below the limit may be.
///
/// Limits are absolute, so that a repeated or late announcement changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limit(u64);

impl Limit {
    /// The limit that lets in the first `bytes` bytes of a direction.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The limit `window` bytes beyond `base`; stops at the end of the 64-bit range.
    pub const fn ahead_of(base: Offset, window: u64) -> Self {
        Self(base.0.saturating_add(window))
    }

    /// The number of bytes let in since the stream began.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// How many bytes may still be sent from `position` on.
    pub const fn room_from(self, position: Offset) -> u64 {
        self.0.saturating_sub(position.0)
    }

    /// How far this limit lies beyond `earlier`; 0 when it does not.
    pub const fn beyond(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether bytes that end at `end` are all below the limit.
    pub const fn allows(self, end: Offset) -> bool {
        end.0 <= self.0
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
