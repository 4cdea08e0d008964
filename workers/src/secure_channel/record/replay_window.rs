//! Which numbers have been seen, in any order, as far as they are not too old: the anti-replay
//! window of [RFC 4303, section 3.4.3].
//!
//! [RFC 4303, section 3.4.3]: https://www.rfc-editor.org/rfc/rfc4303#section-3.4.3

/// How far a number may be behind the highest one. At 20,000 datagrams a second, one may be a fifth
/// of a second later than those sent after it, as when it waits for a repeated packet.
pub const WINDOW: u64 = 4_096;

const WORDS: usize = (WINDOW / u64::BITS as u64) as usize;

/// The numbers that were seen.
#[derive(Debug)]
pub struct ReplayWindow {
    /// One more than the highest number.
    next: u64,
    /// A bit for each of the last [`WINDOW`] numbers below `next`, at its remainder.
    seen: [u64; WORDS],
}

/// Why a number is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It was seen before.
    Repeated,
    /// It is so old that nobody knows any more.
    Late,
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self { next: 0, seen: [0; WORDS] }
    }
}

impl ReplayWindow {
    /// Checks a number, of which it is not known yet whether it is authentic.
    ///
    /// # Errors
    /// If it was seen before, or may have been.
    pub fn check(&self, number: u64) -> Result<(), Replay> {
        if number >= self.next {
            return Ok(());
        }
        if self.next - number > WINDOW {
            return Err(Replay::Late);
        }
        let (word, bit) = place(number);
        match self.seen[word] & bit {
            0 => Ok(()),
            _ => Err(Replay::Repeated),
        }
    }

    /// Notes an authentic number that [`check`](Self::check) has passed. `u64::MAX` is none.
    pub fn note(&mut self, number: u64) {
        if number >= self.next {
            // The numbers in between may still come; what has their places now is too old.
            let oldest = (number + 1).saturating_sub(WINDOW);
            for skipped in self.next.max(oldest)..number {
                let (word, bit) = place(skipped);
                self.seen[word] &= !bit;
            }
            self.next = number + 1;
        }
        let (word, bit) = place(number);
        self.seen[word] |= bit;
    }

    /// One more than the highest number that was noted.
    pub fn next(&self) -> u64 {
        self.next
    }
}

/// The word of a number's bit, and the bit.
fn place(number: u64) -> (usize, u64) {
    let bits = u64::from(u64::BITS);
    // Less than WORDS.
    let word = (number % WINDOW / bits) as usize;
    (word, 1 << (number % bits))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn take(window: &mut ReplayWindow, number: u64) -> Result<(), Replay> {
        window.check(number).map(|()| window.note(number))
    }

    #[test]
    fn the_window_moves_with_the_highest_number() {
        let mut window = ReplayWindow::default();
        assert_eq!(take(&mut window, 10), Ok(()));
        assert_eq!(take(&mut window, 10), Err(Replay::Repeated));
        assert_eq!(take(&mut window, 9), Ok(()));
        assert_eq!(take(&mut window, 10 + WINDOW), Ok(()));
        assert_eq!(take(&mut window, 10), Err(Replay::Late));
        assert_eq!(take(&mut window, 11), Ok(()), "the oldest that is known");
        assert_eq!(take(&mut window, 11), Err(Replay::Repeated));
        assert_eq!(take(&mut window, 1 << 40), Ok(()));
        assert_eq!(take(&mut window, (1 << 40) - WINDOW), Err(Replay::Late));
        assert_eq!(take(&mut window, (1 << 40) - 1), Ok(()));
    }

    #[test]
    fn what_is_only_checked_changes_nothing() {
        let mut window = ReplayWindow::default();
        take(&mut window, 5).unwrap();
        assert_eq!(window.check(1 << 50), Ok(()));
        assert_eq!((window.next(), take(&mut window, 0)), (6, Ok(())));
    }

    proptest! {
        /// Against a set of all numbers: each is taken at most once, and the first time it comes,
        /// unless it is too old.
        #[test]
        fn any_order_matches_a_set(
            steps in prop::collection::vec((0..4_u8, 0..2 * WINDOW), 0..400),
        ) {
            let (mut window, mut set, mut highest) = (ReplayWindow::default(), BTreeSet::new(), 0);
            for (kind, by) in steps {
                let number: u64 = match kind {
                    // Near the highest, around the edge of the window, and far ahead.
                    0 => (highest + 8_u64).saturating_sub(by % 16),
                    1 => highest.saturating_sub(by),
                    2 => highest.saturating_sub(WINDOW - 4 + by % 8),
                    _ => highest + by,
                };
                let expected = match (set.contains(&number), number + WINDOW <= highest) {
                    (_, true) => Err(Replay::Late),
                    (true, _) => Err(Replay::Repeated),
                    _ => Ok(()),
                };
                prop_assert_eq!(take(&mut window, number), expected, "{} of {}", number, highest);
                if expected.is_ok() {
                    set.insert(number);
                    highest = highest.max(number);
                }
                prop_assert_eq!(window.next(), set.last().map_or(0, |last| last + 1));
            }
        }
    }
}
