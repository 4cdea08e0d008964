//! Messages that wait while their forwarder is looked for, without clock or network.
//!
//! Their bytes are bounded by the edges that they came over, whose room they keep. Their number is
//! bounded here, so that a sender that makes up addresses keeps nobody else from looking for one.

use std::collections::HashMap;

use ockam_actix_runtime::{trust::tally::Tally, Address, Message};

use crate::forwarder::limits::{LOOKUPS, LOOKUPS_SHARE, STRAYS_PER_ADDRESS};

/// What waits, by the address that is looked for.
#[derive(Default)]
pub(super) struct Waiting {
    lookups: HashMap<Address, Lookup>,
    by_asking: Tally<Address>,
}

struct Lookup {
    /// The connection that the first of its messages came by.
    asking: Option<Address>,
    messages: Vec<Message>,
}

/// What becomes of a message.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is the first: its forwarder is to be looked for.
    First,
    /// It waits behind others.
    Waits,
    /// Too many wait.
    Full(Box<Message>),
}

impl Waiting {
    /// Has a message to `address` wait that came over the connection `asking`, if it came over one.
    pub(super) fn take(
        &mut self,
        address: &Address,
        asking: Option<Address>,
        message: Message,
    ) -> Taken {
        if let Some(lookup) = self.lookups.get_mut(address) {
            if lookup.messages.len() >= STRAYS_PER_ADDRESS {
                return Taken::Full(Box::new(message));
            }
            lookup.messages.push(message);
            return Taken::Waits;
        }
        let free = LOOKUPS.saturating_sub(self.lookups.len());
        let has_share = |asking: &Address| self.by_asking.has_share(asking, free, LOOKUPS_SHARE);
        if free == 0 || !asking.as_ref().is_none_or(has_share) {
            return Taken::Full(Box::new(message));
        }
        if let Some(asking) = &asking {
            self.by_asking.add(asking.clone());
        }
        let lookup = Lookup { asking, messages: vec![message] };
        self.lookups.insert(address.clone(), lookup);
        Taken::First
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
    use ockam_actix_runtime::{route, Payload};

    fn message(number: u8) -> Message {
        Message::new(route!["F"], route!["sender"], Payload::from(vec![number]))
    }

    #[test]
    fn messages_wait_in_order_until_too_many_do() {
        let (mut waiting, address) = (Waiting::default(), Address::from("a"));
        assert!(matches!(waiting.take(&address, None, message(0)), Taken::First));
        for number in 1..STRAYS_PER_ADDRESS {
            let number = u8::try_from(number).unwrap();
            assert!(matches!(waiting.take(&address, None, message(number)), Taken::Waits));
        }
        assert!(matches!(waiting.take(&address, None, message(0)), Taken::Full(_)));
        let batch = waiting.batch(&address);
        let numbers = batch.iter().map(|message| usize::from(message.payload[0]));
        assert!(numbers.eq(0..STRAYS_PER_ADDRESS));
        assert!(matches!(waiting.take(&address, None, message(9)), Taken::Waits));
        assert_eq!(waiting.end(&address).len(), 1);
        assert!(matches!(waiting.take(&address, None, message(0)), Taken::First));
    }

    #[test]
    fn one_connection_leaves_lookups_for_another() {
        let mut waiting = Waiting::default();
        let (greedy, other) = (Address::from("greedy"), Address::from("other"));
        let look = |waiting: &mut Waiting, number: usize, asking: &Address| {
            let address = Address::from(number.to_string());
            matches!(waiting.take(&address, Some(asking.clone()), message(0)), Taken::First)
        };
        let had = (0..2 * LOOKUPS).filter(|number| look(&mut waiting, *number, &greedy)).count();
        assert!((LOOKUPS / 4..LOOKUPS).contains(&had), "{had}");
        assert!(look(&mut waiting, 3 * LOOKUPS, &other));
        waiting.end(&Address::from("0"));
        assert!(look(&mut waiting, 0, &other));
    }
}
