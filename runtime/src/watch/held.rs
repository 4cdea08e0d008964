//! The watches that a node holds, and how many it lets in: a table without a clock. Times are
//! counted from any fixed moment.

use std::{
    collections::{hash_map::Entry, HashMap},
    hash::Hash,
    time::Duration,
};

use crate::{
    address::{identifier::Identifier, route::Route, Address},
    limits::{MAX_WATCHES, MAX_WATCHES_OF_A_WORKER, MAX_WATCH_ROUTE_BYTES, WATCHES_SHARE},
    trust::{
        origin::{Door, Origin},
        source::SourceAddress,
        tally::Tally,
    },
};

/// Whose watches are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// This node.
    Local,
    /// An identity at the end of a channel.
    Peer(Identifier),
    /// A connection that a listener has accepted from there.
    Accepted(SourceAddress),
    /// A peer that this node has dialled, or a connection whose remote end has no address.
    Connected(Address),
}

impl Source {
    /// The source of a message.
    pub fn of(origin: &Origin) -> Self {
        let Origin::Remote(ingress) = origin else { return Self::Local };
        match (origin.peer(), origin.source(), &ingress.door) {
            (Some(peer), _, _) => Self::Peer(peer),
            (None, Some(source), _) => Self::Accepted(source),
            (None, None, Door::Outgoing { dialled, .. }) => Self::Connected(dialled.clone()),
            (None, None, _) => Self::Connected(ingress.via.clone()),
        }
    }
}

/// What a node answers to a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is held, as the first of its worker.
    First,
    /// It is held.
    Held,
    /// There are too many.
    Full,
}

/// The watches that a node holds, by worker and by the route that leads back to the watcher.
#[derive(Debug)]
pub struct HeldWatches<K> {
    workers: HashMap<K, HashMap<Route, Held>>,
    count: usize,
    sources: Tally<Source>,
}

#[derive(Debug)]
struct Held {
    name: Address,
    until: Duration,
    source: Source,
}

impl<K> Default for HeldWatches<K> {
    fn default() -> Self {
        Self { workers: HashMap::new(), count: 0, sources: Tally::default() }
    }
}

impl<K: Eq + Hash> HeldWatches<K> {
    /// Holds a watch of `worker` until a time, or renews it. `name` is what the watcher calls the
    /// worker.
    pub fn hold(
        &mut self,
        worker: K,
        back: Route,
        name: &Address,
        source: Source,
        until: Duration,
    ) -> Answer {
        let free = MAX_WATCHES - self.count;
        let has_share = self.sources.has_share(&source, free, WATCHES_SHARE);
        let bytes: usize = back.iter().map(|address| address.as_str().len()).sum();
        let is_first = !self.workers.contains_key(&worker);
        if is_first && (!has_share || bytes > MAX_WATCH_ROUTE_BYTES) {
            return Answer::Full;
        }
        let watches = self.workers.entry(worker).or_default();
        let is_full = watches.len() >= MAX_WATCHES_OF_A_WORKER;
        match watches.entry(back) {
            Entry::Occupied(mut held) => held.get_mut().until = until,
            Entry::Vacant(_) if is_full || !has_share || bytes > MAX_WATCH_ROUTE_BYTES => {
                return Answer::Full;
            }
            Entry::Vacant(slot) => {
                self.sources.add(source.clone());
                self.count += 1;
                slot.insert(Held { name: name.clone(), until, source });
            }
        }
        if is_first {
            Answer::First
        } else {
            Answer::Held
        }
    }

    /// Gives up one watch of `worker`. Its last one leaves an empty place, until
    /// [`expire`](Self::expire) is called.
    pub fn give_up(&mut self, worker: &K, back: &Route) {
        let held = self.workers.get_mut(worker).and_then(|watches| watches.remove(back));
        self.uncount(held);
    }

    /// Forgets the watches of `worker` that were not renewed until `now`; whether others are left.
    pub fn expire(&mut self, worker: &K, now: Duration) -> bool {
        let Some(watches) = self.workers.get_mut(worker) else { return false };
        let expired: Vec<_> =
            watches.extract_if(|_, held| held.until <= now).map(|(_, held)| held).collect();
        let is_empty = watches.is_empty();
        if is_empty {
            self.workers.remove(worker);
        }
        self.uncount(expired);
        !is_empty
    }

    /// Takes all watches of `worker`: the routes along which its end is told, and what it is called
    /// there.
    pub fn take(&mut self, worker: &K) -> Vec<(Route, Address)> {
        let watches = self.workers.remove(worker).unwrap_or_default();
        let told = watches.iter().map(|(back, held)| (back.clone(), held.name.clone())).collect();
        self.uncount(watches.into_values());
        told
    }

    /// The number of watches.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn uncount(&mut self, held: impl IntoIterator<Item = Held>) {
        for Held { source, .. } in held {
            self.sources.remove(&source);
            self.count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;

    const LEASE: Duration = Duration::from_secs(20);

    fn peer(byte: u8) -> Source {
        Source::Peer(Identifier::from_bytes([byte; 32]))
    }

    fn back(number: usize) -> Route {
        route![format!("watcher-{number}")]
    }

    fn hold_one(held: &mut HeldWatches<&str>, number: usize, until: Duration) -> Answer {
        held.hold("shop", back(number), &"shop".into(), peer(1), until)
    }

    /// A watch of one of many workers.
    fn hold_of(held: &mut HeldWatches<usize>, worker: usize, back: Route, source: u8) -> Answer {
        held.hold(worker, back, &"shop".into(), peer(source), LEASE)
    }

    #[test]
    fn a_renewed_watch_is_held_once() {
        let mut held = HeldWatches::default();
        assert_eq!(hold_one(&mut held, 1, LEASE), Answer::First);
        assert_eq!(hold_one(&mut held, 1, 2 * LEASE), Answer::Held);
        assert_eq!(hold_one(&mut held, 2, LEASE), Answer::Held);
        assert!(held.expire(&"shop", LEASE), "one was renewed");
        assert_eq!(held.take(&"shop"), [(back(1), "shop".into())]);
        assert_eq!((held.len(), held.sources.len(), held.workers.len()), (0, 0, 0));
    }

    #[test]
    fn an_expired_or_given_up_watch_leaves_nothing() {
        let mut held = HeldWatches::default();
        hold_one(&mut held, 1, LEASE);
        held.give_up(&"shop", &back(1));
        held.give_up(&"shop", &back(1));
        assert!(!held.expire(&"shop", Duration::ZERO));
        hold_one(&mut held, 1, LEASE);
        assert!(!held.expire(&"shop", LEASE));
        assert_eq!((held.len(), held.sources.len(), held.workers.len()), (0, 0, 0));
        assert!(!held.expire(&"shop", LEASE));
    }

    #[test]
    fn one_source_leaves_room_for_others() {
        let mut held = HeldWatches::default();
        let hold = |held: &mut HeldWatches<usize>, source: u8, number: usize| {
            let worker = number / MAX_WATCHES_OF_A_WORKER;
            hold_of(held, worker, back(usize::from(source) * MAX_WATCHES + number), source)
        };
        let of_the_first =
            (0..MAX_WATCHES).take_while(|n| hold(&mut held, 1, *n) != Answer::Full).count();
        assert_eq!(of_the_first, MAX_WATCHES / 2);
        assert_eq!(hold(&mut held, 2, MAX_WATCHES), Answer::First);
    }

    #[test]
    fn a_worker_has_a_limit_of_its_own() {
        let mut held = HeldWatches::default();
        for number in 0..MAX_WATCHES_OF_A_WORKER {
            assert_ne!(hold_of(&mut held, 0, back(number), 1), Answer::Full);
        }
        assert_eq!(hold_of(&mut held, 0, back(MAX_WATCHES), 2), Answer::Full);
        assert_eq!(hold_of(&mut held, 0, back(0), 1), Answer::Held, "a renewal");
        assert_eq!(hold_of(&mut held, 1, back(MAX_WATCHES), 2), Answer::First);
    }

    #[test]
    fn a_long_route_back_is_not_kept() {
        let long: Route =
            (0..16).map(|n| Address::from(format!("{n}{}", "x".repeat(100)))).collect();
        let mut held = HeldWatches::default();
        assert_eq!(held.hold("shop", long, &"shop".into(), peer(1), LEASE), Answer::Full);
        assert!(held.workers.is_empty());
    }
}
