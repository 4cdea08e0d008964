//! The register of open sessions: which of them a change of trust concerns.

use std::collections::BTreeMap;

use ockam_actix_runtime::Identifier;

use crate::identity::Identity;

/// Sessions by peer, each with what ends it.
#[derive(Debug)]
pub(super) struct Register<H> {
    /// Numbers sessions.
    next: u64,
    by_peer: BTreeMap<Identifier, BTreeMap<u64, Admitted<H>>>,
}

/// One session.
#[derive(Clone, Debug)]
pub(super) struct Admitted<H> {
    /// The identity at this end.
    pub(super) own: Identifier,
    /// The peer, with the history of keys that it was admitted for.
    pub(super) peer: Identity,
    /// Whether the peer shows its history again at this moment.
    pub(super) is_renewing: bool,
    pub(super) handle: H,
}

impl<H> Default for Register<H> {
    fn default() -> Self {
        Self { next: 0, by_peer: BTreeMap::new() }
    }
}

impl<H: Clone> Register<H> {
    /// Adds a session; returns its number.
    pub(super) fn add(&mut self, own: Identifier, peer: Identity, handle: H) -> u64 {
        self.next += 1;
        let with_peer = self.by_peer.entry(peer.identifier()).or_default();
        with_peer.insert(self.next, Admitted { own, peer, is_renewing: false, handle });
        self.next
    }

    /// Removes a session.
    pub(super) fn remove(&mut self, peer: &Identifier, number: u64) {
        let Some(with_peer) = self.by_peer.get_mut(peer) else { return };
        with_peer.remove(&number);
        if with_peer.is_empty() {
            self.by_peer.remove(peer);
        }
    }

    /// A session, to change it.
    pub(super) fn find(&mut self, peer: &Identifier, number: u64) -> Option<&mut Admitted<H>> {
        self.by_peer.get_mut(peer)?.get_mut(&number)
    }

    /// The sessions with `peer` of whatever identity of this node, but for those whose peer shows
    /// its history at this moment.
    pub(super) fn settled_with(&self, peer: &Identifier) -> Vec<Admitted<H>> {
        let all = self.by_peer.get(peer).into_iter().flat_map(BTreeMap::values);
        all.filter(|session| !session.is_renewing).cloned().collect()
    }

    /// The sessions of `own` with `peer`, or with anybody, the oldest first.
    pub(super) fn of(&self, own: &Identifier, peer: Option<&Identifier>) -> Vec<Admitted<H>> {
        let fits = |session: &Admitted<H>| {
            session.own == *own && peer.is_none_or(|peer| session.peer.identifier() == *peer)
        };
        let mut all: Vec<_> = self.by_peer.values().flatten().filter(|(_, s)| fits(s)).collect();
        all.sort_by_key(|(number, _)| **number);
        all.into_iter().map(|(_, session)| session.clone()).collect()
    }

    /// All sessions.
    pub(super) fn all(&self) -> Vec<Admitted<H>> {
        self.by_peer.values().flat_map(BTreeMap::values).cloned().collect()
    }

    /// The number of sessions.
    pub(super) fn len(&self) -> usize {
        self.by_peer.values().map(BTreeMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::identity::local_identity::LocalIdentity;

    const ALICE: Identifier = Identifier::from_bytes([1; 32]);
    const BOB: Identifier = Identifier::from_bytes([2; 32]);

    fn peer() -> Identity {
        LocalIdentity::generate(&SystemRandom::new()).unwrap().identity().clone()
    }

    fn names(mut found: Vec<Admitted<&'static str>>) -> Vec<&'static str> {
        found.sort_by_key(|session| session.handle);
        found.iter().map(|session| session.handle).collect()
    }

    #[test]
    fn sessions_are_found_by_both_ends() {
        let mut register = Register::default();
        let (carol, dave) = (peer(), peer());
        register.add(ALICE, carol.clone(), "alice-carol");
        register.add(ALICE, dave.clone(), "alice-dave");
        register.add(BOB, carol.clone(), "bob-carol");
        let (carol, dave) = (carol.identifier(), dave.identifier());
        assert_eq!(names(register.settled_with(&carol)), ["alice-carol", "bob-carol"]);
        assert_eq!(names(register.of(&ALICE, None)), ["alice-carol", "alice-dave"]);
        assert_eq!(names(register.of(&ALICE, Some(&dave))), ["alice-dave"]);
        assert!(register.of(&BOB, Some(&dave)).is_empty());
    }

    #[test]
    fn a_session_that_renews_is_left_alone() {
        let mut register = Register::default();
        let peer = peer();
        let one = register.add(ALICE, peer.clone(), "one");
        register.add(ALICE, peer.clone(), "other");
        let peer = peer.identifier();
        register.find(&peer, one).unwrap().is_renewing = true;
        assert_eq!(names(register.settled_with(&peer)), ["other"]);
        assert_eq!(register.of(&ALICE, None).len(), 2, "a changed policy concerns it all the same");
    }

    #[test]
    fn removed_sessions_leave_nothing_behind() {
        let mut register = Register::default();
        let peer = peer();
        let numbers = [(); 2].map(|()| register.add(ALICE, peer.clone(), ""));
        for number in numbers {
            register.remove(&peer.identifier(), number);
            register.remove(&peer.identifier(), number);
        }
        assert_eq!(register.len(), 0);
        assert!(register.by_peer.is_empty());
    }
}
