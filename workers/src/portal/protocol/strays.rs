//! The `Resume`s that an outlet has answered with `Unknown`, so that what was held up along their
//! streams' lost paths does no harm when it comes after all.
//!
//! An inlet that gets `Unknown` may open its stream anew. An `Open` that it had sent before, along
//! another path, would then open a second stream, and give the target the same bytes twice; an
//! older `Resume` would take the new stream to a path that nobody listens to.

use std::collections::{BTreeMap, VecDeque};

use crate::portal::{limits::MAX_STRAYS, protocol::resumption::StreamSecret};

/// The last [`MAX_STRAYS`] of them. `R` tells paths apart: the route back to the inlet.
///
/// ```
/// use ockam_actix_workers::portal::protocol::{resumption::StreamSecret, strays::Strays};
///
/// let (mut strays, secret) = (Strays::default(), StreamSecret::from_bytes([7; 16]));
/// assert!(strays.admits_open(secret, &"old"));
/// strays.note(secret, 1, "new");
/// assert!(strays.admits_open(secret, &"new") && !strays.admits_open(secret, &"old"));
/// assert!(strays.admits_resume(secret, 2) && !strays.admits_resume(secret, 1));
/// ```
#[derive(Debug)]
pub struct Strays<R> {
    answered: BTreeMap<[u8; StreamSecret::BYTES], Answered<R>>,
    oldest: VecDeque<StreamSecret>,
}

#[derive(Debug)]
struct Answered<R> {
    attempt: u64,
    from: R,
}

impl<R> Default for Strays<R> {
    fn default() -> Self {
        Self { answered: BTreeMap::new(), oldest: VecDeque::new() }
    }
}

impl<R: Eq> Strays<R> {
    /// Notes that a `Resume` that came from `from` is answered with `Unknown`.
    pub fn note(&mut self, secret: StreamSecret, attempt: u64, from: R) {
        let before = self.answered.insert(*secret.as_bytes(), Answered { attempt, from });
        if before.is_none() {
            self.oldest.push_back(secret);
        }
        if self.oldest.len() > MAX_STRAYS {
            if let Some(oldest) = self.oldest.pop_front() {
                self.answered.remove(oldest.as_bytes());
            }
        }
    }

    /// Whether an `Open` that came from `from` is not one that its inlet has gone on without.
    pub fn admits_open(&self, secret: StreamSecret, from: &R) -> bool {
        self.answered.get(secret.as_bytes()).is_none_or(|answered| answered.from == *from)
    }

    /// Whether a `Resume` is newer than the one that was answered.
    pub fn admits_resume(&self, secret: StreamSecret, attempt: u64) -> bool {
        self.answered.get(secret.as_bytes()).is_none_or(|answered| attempt > answered.attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(number: usize) -> StreamSecret {
        StreamSecret::from_bytes((number as u128).to_be_bytes())
    }

    #[test]
    fn only_the_last_strays_are_remembered() {
        let mut strays = Strays::default();
        for number in 0..MAX_STRAYS + 3 {
            strays.note(secret(number), 1, number);
            strays.note(secret(number), 2, number);
        }
        assert_eq!((strays.answered.len(), strays.oldest.len()), (MAX_STRAYS, MAX_STRAYS));
        assert!(strays.admits_resume(secret(2), 1) && strays.admits_open(secret(2), &0));
        assert!(!strays.admits_resume(secret(3), 2) && !strays.admits_open(secret(3), &0));
    }
}
