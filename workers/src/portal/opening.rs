//! The streams of an outlet whose inlets do not know their own addresses yet.
//!
//! An inlet addresses a stream by the outlet's name until it has heard `Opened`. Messages that come
//! meanwhile are passed on to the stream by the route back to their inlet.

use std::{collections::HashMap, sync::Arc};

use ockam_actix_runtime::{lock::Lock, Address, Route};

/// Streams by the route back to their inlets. Clones share the list.
#[derive(Clone, Default)]
pub(crate) struct Opening(Arc<Lock<HashMap<Route, Address, ahash::RandomState>>>);

/// Keeps a stream listed until it is dropped.
pub(crate) struct Listed {
    opening: Opening,
    inlet: Route,
}

impl Opening {
    /// The stream that an inlet addresses by the outlet's name.
    pub(crate) fn find(&self, inlet: &Route) -> Option<Address> {
        self.0.lock().get(inlet).cloned()
    }

    /// Lists a stream.
    pub(crate) fn list(&self, inlet: Route, stream: Address) -> Listed {
        self.0.lock().insert(inlet.clone(), stream);
        Listed { opening: self.clone(), inlet }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.opening.0.lock().remove(&self.inlet);
    }
}
