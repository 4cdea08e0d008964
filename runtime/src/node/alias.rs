//! Aliases: further addresses of workers, and those that leave the node in return routes.
//!
//! Workers and mailboxes keep their addresses to themselves. In a message that leaves the node, an
//! *alias* of 128 random bits stands for such an address at the front of the return route, so that
//! an answer is let in. It is a key, and it opens no more than it was made for: it belongs to one
//! worker and to one ingress, the one by which the message leaves; it admits only what comes in
//! there, and it ends with the first of the two that ends. So there is at most one for each pair of
//! a worker and an ingress that are there.

use std::sync::{Arc, Weak};

use crate::{
    address::{route::Route, Address},
    error::Result,
    message::{notice::UndeliverableReason, undelivered::Undelivered, Message, MessageKind},
    node::{
        directory::Registration,
        entry::{Deliver, Description, Entry, Pair},
        shutdown::Stage,
        Node,
    },
    trust::reachability::Class,
};

impl Node {
    /// See [`Host::conceal_names`](crate::host::Host::conceal_names).
    pub(crate) fn conceal_names(&self, return_route: &mut Route, via: &Address) {
        let Some(first) = return_route.first() else { return };
        if first.is_random() {
            return;
        }
        let Some(worker) =
            self.shared.directory.find(first).filter(|entry| is_concealed(entry.class))
        else {
            return;
        };
        let Some(alias) = self.alias_for(&worker, via) else { return };
        return_route.pop_front();
        self.conceal_names(return_route, via);
        return_route.push_front(alias);
    }

    /// The alias of a worker for what comes in at `via`; `None` if nothing can leave by it any
    /// more.
    fn alias_for(&self, worker: &Arc<Entry>, via: &Address) -> Option<Address> {
        if let Some(alias) = worker.aliases.find(via) {
            return Some(alias);
        }
        if self.shared.shutdown.has_reached(Stage::Stopped) {
            return None;
        }
        let ingress = self.shared.directory.find(via)?;
        let pair = Pair::new(worker, &ingress);
        let mut description = Description::new(Address::random(), Class::Reply);
        description.access.clone_from(&worker.access);
        let mut alias = Entry::new(description, self.passing_on_to(worker));
        alias.alias_of = Some(pair);
        self.shared.directory.register_alias(alias)
    }

    /// See [`Host::register_again`](crate::host::Host::register_again).
    pub(crate) fn register_again(
        &self,
        description: Description,
        worker: &Registration,
    ) -> Result<Registration> {
        self.register_delivery(description, self.passing_on_to(worker.entry()))
    }

    fn passing_on_to(&self, worker: &Arc<Entry>) -> PassOn {
        PassOn { node: self.unheld(), worker: Arc::downgrade(worker) }
    }
}

/// Whether nobody outside is told the address itself: answers to it would not be let in, or would
/// be from everywhere.
fn is_concealed(class: Class) -> bool {
    match class {
        Class::User | Class::Internal => true,
        Class::Reply | Class::ChannelListener | Class::Service | Class::Forwarder => false,
    }
}

/// The delivery of one more address of a worker: it hands its messages over to the worker.
struct PassOn {
    /// Does not hold the node, which holds the entry.
    node: Node,
    worker: Weak<Entry>,
}

impl Deliver for PassOn {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        match self.worker.upgrade() {
            // Its watcher is told nothing of the worker's name.
            Some(worker) if message.kind == MessageKind::Watch && worker.ends_watch(&message) => {
                self.node.hold_watch(&entry.address, &worker, message)
            }
            Some(worker) => self.node.hand_over(worker, message),
            None => {
                Err(Undelivered::new(message, &entry.address, UndeliverableReason::WorkerStopped))
            }
        }
    }
}
