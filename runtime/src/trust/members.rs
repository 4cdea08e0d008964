//! Accepted connections whose other end belongs to what this node belongs to, such as a cluster of
//! hubs.
//!
//! A connection is a stranger's when it is accepted. Where members are expected, it is listed here,
//! and welcomed once its peer has proved over the connection that it is a member: from then on, the
//! limits for strangers do not apply to it.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
};

use crate::{address::Address, lock::Lock, node::Node};

/// What a connection does when it is welcome; false if there is no room for another member.
pub type Welcome = Box<dyn FnOnce() -> bool + Send>;

/// The connections of one node that may be members' or are, by the addresses that they put before
/// return routes.
#[derive(Default)]
pub struct Members {
    are_expected: AtomicBool,
    all: Lock<HashMap<Address, Standing>>,
}

enum Standing {
    Stranger(Welcome),
    Member,
}

impl Members {
    /// Those of `node`.
    pub fn of(node: &Node) -> Arc<Self> {
        node.extension(Self::default)
    }

    /// From now on, connections may be members'.
    pub fn expect(&self) {
        self.are_expected.store(true, Ordering::Release);
    }

    /// Whether connections may be members'.
    pub fn are_expected(&self) -> bool {
        self.are_expected.load(Ordering::Acquire)
    }

    /// Lists the connection that puts `via` before return routes, until what is returned is
    /// dropped.
    pub fn list(self: &Arc<Self>, via: Address, welcome: Welcome) -> Listed {
        self.all.lock().insert(via.clone(), Standing::Stranger(welcome));
        Listed { members: self.clone(), via }
    }

    /// The other end of a connection has proved that it is a member. Returns whether it counts as
    /// one from now on.
    pub fn welcome(&self, via: &Address) -> bool {
        let mut all = self.all.lock();
        let Some(standing) = all.get_mut(via) else { return false };
        match std::mem::replace(standing, Standing::Member) {
            Standing::Member => true,
            Standing::Stranger(welcome) => {
                let is_welcome = welcome();
                if !is_welcome {
                    all.remove(via);
                }
                is_welcome
            }
        }
    }

    /// Whether a connection is a member's.
    pub fn has(&self, via: &Address) -> bool {
        matches!(self.all.lock().get(via), Some(Standing::Member))
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Members({} connections)", self.all.lock().len())
    }
}

/// Lists a connection until it is dropped.
#[derive(Debug)]
pub struct Listed {
    members: Arc<Members>,
    via: Address,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.members.all.lock().remove(&self.via);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_connections_become_members() {
        let members = Arc::<Members>::default();
        let (one, full) = (Address::from("one"), Address::from("full"));
        let listed = members.list(one.clone(), Box::new(|| true));
        let _full = members.list(full.clone(), Box::new(|| false));
        assert!(!members.has(&one) && !members.welcome(&"other".into()));
        assert!(members.welcome(&one) && members.welcome(&one) && members.has(&one));
        assert!(!members.welcome(&full) && !members.welcome(&full) && !members.has(&full));
        drop(listed);
        assert!(!members.has(&one));
    }
}
