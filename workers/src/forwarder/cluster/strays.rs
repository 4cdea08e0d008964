//! Messages that wait while their forwarder is looked for, without clock or network.
//!
//! Their bytes are bounded by the edges that they came over, whose room they keep. Their number is
//! bounded here: all connections of one source address together have a share of the lookups, and a
//! rate for those that find nothing. So a sender that makes up addresses keeps no other source from
//! looking for one, over however many connections it does so, and has the other hubs asked no more
//! often than that.
//!
//! Times are counted from any fixed moment.

use std::{collections::HashMap, time::Duration};

use ockam_actix_runtime::{
    trust::{rate::SourceRates, source::SourceAddress, tally::Tally},
    Address, Message, Origin,
};

use tokio::sync::oneshot;

use crate::forwarder::limits::{LOOKUPS, LOOKUPS_MISSED, LOOKUPS_SHARE, STRAYS_PER_ADDRESS};

/// What waits, by the address that is looked for.
#[derive(Default)]
pub(super) struct Waiting {
    lookups: HashMap<Address, Lookup>,
    by_asking: Tally<Asking>,
    missed: SourceRates,
}

struct Lookup {
    /// Who sent the first of its messages; nobody has to be kept from asking on this node.
    asking: Option<Asking>,
    messages: Vec<Message>,
    /// Told if the forwarder is registered at this hub meanwhile.
    arrives: Option<oneshot::Sender<()>>,
}

/// Who lookups are counted against.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asking {
    /// All connections from one address that a listener accepted.
    Source(SourceAddress),
    /// A connection without one, such as one that this node made.
    Connection(Address),
}

impl Asking {
    /// Whom a message counts against; `None` if it was made on this node.
    pub(super) fn of(origin: &Origin) -> Option<Self> {
        let Origin::Remote(ingress) = origin else { return None };
        let connection = || Self::Connection(ingress.via.clone());
        Some(origin.source().map_or_else(connection, Self::Source))
    }
}

/// What becomes of a message.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is the first: its forwarder is to be looked for, until it is told to be here.
    First(oneshot::Receiver<()>),
    /// It waits behind others.
    Waits,
    /// Too many wait.
    Full(Box<Message>),
}

impl Waiting {
    /// Has a message to `address` wait that `asking` has sent, if it came from another node. A
    /// lookup costs a token until its forwarder is [found](Self::found).
    pub(super) fn take(
        &mut self,
        address: &Address,
        asking: Option<Asking>,
        message: Message,
        now: Duration,
    ) -> Taken {
        if let Some(lookup) = self.lookups.get_mut(address) {
            if lookup.messages.len() >= STRAYS_PER_ADDRESS {
                return Taken::Full(Box::new(message));
            }
            lookup.messages.push(message);
            return Taken::Waits;
        }
        let free = LOOKUPS.saturating_sub(self.lookups.len());
        let may_ask = |asking: &Asking| {
            self.by_asking.has_share(asking, free, LOOKUPS_SHARE)
                && self.missed.take(asking, LOOKUPS_MISSED, now)
        };
        if free == 0 || !asking.as_ref().is_none_or(may_ask) {
            return Taken::Full(Box::new(message));
        }
        if let Some(asking) = &asking {
            self.by_asking.add(asking.clone());
        }
        let (arrives, arrived) = oneshot::channel();
        let lookup = Lookup { asking, messages: vec![message], arrives: Some(arrives) };
        self.lookups.insert(address.clone(), lookup);
        Taken::First(arrived)
    }

    /// The forwarder at these addresses is registered here: who looks for it need not go on.
    pub(super) fn arrived(&mut self, addresses: &[Address]) {
        for address in addresses {
            self.found(address);
            let told = self.lookups.get_mut(address).and_then(|lookup| lookup.arrives.take());
            // Who looks may have found it elsewhere.
            let _ = told.map(|told| told.send(()));
        }
    }

    /// The forwarder at `address` is found, so looking for it costs its sender nothing.
    pub(super) fn found(&mut self, address: &Address) {
        if let Some(asking) = self.lookups.get(address).and_then(|lookup| lookup.asking.as_ref()) {
            self.missed.give_back(asking, LOOKUPS_MISSED);
        }
    }

    /// Takes what waits for `address`, while more may come to wait.
    pub(super) fn batch(&mut self, address: &Address) -> Vec<Message> {
        let lookup = self.lookups.get_mut(address);
        lookup.map(|lookup| std::mem::take(&mut lookup.messages)).unwrap_or_default()
    }

    /// The address is looked for no longer; returns what still waits.
    pub(super) fn end(&mut self, address: &Address) -> Vec<Message> {
        let Some(lookup) = self.lookups.remove(address) else { return Vec::new() };
        if let Some(asking) = &lookup.asking {
            self.by_asking.remove(asking);
        }
        lookup.messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ockam_actix_runtime::{
        route,
        trust::origin::{Door, Ingress},
        Payload,
    };
    use std::{net::Ipv4Addr, sync::Arc};

    const NOW: Duration = Duration::from_secs(100);

    fn message(number: u8) -> Message {
        Message::new(route!["F"], route!["sender"], Payload::from(vec![number]))
    }

    /// A connection that was accepted from the source with this number.
    fn accepted(connection: usize, source: u32) -> Option<Asking> {
        let door = Door::Listener { loopback: false, exposed: Arc::default() };
        let source = Some(SourceAddress::of(Ipv4Addr::from(source).into()));
        let ingress = Ingress { via: connection.to_string().into(), door, source };
        Asking::of(&Origin::Remote(Arc::new(ingress)))
    }

    /// Whether `asking` has the forwarder with this number looked for.
    fn looks(waiting: &mut Waiting, number: usize, asking: Option<Asking>, now: Duration) -> bool {
        let address = Address::from(number.to_string());
        matches!(waiting.take(&address, asking, message(0), now), Taken::First(_))
    }

    #[test]
    fn messages_wait_in_order_until_too_many_do() {
        let (mut waiting, address) = (Waiting::default(), Address::from("a"));
        assert!(matches!(waiting.take(&address, None, message(0), NOW), Taken::First(_)));
        for number in 1..STRAYS_PER_ADDRESS {
            let number = u8::try_from(number).unwrap();
            assert!(matches!(waiting.take(&address, None, message(number), NOW), Taken::Waits));
        }
        assert!(matches!(waiting.take(&address, None, message(0), NOW), Taken::Full(_)));
        let batch = waiting.batch(&address);
        let numbers = batch.iter().map(|message| usize::from(message.payload[0]));
        assert!(numbers.eq(0..STRAYS_PER_ADDRESS));
        assert!(matches!(waiting.take(&address, None, message(9), NOW), Taken::Waits));
        assert_eq!(waiting.end(&address).len(), 1);
        assert!(matches!(waiting.take(&address, None, message(0), NOW), Taken::First(_)));
    }

    #[test]
    fn one_that_arrives_is_looked_for_no_longer() {
        let mut waiting = Waiting::default();
        let mut look = |name: &str| match waiting.take(&name.into(), None, message(0), NOW) {
            Taken::First(arrived) => arrived,
            other => panic!("{other:?}"),
        };
        let (mut awaited, mut other) = (look("a"), look("b"));
        waiting.arrived(&["a".into(), "c".into()]);
        assert_eq!(awaited.try_recv(), Ok(()));
        assert_eq!(other.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    }

    #[test]
    fn connections_of_one_source_share_its_lookups() {
        let mut waiting = Waiting::default();
        let greedy =
            |waiting: &mut Waiting, number| looks(waiting, number, accepted(number % 100, 1), NOW);
        let had = (0..2 * LOOKUPS).filter(|number| greedy(&mut waiting, *number)).count();
        assert!((LOOKUPS / 4..LOOKUPS).contains(&had), "{had}");
        // One in thousands of sources shares the bucket of the greedy one.
        let others = 2..7;
        let get = others.filter(|other| {
            looks(&mut waiting, 3 * LOOKUPS + *other as usize, accepted(1, *other), NOW)
        });
        assert!(get.count() >= 4);
        assert!(looks(&mut waiting, 9 * LOOKUPS, None, NOW), "this node itself");
    }

    #[test]
    fn lookups_that_find_nothing_have_a_rate() {
        let mut waiting = Waiting::default();
        let burst = LOOKUPS_MISSED.burst as usize;
        let mut look = |number: usize, is_found: bool, now| {
            let began = looks(&mut waiting, number, accepted(number, 1), now);
            let address = Address::from(number.to_string());
            if is_found {
                waiting.found(&address);
            }
            waiting.end(&address);
            began
        };
        assert!((0..10 * burst).all(|number| look(number, true, NOW)));
        assert_eq!((0..10 * burst).filter(|number| look(*number, false, NOW)).count(), burst);
        let later = NOW + Duration::from_secs(1);
        let had = (0..burst).filter(|number| look(*number, false, later)).count();
        assert_eq!(had, LOOKUPS_MISSED.per_second as usize);
    }

    #[test]
    fn a_connection_without_a_source_counts_alone() {
        let door = Door::Outgoing { dialled: "tcp#hub:1".into(), grants: Arc::default() };
        let ingress = Arc::new(Ingress { via: "via".into(), door, source: None });
        let asking = Asking::of(&Origin::Remote(ingress));
        assert_eq!(asking, Some(Asking::Connection("via".into())));
        assert_eq!(Asking::of(&Origin::Local), None);
    }
}
