//! Lists of what is open on a node.

use std::{collections::BTreeMap, fmt, ops::Deref, sync::Arc};

use crate::lock::Lock;

/// What can be listed.
pub trait Record {
    /// It has just been taken off its list, which is locked: whoever sums up what is open and what
    /// has ended sees it once.
    fn ended(&self) {}
}

/// What is open at the moment, by numbers in the order in which it began. Clones share the list.
pub struct Listing<T>(Arc<Lock<Open<T>>>);

struct Open<T> {
    last: u64,
    all: BTreeMap<u64, Arc<T>>,
}

impl<T: Record> Listing<T> {
    /// Lists something until what is returned is dropped.
    pub fn list(&self, one: T) -> Recorded<T> {
        let one = Arc::new(one);
        let mut open = self.0.lock();
        open.last += 1;
        let number = open.last;
        open.all.insert(number, one.clone());
        Recorded { listing: self.clone(), number, one }
    }

    /// All that is open, each with its number.
    pub fn all(&self) -> Vec<(u64, Arc<T>)> {
        self.while_locked(|all| all.map(|(number, one)| (number, one.clone())).collect())
    }

    /// What `read` makes of all that is open, while nothing is listed and nothing ends.
    pub fn while_locked<R>(
        &self,
        read: impl FnOnce(&mut dyn ExactSizeIterator<Item = (u64, &Arc<T>)>) -> R,
    ) -> R {
        let open = self.0.lock();
        let mut all = open.all.iter().map(|(number, one)| (*number, one));
        read(&mut all)
    }
}

impl<T> Clone for Listing<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self(Arc::new(Lock::new(Open { last: 0, all: BTreeMap::new() })))
    }
}

impl<T> fmt::Debug for Listing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listing({})", self.0.lock().all.len())
    }
}

/// Something that is listed until this is dropped.
pub struct Recorded<T: Record> {
    listing: Listing<T>,
    number: u64,
    one: Arc<T>,
}

impl<T: Record> Deref for Recorded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.one
    }
}

impl<T: Record> Drop for Recorded<T> {
    fn drop(&mut self) {
        let mut open = self.listing.0.lock();
        open.all.remove(&self.number);
        self.one.ended();
    }
}

impl<T: Record + fmt::Debug> fmt::Debug for Recorded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.one.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Word(&'static str);

    impl Record for Word {}

    #[test]
    fn what_has_ended_is_not_listed() {
        let listing = Listing::<Word>::default();
        let words = || -> Vec<(u64, &str)> {
            listing.all().iter().map(|(number, word)| (*number, word.0)).collect()
        };
        let (one, two) = (listing.list(Word("one")), listing.list(Word("two")));
        assert_eq!(words(), vec![(1, "one"), (2, "two")]);
        drop(one);
        let _three = listing.list(Word("three"));
        assert_eq!(words(), vec![(2, "two"), (3, "three")]);
        assert_eq!(two.0, "two");
    }
}
