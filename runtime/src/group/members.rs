//! The members of a group, and whose turn it is.

use crate::{address::route::Route, limits::MAX_MEMBERS};

/// The members of a group, in the order in which they have joined. A member is its route, and
/// something that is dropped when it leaves.
#[derive(Debug)]
pub struct Members<G> {
    members: Vec<Member<G>>,
    /// The index of the member whose turn it is.
    turn: usize,
    joined: u64,
    closed: bool,
}

#[derive(Debug)]
struct Member<G> {
    id: MemberId,
    route: Route,
    _guard: G,
}

/// A membership: a route that joins again has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberId(u64);

/// Why a route does not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotJoined {
    /// It is a member already.
    IsMember,
    /// There are [`MAX_MEMBERS`].
    Full,
    /// The group has ended.
    Closed,
}

impl<G> Default for Members<G> {
    fn default() -> Self {
        Self { members: Vec::new(), turn: 0, joined: 0, closed: false }
    }
}

impl<G> Members<G> {
    /// Adds a member, with what `guard` makes for its membership.
    ///
    /// # Errors
    /// If it cannot join.
    pub fn join(
        &mut self,
        route: Route,
        guard: impl FnOnce(MemberId) -> G,
    ) -> Result<(), NotJoined> {
        if self.closed {
            return Err(NotJoined::Closed);
        }
        if self.members.iter().any(|member| member.route == route) {
            return Err(NotJoined::IsMember);
        }
        if self.members.len() >= MAX_MEMBERS {
            return Err(NotJoined::Full);
        }
        self.joined += 1;
        let id = MemberId(self.joined);
        self.members.push(Member { id, route, _guard: guard(id) });
        Ok(())
    }

    /// Removes a member by its route; whether it was one.
    pub fn remove(&mut self, route: &Route) -> bool {
        self.remove_where(|member| member.route == *route)
    }

    /// Removes a member by its membership; whether it was one.
    pub fn leave(&mut self, id: MemberId) -> bool {
        self.remove_where(|member| member.id == id)
    }

    fn remove_where(&mut self, is_it: impl Fn(&Member<G>) -> bool) -> bool {
        let Some(index) = self.members.iter().position(is_it) else { return false };
        self.members.remove(index);
        if index < self.turn {
            self.turn -= 1;
        }
        true
    }

    /// Removes all, and lets nobody join any more.
    pub fn close(&mut self) {
        self.closed = true;
        self.members.clear();
    }

    /// The routes of all members.
    pub fn all(&self) -> Vec<Route> {
        self.members.iter().map(|member| member.route.clone()).collect()
    }

    /// The member whose turn it is; the next time it is the one after it.
    pub fn in_turn(&mut self) -> Option<Route> {
        let count = self.members.len();
        let turn = self.turn.checked_rem(count)?;
        self.turn = (turn + 1) % count;
        Some(self.members[turn].route.clone())
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{address::Address, route};

    fn group(names: &[&str]) -> Members<()> {
        let mut members = Members::default();
        for name in names {
            members.join(Route::from(Address::from(*name)), |_| ()).unwrap();
        }
        members
    }

    fn turns(members: &mut Members<()>, count: usize) -> String {
        (0..count).filter_map(|_| members.in_turn()).map(|route| route.to_string()).collect()
    }

    #[test]
    fn members_take_turns() {
        let mut members = group(&["a", "b", "c"]);
        assert_eq!(turns(&mut members, 7), "abcabca");
        assert_eq!(turns(&mut group(&[]), 3), "");
    }

    #[test]
    fn who_leaves_takes_nobodys_turn() {
        let mut members = group(&["a", "b", "c"]);
        assert_eq!(turns(&mut members, 2), "ab");
        assert!(members.remove(&route!["a"]));
        assert_eq!(turns(&mut members, 3), "cbc");
        assert!(members.remove(&route!["c"]));
        assert_eq!(turns(&mut members, 2), "bb");
        assert!(!members.remove(&route!["c"]));
    }

    #[test]
    fn a_route_joins_once_at_a_time() {
        let mut members: Members<MemberId> = Members::default();
        let mut ids = Vec::new();
        for _ in 0..2 {
            members
                .join(route!["a"], |id| {
                    ids.push(id);
                    id
                })
                .unwrap();
            assert_eq!(members.join(route!["a"], |id| id), Err(NotJoined::IsMember));
            assert!(members.remove(&route!["a"]));
        }
        members.join(route!["a"], |id| id).unwrap();
        assert!(!members.leave(ids[0]), "that is an earlier membership");
        assert_eq!(members.len(), 1);
    }

    #[test]
    fn a_full_or_closed_group_lets_nobody_join() {
        let mut members = Members::default();
        for number in 0..MAX_MEMBERS {
            members.join(route![format!("{number}")], |_| ()).unwrap();
        }
        assert_eq!(members.join(route!["a"], |_| ()), Err(NotJoined::Full));
        members.close();
        assert!(members.is_empty());
        assert_eq!(members.join(route!["a"], |_| ()), Err(NotJoined::Closed));
    }
}
