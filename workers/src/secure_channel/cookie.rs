//! Stateless cookies: proof that the sender of a first handshake message also receives at its
//! source.
//!
//! ```text
//! cookie = HMAC-SHA256(secret, epoch || length of source || source || message 1)
//! epoch  = seconds / 30 (8 bytes, big-endian); the length has 4 bytes, big-endian
//! ```
//!
//! A listener under load answers message 1 with a cookie and forgets it; the initiator sends
//! message 1 again, with the cookie. The secret belongs to this process, so nobody else can check
//! or make a cookie, and its layout is private. Within its two epochs a cookie may be used again by
//! the same source with the same message: it keeps strangers out, but does not count handshakes.

use std::fmt;

use ring::{
    hmac::{self, Key, HMAC_SHA256},
    rand::SecureRandom,
};

/// Bytes of a cookie.
pub const COOKIE_LENGTH: usize = 32;

/// Seconds of an epoch. A cookie is valid in its own and the next one: 30 to 60 seconds, several
/// times as long as a slow handshake.
pub const EPOCH_SECONDS: u64 = 30;

/// Makes and checks the cookies of this process.
pub struct Cookies {
    key: Key,
}

impl Cookies {
    /// A new secret, or `None` when the system has no randomness to give.
    #[must_use]
    pub fn new(rng: &dyn SecureRandom) -> Option<Self> {
        Some(Self { key: Key::generate(HMAC_SHA256, rng).ok()? })
    }

    /// The cookie for a message from `source`. `now` is in seconds of any clock that never goes
    /// back.
    #[must_use]
    pub fn issue(&self, now: u64, source: &[u8], message1: &[u8]) -> [u8; COOKIE_LENGTH] {
        let mut cookie = [0; COOKIE_LENGTH];
        cookie.copy_from_slice(self.tag(now / EPOCH_SECONDS, source, message1).as_ref());
        cookie
    }

    /// Whether [`issue`](Self::issue) gave this cookie to this source for this message, in this
    /// epoch or the one before.
    #[must_use]
    pub fn verify(&self, now: u64, source: &[u8], message1: &[u8], cookie: &[u8]) -> bool {
        let epoch = now / EPOCH_SECONDS;
        let epochs = [Some(epoch), epoch.checked_sub(1)];
        epochs.into_iter().flatten().any(|epoch| self.is_tag(epoch, source, message1, cookie))
    }

    fn tag(&self, epoch: u64, source: &[u8], message1: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key, &covered(epoch, source, message1))
    }

    /// In constant time for any cookie of the right length.
    fn is_tag(&self, epoch: u64, source: &[u8], message1: &[u8], cookie: &[u8]) -> bool {
        hmac::verify(&self.key, &covered(epoch, source, message1), cookie).is_ok()
    }
}

/// The source's length keeps bytes from moving between source and message.
fn covered(epoch: u64, source: &[u8], message1: &[u8]) -> Vec<u8> {
    // A source is an address of a few bytes; one of 4 GiB would share its length with others, but
    // it cannot exist.
    let length = u32::try_from(source.len()).unwrap_or(u32::MAX);
    [&epoch.to_be_bytes()[..], &length.to_be_bytes(), source, message1].concat()
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookies(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ring::rand::SystemRandom;

    fn cookies() -> Cookies {
        Cookies::new(&SystemRandom::new()).unwrap()
    }

    #[test]
    fn cookies_are_valid_for_two_epochs() {
        let cookies = cookies();
        let cookie = cookies.issue(59, b"source", b"message");
        for (now, good) in [
            (29, false),
            (30, true),
            (59, true),
            (60, true),
            (89, true),
            (90, false),
            (u64::MAX, false),
        ] {
            assert_eq!(cookies.verify(now, b"source", b"message", &cookie), good, "at {now}");
        }
        assert!(cookies.verify(0, b"s", b"m", &cookies.issue(0, b"s", b"m")));
    }

    #[test]
    fn cookies_fit_one_source_message_and_process() {
        let (ours, theirs) = (cookies(), cookies());
        let cookie = ours.issue(0, b"source", b"message");
        assert!(!ours.verify(0, b"sourcem", b"essage", &cookie));
        assert!(!ours.verify(0, b"other", b"message", &cookie));
        assert!(!ours.verify(0, b"source", b"other", &cookie));
        assert!(!theirs.verify(0, b"source", b"message", &cookie));
        assert!(!ours.verify(0, b"source", b"message", &cookie[..31]));
        assert!(!ours.verify(0, b"source", b"message", &[]));
        assert_eq!(format!("{ours:?}"), "Cookies(redacted)");
    }

    proptest! {
        #[test]
        fn no_flipped_bit_is_accepted(
            bit in 0usize..256, now: u64, source: [u8; 6], message: [u8; 32],
        ) {
            let cookies = cookies();
            let mut cookie = cookies.issue(now, &source, &message);
            prop_assert!(cookies.verify(now, &source, &message, &cookie));
            cookie[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!cookies.verify(now, &source, &message, &cookie));
        }
    }
}
