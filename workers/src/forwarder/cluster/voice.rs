//! What one hub says on the bus.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use bytes::Bytes;
use ockam_actix_runtime::lock::Lock;
use tokio::sync::Notify;

use crate::forwarder::{
    cluster::{
        bus::{Accept, Bus, Receive},
        claims::{SharedClaim, Speaker},
        message::{HubMessage, Said},
        rounds::{Due, Rounds},
    },
    protocol::claim::ForwarderId,
};

/// That of one hub.
pub(super) struct Voice {
    /// This hub.
    pub(super) own: Speaker,
    bus: Box<dyn Bus>,
    rounds: Lock<Rounds>,
    /// Something waits to be said.
    wake: Arc<Notify>,
    /// Messages with claims.
    claims_sent: AtomicU64,
}

impl Voice {
    /// That of `own`, which has said nothing.
    pub(super) fn new(own: Speaker, bus: Box<dyn Bus>) -> Self {
        let (rounds, wake) = (Lock::default(), Arc::default());
        Self { own, bus, rounds, wake, claims_sent: AtomicU64::new(0) }
    }

    /// Has `receive` get what the other hubs say.
    pub(super) fn listen(&self, receive: Receive) {
        self.bus.listen(receive);
    }

    /// Says something to all other hubs.
    pub(super) fn say(&self, said: Said) {
        self.bus.publish(self.message(said));
    }

    /// Says that the hub is there, and what its clock shows.
    pub(super) fn say_there(&self, clock: u64) {
        self.say(Said::There { clock, claims_sent: self.claims_sent.load(Ordering::Acquire) });
    }

    /// Says what is claimed here, if anything is.
    pub(super) fn say_claims(&self, claims: Vec<SharedClaim>) {
        if !claims.is_empty() {
            self.claims_sent.fetch_add(1, Ordering::AcqRel);
            self.say(Said::Claims(claims));
        }
    }

    /// Asks all other hubs.
    pub(super) fn ask(
        &self,
        said: Said,
        accept: Accept,
    ) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send>> {
        self.bus.ask(self.message(said), accept)
    }

    /// What this hub says, as bytes.
    pub(super) fn message(&self, said: Said) -> Bytes {
        HubMessage { speaker: self.own.clone(), said }.encode()
    }

    /// A claim is to be told.
    pub(super) fn queue(&self, id: ForwarderId) {
        if self.rounds.lock().queue(id) {
            self.wake.notify_one();
        }
    }

    /// All claims are to be told.
    pub(super) fn queue_all(&self) {
        self.rounds.lock().queue_all();
        self.wake.notify_one();
    }

    /// What is due; `all` lists all claims.
    pub(super) fn due(&self, now: Duration, all: impl FnOnce() -> Vec<ForwarderId>) -> Due {
        self.rounds.lock().due(now, all)
    }

    /// What is notified when something is queued.
    pub(super) fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }
}
