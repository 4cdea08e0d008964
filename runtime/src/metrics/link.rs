//! Records of a connection, a secure channel or a registration at a hub.

use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use crate::{
    address::{route::Route, Address},
    clock::Instant,
    lock::Lock,
    metrics::listing::Record,
};

/// Which end has opened a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    /// This node.
    Here,
    /// The node at the other end.
    Peer,
}

/// A link to another node, which may be lost and made again.
#[derive(Debug)]
pub struct Link {
    /// Which end has opened it.
    pub opener: Opener,
    /// Where routes over it begin, here.
    pub address: Address,
    /// Where it leads to: the route from this node to the other end, or, of a connection that was
    /// accepted, who connected.
    pub name: String,
    /// The first address of that route: the link that this one goes over.
    pub over: Option<Address>,
    /// The bytes of a connection; a channel's are those of what it goes over.
    pub traffic: Arc<Traffic>,
    /// Where its bytes are added when it has ended.
    pub(super) ended: Arc<Traffic>,
    state: Lock<State>,
}

/// What changes as a link is lost and made again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Since when it is up; `None` while it is down.
    pub since: Option<Instant>,
    /// How often it has been up.
    pub times: u64,
    /// What carries it: `tcp`, for example; empty if it goes over another link.
    pub transport: &'static str,
    /// Who is at the other end, or was last: an address, or an identity.
    pub peer: Option<String>,
    /// Where what comes over it enters this node, if that is another address than the link's.
    pub via: Option<Address>,
    /// Why it is down.
    pub failure: Option<Arc<str>>,
}

impl Link {
    /// A link that is not up yet.
    pub fn new(opener: Opener, address: Address, name: impl Into<String>) -> Self {
        let (name, over, state) = (name.into(), None, Lock::default());
        let (traffic, ended) = Default::default();
        Self { opener, address, name, over, traffic, ended, state }
    }

    /// A link along `route` that is not up yet.
    pub fn along(opener: Opener, address: Address, route: &Route) -> Self {
        let over = route.first().cloned();
        Self { over, ..Self::new(opener, address, route.to_string()) }
    }

    /// It is up from now on. Returns whether it was before.
    pub fn up(&self, transport: &'static str, peer: Option<String>) -> bool {
        let mut state = self.state.lock();
        let again = state.times > 0;
        state.times += 1;
        (state.since, state.failure) = (Some(Instant::now()), None);
        (state.transport, state.peer) = (transport, peer);
        again
    }

    /// What comes over it enters this node at `via`, until it is down.
    pub fn enters_by(&self, via: Address) {
        self.state.lock().via = Some(via);
    }

    /// It is down, or could not be made.
    pub fn down(&self, failure: impl Into<Arc<str>>) {
        let mut state = self.state.lock();
        (state.since, state.via, state.failure) = (None, None, Some(failure.into()));
    }

    /// Its state at the moment.
    pub fn state(&self) -> State {
        self.state.lock().clone()
    }
}

impl Record for Link {
    fn ended(&self) {
        self.ended.add(&self.traffic);
    }
}

/// The bytes that have passed in both directions, and how long a question and its answer took.
#[derive(Debug, Default)]
pub struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
    /// Plus one, so that 0 is none.
    round_trip_micros: AtomicU64,
}

impl Traffic {
    /// Counts bytes that have left this node.
    #[inline]
    pub fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes that have come to this node.
    #[inline]
    pub fn count_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Notes the last round trip, if one was measured.
    #[inline]
    pub fn note_round_trip(&self, measured: Option<Duration>) {
        if let Some(took) = measured {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.round_trip_micros.store(micros.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Counts what another one has counted.
    pub(super) fn add(&self, other: &Self) {
        self.sent.fetch_add(other.sent(), Ordering::Relaxed);
        self.received.fetch_add(other.received(), Ordering::Relaxed);
    }

    /// Bytes that have left this node.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes that have come to this node.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// The round trip that was noted last.
    pub fn round_trip(&self) -> Option<Duration> {
        let noted = self.round_trip_micros.load(Ordering::Relaxed).checked_sub(1);
        noted.map(Duration::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_up_and_down_by_turns() {
        let link = Link::new(Opener::Here, "tcp#hub:4000".into(), "tcp#hub:4000");
        link.down("nobody answers");
        assert_eq!(link.state().failure.as_deref(), Some("nobody answers"));
        assert!(!link.up("tcp", None));
        assert!(link.state().since.is_some() && link.state().failure.is_none());
        link.down("it was lost");
        assert!(link.up("tcp", None));
        assert_eq!(link.state().times, 2);
    }

    #[test]
    fn no_round_trip_differs_from_a_short_one() {
        let traffic = Traffic::default();
        traffic.note_round_trip(None);
        assert_eq!(traffic.round_trip(), None);
        traffic.note_round_trip(Some(Duration::ZERO));
        assert_eq!(traffic.round_trip(), Some(Duration::ZERO));
    }
}
