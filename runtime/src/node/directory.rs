//! The directory: which worker has which address, and the registrations that keep them there.
//!
//! # What keeps a worker's address
//!
//! The worker's side owns a [`Registration`], which removes the entry from the directory when it is
//! dropped. actix drops an actor whose handler panicked, and the registration with it, so a panic
//! leaves no address behind.

use std::{
    fmt,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    thread,
};

use crate::{
    address::Address,
    error::{Error, Result},
    node::{
        entry::{Entry, Pair},
        life::Ended,
        table::SharedTable,
    },
    trust::reachability::Class,
};

/// All entries of a node by their addresses.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    table: SharedTable<Entry>,
    channel_listeners: AtomicUsize,
}

impl Directory {
    /// Registers the entry; its address is in use until the registration is dropped.
    ///
    /// # Errors
    /// If the address is invalid, already in use, or that of a peer and the entry not one that
    /// stands for the peer.
    pub(crate) fn register(self: &Arc<Self>, entry: Entry) -> Result<Registration> {
        entry.address.validate()?;
        if entry.class != Class::Internal && entry.address.dial_parts().is_some() {
            return Err(Error::ReservedAddress(entry.address));
        }
        let entry = Arc::new(entry);
        let insert = || self.table.insert(entry.address.clone(), entry.clone());
        if insert().is_err() {
            self.check_free(&entry.address)?;
            insert().map_err(|entry| Error::AddressInUse(entry.address.clone()))?;
        }
        if entry.class == Class::ChannelListener {
            self.channel_listeners.fetch_add(1, Ordering::AcqRel);
        }
        Ok(Registration { entry, directory: self.clone(), attached: true })
    }

    /// The entry at `address`.
    pub(crate) fn find(&self, address: &Address) -> Option<Arc<Entry>> {
        self.table.find(address)
    }

    /// Checks that `address` can be registered now. An address whose worker is known to have ended
    /// is freed.
    ///
    /// # Errors
    /// [`Error::AddressInUse`].
    pub(crate) fn check_free(&self, address: &Address) -> Result<()> {
        let Some(entry) = self.table.find(address) else { return Ok(()) };
        if entry.life.has_ended() {
            self.remove(&entry);
            return Ok(());
        }
        if entry.delivery.has_ended() {
            self.stop(&entry);
            return Ok(());
        }
        Err(Error::AddressInUse(address.clone()))
    }

    /// Registers an alias until its worker or its ingress ends, or returns the one that this pair
    /// already has; `None` if one of the two has ended.
    pub(crate) fn register_alias(&self, alias: Entry) -> Option<Address> {
        let alias = Arc::new(alias);
        let (worker, ingress) = alias.alias_of.as_ref()?.both()?;
        if let Some(other) = worker.aliases.add(&ingress.address, &alias) {
            return Some(other.address.clone());
        }
        let inserted = self.table.insert(alias.address.clone(), alias.clone());
        ingress.aliases.replace(&worker.address, &alias);
        // One that ends from now on finds the alias in its list.
        if inserted.is_err() || worker.life.has_ended() || ingress.life.has_ended() {
            self.remove(&alias);
            return None;
        }
        Some(alias.address.clone())
    }

    /// Frees the entry's address, unless another entry has it by now, and ends its aliases.
    pub(crate) fn remove(&self, entry: &Arc<Entry>) {
        let same = |found: &Entry| std::ptr::eq(found, Arc::as_ptr(entry));
        let removed = self.table.remove(&entry.address, same);
        if removed.is_some() && entry.class == Class::ChannelListener {
            self.channel_listeners.fetch_sub(1, Ordering::AcqRel);
        }
        if let Some((worker, ingress)) = entry.alias_of.as_ref().and_then(Pair::both) {
            worker.aliases.forget(&ingress.address, entry);
            ingress.aliases.forget(&worker.address, entry);
        }
        entry.aliases.take().iter().for_each(|alias| self.remove(alias));
    }

    /// Frees the entry's address and asks its worker to stop.
    pub(crate) fn stop(&self, entry: &Arc<Entry>) {
        entry.life.end();
        self.remove(entry);
        entry.life.ask_to_stop();
        entry.delivery.stop();
        if entry.life.is_detached() {
            entry.life.finish(Ended::Stopped);
        }
    }

    /// Stops all workers, in the order of their addresses.
    pub(crate) fn stop_all(&self) {
        let mut entries = self.table.entries();
        entries.sort_by(|one, other| one.address.cmp(&other.address));
        entries.iter().for_each(|entry| self.stop(entry));
    }

    /// Stops the workers of this class.
    pub(crate) fn stop_class(&self, class: Class) {
        let entries = self.table.entries();
        entries.iter().filter(|entry| entry.class == class).for_each(|entry| self.stop(entry));
    }

    /// Whether there is a secure channel listener.
    pub(crate) fn has_channel_listener(&self) -> bool {
        self.channel_listeners.load(Ordering::Acquire) > 0
    }

    /// All entries except aliases, in no particular order.
    pub(crate) fn workers(&self) -> Vec<Arc<Entry>> {
        let mut entries = self.table.entries();
        entries.retain(|entry| entry.alias_of.is_none());
        entries
    }

    /// The number of entries, not counting aliases.
    pub(crate) fn worker_count(&self) -> usize {
        self.table.count(|entry| entry.alias_of.is_none())
    }

    /// The number of aliases.
    pub(crate) fn alias_count(&self) -> usize {
        self.table.count(|entry| entry.alias_of.is_some())
    }
}

/// Keeps an address in the routing table until it is dropped.
///
/// The worker owns it, so that the address ends with the worker, however the worker ends.
pub struct Registration {
    entry: Arc<Entry>,
    directory: Arc<Directory>,
    attached: bool,
}

impl Registration {
    /// Leaves the address in the table until the worker is stopped by its address or the node
    /// stops.
    pub fn detach(mut self) {
        self.attached = false;
        self.entry.life.detach();
    }

    /// The address.
    pub fn address(&self) -> &Address {
        &self.entry.address
    }

    /// The entry in the table.
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if self.attached {
            let panics = thread::panicking();
            self.entry.life.end();
            self.directory.remove(&self.entry);
            self.entry.life.finish(if panics { Ended::Panicked } else { Ended::Stopped });
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registration").field(self.address()).finish()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;
    use crate::{
        message::{undelivered::Undelivered, Message},
        node::entry::{Deliver, Description},
    };

    /// Takes everything.
    struct Anything;

    impl Deliver for Anything {
        fn deliver(&self, _: &Entry, _: Message) -> Result<(), Box<Undelivered>> {
            Ok(())
        }
    }

    fn entry(address: &str, class: Class) -> Entry {
        Entry::new(Description::new(address, class), Anything)
    }

    #[test]
    fn dropping_a_registration_frees_its_address() {
        let directory = Arc::new(Directory::default());
        let first = directory.register(entry("a", Class::User)).unwrap();
        let taken = directory.register(entry("a", Class::User)).unwrap_err();
        assert!(matches!(taken, Error::AddressInUse(address) if address == "a".into()));
        drop(first);
        assert!(directory.register(entry("a", Class::User)).is_ok());
    }

    #[test]
    fn a_dropped_registration_leaves_a_newer_entry_alone() {
        let directory = Arc::new(Directory::default());
        let first = directory.register(entry("a", Class::User)).unwrap();
        directory.stop(first.entry());
        let _second = directory.register(entry("a", Class::User)).unwrap();
        drop(first);
        assert!(directory.find(&"a".into()).is_some());
    }

    #[test]
    fn no_worker_has_a_peers_address() {
        let directory = Arc::new(Directory::default());
        for class in [Class::User, Class::Service, Class::ChannelListener] {
            let refused = directory.register(entry("tcp#127.0.0.1:4000", class)).unwrap_err();
            assert!(refused.to_string().contains("without \"#\""), "{refused}");
        }
        assert!(directory.register(entry("tcp#127.0.0.1:4000", Class::Internal)).is_ok());
    }

    #[test]
    fn channel_listeners_are_counted_while_they_are_registered() {
        let directory = Arc::new(Directory::default());
        let listener = directory.register(entry("listener", Class::ChannelListener)).unwrap();
        assert!(directory.has_channel_listener());
        directory.stop(listener.entry());
        drop(listener);
        assert!(!directory.has_channel_listener());
    }

    /// A worker, an ingress, and what makes aliases of the two.
    fn pair(directory: &Arc<Directory>) -> (Registration, Registration, impl Fn() -> Address) {
        let worker = directory.register(entry("worker", Class::User)).unwrap();
        let ingress = directory.register(entry("ingress", Class::Reply)).unwrap();
        let (of, by) = (worker.entry().clone(), ingress.entry().clone());
        let table = directory.clone();
        let alias = move || {
            let mut alias = Entry::new(Description::new(Address::random(), Class::Reply), Anything);
            alias.alias_of = Some(Pair::new(&of, &by));
            table.register_alias(alias).unwrap()
        };
        (worker, ingress, alias)
    }

    #[test]
    fn a_worker_and_an_ingress_share_one_alias() {
        let directory = Arc::new(Directory::default());
        let (_worker, _ingress, alias) = pair(&directory);
        assert_eq!(alias(), alias());
        assert_eq!((directory.alias_count(), directory.worker_count()), (1, 2));
    }

    #[test]
    fn an_alias_ends_with_worker_or_ingress() {
        for ends_first in [0, 1] {
            let directory = Arc::new(Directory::default());
            let (worker, ingress, alias) = pair(&directory);
            let address = alias();
            let mut both = vec![worker, ingress];
            drop(both.remove(ends_first));
            assert!(directory.find(&address).is_none());
            let left = both.remove(0);
            assert!(left.entry().aliases.take().is_empty(), "it is still listed");
        }
    }

    #[test]
    fn a_later_workers_alias_ends_with_the_ingress() {
        let directory = Arc::new(Directory::default());
        let (worker, ingress, alias) = pair(&directory);
        let first = alias();
        directory.stop(worker.entry());
        let again = directory.register(entry("worker", Class::User)).unwrap();
        let mut later = Entry::new(Description::new(Address::random(), Class::Reply), Anything);
        later.alias_of = Some(Pair::new(again.entry(), ingress.entry()));
        let later = directory.register_alias(later).unwrap();
        drop(worker);
        assert!(directory.find(&first).is_none() && directory.find(&later).is_some());
        drop(ingress);
        assert!(directory.find(&later).is_none());
    }

    #[test]
    fn nothing_that_has_ended_gets_an_alias() {
        let directory = Arc::new(Directory::default());
        let (worker, ingress, _) = pair(&directory);
        directory.stop(ingress.entry());
        let mut late = Entry::new(Description::new(Address::random(), Class::Reply), Anything);
        late.alias_of = Some(Pair::new(worker.entry(), ingress.entry()));
        assert_eq!(directory.register_alias(late), None);
        assert_eq!(directory.alias_count(), 0);
    }

    #[test]
    fn stopping_a_worker_completes_earlier_and_later_signals() {
        let directory = Arc::new(Directory::default());
        let worker = directory.register(entry("a", Class::User)).unwrap();
        let mut before = worker.entry().stop_signal();
        assert_eq!(before.try_recv(), Err(TryRecvError::Empty));
        directory.stop_all();
        let mut after = worker.entry().stop_signal();
        for signal in [&mut before, &mut after] {
            assert_eq!(signal.try_recv(), Err(TryRecvError::Closed));
        }
    }
}
