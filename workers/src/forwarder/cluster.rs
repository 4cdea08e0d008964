//! Hubs that share their forwarders: whoever reaches one of them reaches what is at any of them.
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
//! | what they say | `message` |
//! | the names of forwarders that they use | `key` |
//! | messages that wait while a forwarder is looked for | `strays` |
//! | a looked-up forwarder's place on this hub | `stand_in` |
//! | what other hubs send their messages through | `gate` |
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
//! What every hub can: refuse. It is asked with a hash of the address, so that nobody learns an
//! address from being asked. One that claims to have it gets the messages to it, which it cannot
//! read, and cannot answer in the outlet's name.

pub mod bus;
mod gate;
mod key;
mod member;
mod message;
mod stand_in;
mod strays;

use std::{
    fmt,
    sync::{Arc, Weak},
};

use ockam_actix_runtime::{node::strays::Strays, Address, Error, Host, Message, Node, Result};

use self::{bus::Bus, gate::Gate, key::ForwarderKey, member::Member};

pub use self::stand_in::CLUSTER_SERVICE;

/// A hub's part in a cluster. Clones share it.
///
/// Give it to [`ForwardingOptions::cluster`](crate::forwarder::ForwardingOptions::cluster).
#[derive(Clone)]
pub struct Cluster(Arc<Member>);

impl Cluster {
    /// Joins the cluster whose hubs are on `bus`; the others dial this hub at `advertised`, such as
    /// `tcp#hub-a:4000`.
    ///
    /// # Errors
    /// If `advertised` is no address that can be dialled, if the node has joined a cluster before,
    /// or if it is stopped.
    pub fn join(
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
        let member = Arc::new(Member::new(node.unheld(), own, Box::new(bus)));
        if !node.keep_strays(Arc::new(Lookups(Arc::downgrade(&member)))) {
            return Err(Error::Usage("this node has joined a cluster already".into()));
        }
        Gate::start(node, member.clone())?;
        let listening = Arc::downgrade(&member);
        member.listen(Box::new(move |bytes| listening.upgrade()?.handle(&bytes)));
        log::info!("in a cluster of hubs, which reach this one at {}", member.own());
        Ok(Self(member))
    }

    /// Notes that the forwarder at `address` is here, until what is returned is dropped.
    pub(super) fn announce(&self, address: &Address) -> Option<Announced> {
        let key = ForwarderKey::of(address)?;
        self.0.hold(key);
        Some(Announced { member: self.0.clone(), key })
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(self.0.own()).finish()
    }
}

/// Keeps a forwarder of this hub known to it; the others learn of its end.
pub(super) struct Announced {
    member: Arc<Member>,
    key: ForwarderKey,
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.member.let_go(self.key);
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
