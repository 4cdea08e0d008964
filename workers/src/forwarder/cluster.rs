//! Hubs that share their forwarders: a node that reaches one of them reaches the forwarders of all.
//!
//! ```text
//! inlet's node      hub A                              hub B                   private node
//! [A, F..., rest] -> F... is a stray: where is it? -> [cluster_service, F..., rest] -> F... -> rest
//!                    from now on a stand-in
//! ```
//!
//! | idea | module |
//! |---|---|
//! | how hubs talk to all others | [`bus`] |
//! | what one hub knows and does | `member` |
//! | what they say, and when | `message`, `voice`, `rounds` |
//! | which hubs are heard | `hubs` |
//! | which forwarders a hub has | `held` |
//! | how new registrations are, although clocks differ | `tenure_clock` |
//! | the names of forwarders that they use | `key` |
//! | which of two hubs has the newer registration of an address | `claims` |
//! | how a hub finds what others have | `lookups` |
//! | messages that wait while a forwarder is looked for | `strays` |
//! | a looked-up forwarder's place on this hub | `stand_in` |
//! | what other hubs send their messages through | `gate` |
//! | how a hub shows that it is a member | `introduction` |
//!
//! # Why nothing is stored
//!
//! A hub asks all others at the first message to an address that it does not have, and remembers
//! the answer. So a forwarder costs nothing outside its hub, no store must be kept right when a hub
//! is killed, and a hub that cannot reach the bus goes on with what it knows. The messages
//! themselves go from hub to hub, never over the bus.
//!
//! # What a hub of a cluster can do
//!
//! It can refuse, as every hub can. It is asked with a hash of the address, so that no hub learns
//! an address from being asked, and answers with proof that it knows the address itself. A hub that
//! knows it gets the messages to it, but cannot read them or answer in the outlet's name. Nor can
//! it displace a registration at another hub: only the identity that owns the address can.

pub mod bus;
mod claims;
mod gate;
mod held;
mod hubs;
mod introduction;
mod key;
mod lookups;
mod member;
mod message;
mod rounds;
mod stand_in;
mod strays;
mod tenure_clock;
#[cfg(test)]
pub(crate) mod tests;
mod voice;

use std::{
    fmt,
    sync::{Arc, Weak},
};

use ockam_actix_runtime::{node::strays::Strays, Address, Error, Host, Message, Node, Result};

use self::{bus::Bus, gate::Gate, introduction::Examiner, key::ForwarderKey, member::Member};
use crate::{
    entity::Entity,
    forwarder::protocol::claim::{ForwarderId, Tenure},
    identity::vault::Vault,
};

pub(super) use self::claims::{LocalClaims, Standing};
pub use self::stand_in::CLUSTER_SERVICE;

/// A hub's part in a cluster. Clones share it.
///
/// Give it to [`ForwardingOptions::cluster`](crate::forwarder::ForwardingOptions::cluster).
#[derive(Clone)]
pub struct Cluster(Arc<Member>);

impl Cluster {
    /// Joins the cluster whose hubs are on `bus`; the others dial this hub at `advertised`, such as
    /// `tcp#hub-a:4000`. It has an identity of its own that lasts as long as the node.
    ///
    /// # Errors
    /// If `advertised` is no address that can be dialled, if the node has joined a cluster before,
    /// or if it is stopped.
    pub fn join(
        node: &impl AsRef<Node>,
        advertised: impl Into<Address>,
        bus: impl Bus + 'static,
    ) -> Result<Self> {
        let entity = Entity::create(node, &Vault::in_memory())?;
        Self::join_as(&entity, node, advertised, bus)
    }

    /// As [`join`](Self::join), with an identity that the program has.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_as(
        entity: &Entity,
        node: &impl AsRef<Node>,
        advertised: impl Into<Address>,
        bus: impl Bus + 'static,
    ) -> Result<Self> {
        let (node, own) = (node.as_ref(), advertised.into());
        own.validate()?;
        if own.dial_parts().is_none() {
            return Err(Error::Usage(format!(
                "\"{own}\" is not where other hubs reach this one: expected host:port"
            )));
        }
        let examiner = Examiner::new()
            .ok_or_else(|| Error::Usage("the system gave no randomness for nonces".into()))?;
        let identity = entity.local_identity();
        let member = Arc::new(Member::new(node.unheld(), own, identity, Box::new(bus)));
        if !node.keep_strays(Arc::new(Lookups(Arc::downgrade(&member)))) {
            return Err(Error::Usage("this node has joined a cluster already".into()));
        }
        Gate::start(node, &member, examiner)?;
        let listening = Arc::downgrade(&member);
        member.voice.listen(Box::new(move |bytes| listening.upgrade()?.handle(&bytes)));
        node.spawn_on(node.next_arbiter(), Member::speak(Arc::downgrade(&member)));
        log::info!("in a cluster of hubs, which reach this one at {}", member.own().at);
        Ok(Self(member))
    }

    /// From now on, claims at this hub are compared with those at others.
    pub(super) fn share(&self, claims: Arc<dyn LocalClaims>) {
        self.0.share(claims);
    }

    /// Notes that a forwarder is here, until what is returned is dropped. Its addresses are free
    /// when this returns.
    pub(super) fn announce(&self, id: ForwarderId, addresses: &[Address]) -> Announced {
        Announced { member: self.0.clone(), keys: self.0.hold(id, addresses) }
    }

    /// A forwarder is reached here: messages that wait for it go on.
    pub(super) fn arrived(&self, addresses: &[Address]) {
        self.0.waiting.lock().arrived(addresses);
    }

    /// An identity has claimed an address here, or proved again that it is its own.
    pub(super) fn claimed(&self, id: ForwarderId) {
        self.0.voice.queue(id);
    }

    /// A tenure for a registration now, higher than all that this hub has heard of.
    pub(super) fn next_tenure(&self) -> Tenure {
        self.0.next_tenure()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.0.own().at).finish()
    }
}

/// Keeps a forwarder of this hub known to it; the others learn of its end.
pub(super) struct Announced {
    member: Arc<Member>,
    keys: Vec<ForwarderKey>,
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.member.let_go(&self.keys);
    }
}

/// What the router gives strays to.
struct Lookups(Weak<Member>);

impl Strays for Lookups {
    fn take(&self, address: &Address, message: Box<Message>) -> Result<(), Box<Message>> {
        match (self.0.upgrade(), ForwarderKey::of(address)) {
            (Some(member), Some(key)) => {
                member.take(key, address, *message);
                Ok(())
            }
            _ => Err(message),
        }
    }
}
