//! A bus between hubs, with a delay, that can be cut.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use ockam::cluster::{Accept, Bus, Receive};
use tokio::time::sleep;

/// How long a message takes.
const DELAY: Duration = Duration::from_millis(2);

/// Longer than anybody waits for an answer.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// A bus. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryBus(Arc<Mutex<Vec<Place>>>);

#[derive(Clone)]
struct Place {
    /// Replaced when its hub begins anew.
    name: &'static str,
    receive: Option<Arc<Receive>>,
    is_cut: bool,
    /// How often it was asked.
    asked: usize,
}

/// One hub's place on a [`MemoryBus`].
pub struct OnBus {
    bus: MemoryBus,
    name: &'static str,
}

impl MemoryBus {
    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The place of the hub with this name.
    pub fn join(&self, name: &'static str) -> OnBus {
        let mut places = self.places();
        places.retain(|place| place.name != name);
        places.push(Place { name, receive: None, is_cut: false, asked: 0 });
        OnBus { bus: self.clone(), name }
    }

    /// From now on, nothing comes to the hub or from it, or everything does again.
    pub fn cut(&self, name: &str, is_cut: bool) {
        self.places().iter_mut().filter(|place| place.name == name).for_each(|place| {
            place.is_cut = is_cut;
        });
    }

    /// How often hubs were asked for a forwarder, in all.
    pub fn asked(&self) -> usize {
        self.places().iter().map(|place| place.asked).sum()
    }

    /// What the others of `name` have it come to.
    fn others(&self, name: &str, asks: bool) -> Vec<Arc<Receive>> {
        let mut places = self.places();
        if places.iter().any(|place| place.name == name && place.is_cut) {
            return Vec::new();
        }
        let others = places.iter_mut().filter(|place| place.name != name && !place.is_cut);
        others
            .filter_map(|place| {
                place.asked += usize::from(asks);
                place.receive.clone()
            })
            .collect()
    }
}

impl Bus for OnBus {
    fn listen(&self, receive: Receive) {
        let mut places = self.bus.places();
        if let Some(own) = places.iter_mut().find(|place| place.name == self.name) {
            own.receive = Some(Arc::new(receive));
        }
    }

    fn publish(&self, message: Bytes) {
        for receive in self.bus.others(self.name, false) {
            receive(message.clone());
        }
    }

    fn ask(
        &self,
        message: Bytes,
        accept: Accept,
    ) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send>> {
        let (bus, name) = (self.bus.clone(), self.name);
        Box::pin(async move {
            sleep(DELAY).await;
            let others = bus.others(name, true);
            let mut answers = others.iter().filter_map(|receive| receive(message.clone()));
            let answer = answers.find(|answer| accept(answer));
            match answer {
                Some(_) => sleep(DELAY).await,
                None => sleep(FOR_EVER).await,
            }
            answer
        })
    }
}
