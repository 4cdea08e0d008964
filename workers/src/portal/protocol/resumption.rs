//! What a stream that outlives its path is known by: the [`StreamSecret`] that its inlet chose and
//! the [`OutletLife`] of the outlet that keeps it.

use std::{fmt, num::NonZeroU64};

/// Random bytes that the inlet puts into `Open`: whoever knows them, and comes as the identity that
/// opened the stream, may go on with it.
///
/// ```
/// use ockam_actix_workers::portal::protocol::resumption::StreamSecret;
///
/// let secret = StreamSecret::from_bytes([7; 16]);
/// assert_eq!(format!("{secret:?}"), "StreamSecret(..)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamSecret([u8; Self::BYTES]);

impl StreamSecret {
    /// How many bytes it has: more than can be guessed.
    pub const BYTES: usize = 16;

    /// The secret of these bytes, which are random.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes of the secret, for the wire.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for StreamSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamSecret(..)")
    }
}

/// A random number of the time for which an outlet remembers every stream that it cannot be sure
/// its inlet knows of, see [`leaves_doubt`](crate::portal::protocol::stream::Stream::leaves_doubt).
///
/// An inlet whose stream is unknown to an outlet of the same life as before its `Open` knows that
/// none of its bytes reached the target, and may send them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutletLife(NonZeroU64);

impl OutletLife {
    /// The life with this number; `None` for 0, which stands for an outlet that keeps no streams.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number on the wire, never 0.
    pub const fn value(self) -> u64 {
        self.0.get()
    }
}
