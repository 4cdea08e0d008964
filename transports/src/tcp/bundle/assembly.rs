//! Puts the parts of bundles together that arrive at one listener.
//!
//! The first part to arrive waits, on its arbiter, for the others, which come from other arbiters.
//! A waiting bundle holds the slot of each of its connections, so that it counts as all of them
//! even while it is incomplete; the listener bounds the time.

use std::{
    collections::{hash_map::Entry, HashMap},
    sync::Arc,
};

use ockam_actix_runtime::{lock::Lock, socket::stream::Detached};
use tokio::sync::oneshot;

use crate::{
    connection::connection_limits::ConnectionSlot,
    tcp::bundle::preface::{BundleId, Preface},
};

/// A connection that is a part of a bundle.
pub(crate) type Arrived = (Detached, ConnectionSlot);

/// The bundles of a listener that are not complete. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assemblies(Arc<Lock<HashMap<BundleId, Assembly>>>);

#[derive(Debug)]
struct Assembly {
    parts: Vec<Option<Arrived>>,
    complete: oneshot::Sender<Vec<Arrived>>,
}

/// What becomes of a part.
pub(crate) enum Placed {
    /// It is the first, and brings the others.
    First(Incomplete),
    /// It has gone to the first.
    Joined,
}

impl Assemblies {
    /// Adds a part to its bundle; `None` if the bundle has it, or has another number of parts.
    pub(crate) fn add(&self, preface: Preface, arrived: Arrived) -> Option<Placed> {
        let Preface { bundle, parts, part } = preface;
        let mut assemblies = self.0.lock();
        let (assembly, placed) = match assemblies.entry(bundle) {
            Entry::Occupied(entry) => (entry.into_mut(), Placed::Joined),
            Entry::Vacant(entry) => {
                let (complete, completed) = oneshot::channel();
                let none = std::iter::repeat_with(|| None).take(parts).collect();
                let all = self.clone();
                let incomplete = Incomplete { all, bundle, completed: Some(completed) };
                let assembly = Assembly { parts: none, complete };
                (entry.insert(assembly), Placed::First(incomplete))
            }
        };
        let expected = assembly.parts.len() == parts;
        let place = assembly.parts.get_mut(part).filter(|place| place.is_none() && expected)?;
        *place = Some(arrived);
        if assembly.parts.iter().all(Option::is_some) {
            if let Some(Assembly { parts, complete }) = assemblies.remove(&bundle) {
                // If the first has just given up, they are closed.
                let _ = complete.send(parts.into_iter().flatten().collect());
            }
        }
        Some(placed)
    }
}

/// The first part's claim to the others. They are closed if it is dropped before they are complete.
pub(crate) struct Incomplete {
    all: Assemblies,
    bundle: BundleId,
    completed: Option<oneshot::Receiver<Vec<Arrived>>>,
}

impl Incomplete {
    /// Waits for the other parts; returns all, in their order.
    pub(crate) async fn complete(mut self) -> Vec<Arrived> {
        match self.completed.take() {
            // The sender is dropped with this only.
            Some(completed) => completed.await.unwrap_or_default(),
            None => Vec::new(),
        }
    }
}

impl Drop for Incomplete {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.bundle);
    }
}
