//! What is known of key histories, without clock, file or lock.

use std::collections::{BTreeMap, HashMap};

use ockam_actix_runtime::{trust::source::SourceAddress, Identifier};
use thiserror::Error;

use crate::identity::{key_history::KeyHistory, HistoryRelation, Identity};

/// Histories that a node remembers, mostly some 400 bytes each, at most 3.7 KiB and so 15 MiB.
/// Beyond that, one makes room that was not met for long: of the source that has the most of them,
/// so that a stranger with made-up identities pushes out his own; each costs him a registration or
/// a handshake that a policy accepts.
pub const MAX_KNOWN: usize = 4_096;

/// Why an identity is refused although the policy trusts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyRefused {
    /// It shows the beginning of a longer history.
    #[error(
        "its key was replaced: it shows a history of {shown} keys, and {known} are known; \
         whoever uses it may have stolen it"
    )]
    Replaced {
        /// Keys in the history that was shown.
        shown: usize,
        /// Keys in the one that was met before.
        known: usize,
    },
    /// Two histories begin alike and continue differently.
    #[error(
        "two key histories of it are known that exclude each other, so an old key was used by \
         somebody else: \"ockam identity known\" says which one is accepted"
    )]
    Forked,
}

/// By whom an identity became known: who can fill the table with more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetBy {
    /// By a policy that names it. Strangers make no room at its expense.
    Name,
    /// By a policy that trusts everybody.
    Anyone,
    /// By a registration over a connection from there.
    Source(SourceAddress),
    /// By a run of the program before this one.
    Kept,
}

/// What is known of one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownHistory {
    /// The longest history that was met.
    Longest(KeyHistory),
    /// Two histories that exclude each other: both are refused.
    Forked(KeyHistory, KeyHistory),
    /// The history that the operator has accepted, or what continues it. What branches off it is
    /// refused and changes nothing.
    Accepted(KeyHistory),
}

#[derive(Debug)]
struct Entry {
    known: KnownHistory,
    /// The longest history as it was shown, with the signatures that were verified; not where only
    /// a file has told of it.
    shown: Option<Identity>,
    met_by: MetBy,
    /// When it was last of use, in meetings.
    used: u64,
    /// When it last changed, in meetings.
    changed: u64,
}

/// The identities that were met.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<Identifier, Entry>,
    /// Counts meetings.
    clock: u64,
    /// What changed until then is in the file.
    written: u64,
}

/// What a meeting comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meeting {
    pub(super) result: Result<(), KeyRefused>,
    /// Whether more is known than before.
    pub(super) is_news: bool,
}

impl Entry {
    fn new(known: KnownHistory, met_by: MetBy, changed: u64) -> Self {
        Self { known, shown: None, met_by, used: changed, changed }
    }

    fn shown(self, identity: &Identity) -> Self {
        Self { shown: Some(identity.clone()), ..self }
    }
}

impl KnownHistory {
    /// Whose history it is.
    pub fn identifier(&self) -> Identifier {
        self.history().identifier()
    }

    /// The history that is accepted, or the first of two.
    pub fn history(&self) -> &KeyHistory {
        match self {
            Self::Longest(history) | Self::Accepted(history) | Self::Forked(history, _) => history,
        }
    }

    fn check(&self, shown: &KeyHistory) -> Result<(), KeyRefused> {
        if let Self::Forked(..) = self {
            return Err(KeyRefused::Forked);
        }
        let known = self.history();
        match shown.relation_to(known) {
            HistoryRelation::Same | HistoryRelation::Newer | HistoryRelation::Unrelated => Ok(()),
            HistoryRelation::Older => {
                Err(KeyRefused::Replaced { shown: shown.key_count(), known: known.key_count() })
            }
            HistoryRelation::Forked => Err(KeyRefused::Forked),
        }
    }

    /// What is known after `shown` was met; `None` if that is the same.
    fn learned(&self, shown: &KeyHistory) -> Option<Self> {
        match (self, shown.relation_to(self.history())) {
            (Self::Longest(_), HistoryRelation::Newer) => Some(Self::Longest(shown.clone())),
            (Self::Accepted(_), HistoryRelation::Newer) => Some(Self::Accepted(shown.clone())),
            (Self::Longest(known), HistoryRelation::Forked) => {
                Some(Self::Forked(known.clone(), shown.clone()))
            }
            _ => None,
        }
    }

    /// What two programs know together.
    fn joined(self, other: Self) -> Self {
        match (self, other) {
            // A person decided; what was met since may continue that.
            (accepted @ Self::Accepted(_), other) | (other, accepted @ Self::Accepted(_)) => {
                accepted.learned(other.history()).unwrap_or(accepted)
            }
            (forked @ Self::Forked(..), _) | (_, forked @ Self::Forked(..)) => forked,
            (known, Self::Longest(other)) => known.learned(&other).unwrap_or(known),
        }
    }
}

impl Table {
    /// Compares an identity with what is known of it.
    pub(super) fn check(&self, identity: &Identity) -> Result<(), KeyRefused> {
        let entry = self.entries.get(&identity.identifier());
        entry.map_or(Ok(()), |entry| entry.known.check(&KeyHistory::of(identity)))
    }

    /// Compares an identity with what is known of it, and remembers what is new: a longer history,
    /// and one that excludes the known one. An identity with one key and no entry is not news, as
    /// no history is shorter.
    pub(super) fn meet(&mut self, identity: &Identity, by: MetBy) -> Meeting {
        let (identifier, shown) = (identity.identifier(), KeyHistory::of(identity));
        self.clock += 1;
        let clock = self.clock;
        let Some(entry) = self.entries.get_mut(&identifier) else {
            let is_news = shown.key_count() > 1;
            if is_news {
                let known = KnownHistory::Longest(shown);
                self.insert(Entry::new(known, by, clock).shown(identity));
            }
            return Meeting { result: Ok(()), is_news };
        };
        let result = entry.known.check(&shown);
        if result.is_ok() {
            entry.used = clock;
            entry.shown = Some(identity.clone());
            if entry.met_by != MetBy::Name {
                entry.met_by = by;
            }
        }
        let learned = entry.known.learned(&shown);
        let is_news = learned.is_some();
        if let Some(learned) = learned {
            (entry.known, entry.changed) = (learned, clock);
        }
        Meeting { result, is_news }
    }

    /// Adds what a file holds that was just opened. With `is_kept`, it is the file that is written.
    pub(super) fn add(&mut self, file: Vec<(KnownHistory, MetBy)>, is_kept: bool) {
        for (known, met_by) in file {
            self.clock += 1;
            let known = match self.entries.remove(&known.identifier()) {
                Some(entry) => known.joined(entry.known),
                None => known,
            };
            let changed = if is_kept { self.written } else { self.clock };
            self.insert(Entry { used: self.clock, ..Entry::new(known, met_by, changed) });
        }
    }

    fn insert(&mut self, entry: Entry) {
        let identifier = entry.known.identifier();
        if self.entries.len() >= MAX_KNOWN && !self.entries.contains_key(&identifier) {
            self.make_room();
        }
        self.entries.insert(identifier, entry);
    }

    /// Forgets the entry that was not used for the longest time, of those who have the most of
    /// them, and of identities that a policy names only if there are no others.
    fn make_room(&mut self) {
        let mut shares = HashMap::new();
        for entry in self.entries.values() {
            *shares.entry(entry.met_by).or_insert(0_usize) += 1;
        }
        let largest = shares.iter().max_by_key(|(by, count)| (**by != MetBy::Name, **count, **by));
        let of_largest = |entry: &&Entry| largest.is_some_and(|(by, _)| *by == entry.met_by);
        let oldest = self.entries.values().filter(of_largest).min_by_key(|entry| entry.used);
        if let Some(forgotten) = oldest.map(|entry| entry.known.identifier()) {
            self.entries.remove(&forgotten);
        }
    }

    /// Takes over what is in the file, and adds what was met here since it was written: whatever
    /// else is not in the file was taken out of it. Returns of whom something else is known than
    /// before.
    pub(super) fn catch_up(&mut self, file: Vec<(KnownHistory, MetBy)>) -> Vec<Identifier> {
        let written = self.written;
        let mut own = std::mem::take(&mut self.entries);
        let mut news = Vec::new();
        for (known, met_by) in file {
            self.clock += 1;
            let identifier = known.identifier();
            let Some(entry) = own.remove(&identifier) else {
                let used = self.clock;
                self.insert(Entry { used, ..Entry::new(known, met_by, written) });
                news.push(identifier);
                continue;
            };
            let joined = match entry.changed > written {
                true => known.clone().joined(entry.known.clone()),
                false => known.clone(),
            };
            if joined != entry.known {
                news.push(identifier);
            }
            let changed = if joined == known { written } else { entry.changed };
            self.entries.insert(identifier, Entry { known: joined, changed, ..entry });
        }
        own.into_values().filter(|entry| entry.changed > written).for_each(|entry| {
            self.insert(entry);
        });
        news
    }

    /// Has everything written again, because the file is lost.
    pub(super) fn forget_the_file(&mut self) {
        self.written = 0;
        self.entries.values_mut().for_each(|entry| entry.changed = entry.changed.max(1));
    }

    /// Whether something is not in the file yet.
    pub(super) fn is_unwritten(&self) -> bool {
        self.entries.values().any(|entry| entry.changed > self.written)
    }

    /// All entries, the longest unused first, and the moment to give to [`Table::written`].
    pub(super) fn snapshot(&self) -> (Vec<(KnownHistory, MetBy)>, u64) {
        let mut entries: Vec<_> = self.entries.values().collect();
        entries.sort_by_key(|entry| entry.used);
        let entries = entries.iter().map(|entry| (entry.known.clone(), entry.met_by));
        (entries.collect(), self.clock)
    }

    /// What changed until `clock` is in the file.
    pub(super) fn written(&mut self, clock: u64) {
        self.written = self.written.max(clock);
    }

    /// The longest history that was shown, with its signatures.
    pub(super) fn shown(&self, identifier: &Identifier) -> Option<&Identity> {
        self.entries.get(identifier)?.shown.as_ref()
    }

    pub(super) fn known(&self, identifier: &Identifier) -> Option<&KnownHistory> {
        self.entries.get(identifier).map(|entry| &entry.known)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
