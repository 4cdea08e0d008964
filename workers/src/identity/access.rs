//! Rules for who may reach one worker, on top of what
//! [`reachability`](ockam_actix_runtime::trust::reachability) decides for all.
//!
//! A rule is any `Fn(&Origin) -> bool`. Those here are for
//! [`WorkerBuilder::access`](ockam_actix_runtime::WorkerBuilder::access) and
//! [`OutletOptions::access`](crate::portal::OutletOptions::access), and are combined with
//! [`Access::and`] and [`Access::or`]:
//!
//! ```
//! use ockam_actix_workers::identity::access::{self, Access};
//! # let [web, laptop] = [2, 3].map(|byte| ockam_actix_runtime::Identifier::from_bytes([byte; 32]));
//! let rule = access::from_identities([web]).or(access::from_identities([laptop]));
//! # let _ = rule;
//! ```
//!
//! Messages of the node itself pass every rule. A refusal is counted, and mostly logged, as
//! `worker-refused`; to the sender it looks as if there were no such worker.

use std::collections::HashSet;

use ockam_actix_runtime::{Identifier, Origin};

use crate::identity::policy::{TrustContext, TrustPolicy};

/// Lets in whoever came through a secure channel as one of `identities`.
pub fn from_identities(
    identities: impl IntoIterator<Item = Identifier>,
) -> impl Fn(&Origin) -> bool + Clone + Send + Sync + 'static {
    let identities: HashSet<Identifier> = identities.into_iter().collect();
    move |origin| origin.peer().is_some_and(|peer| identities.contains(&peer))
}

/// Lets in whoever came through a secure channel and is trusted by `policy`. The policy is asked as
/// `own` for every message, so it should be quick. A listener's policy decides who may have a
/// channel; this one decides what they may reach.
pub fn by_policy(
    own: Identifier,
    policy: impl TrustPolicy,
) -> impl Fn(&Origin) -> bool + Send + Sync + 'static {
    move |origin| {
        let context = origin.peer().map(|peer| TrustContext::new(own, peer));
        context.is_some_and(|context| policy.check(&context).is_trusted())
    }
}

/// Lets in whoever came through a secure channel.
pub fn secure_channels_only() -> impl Fn(&Origin) -> bool + Clone + Send + Sync + 'static {
    |origin: &Origin| origin.peer().is_some()
}

/// Lets in nobody from outside this node.
pub fn local_only() -> impl Fn(&Origin) -> bool + Clone + Send + Sync + 'static {
    Origin::is_local
}

/// Combines rules. Every rule implements it.
pub trait Access: Fn(&Origin) -> bool + Send + Sync + Sized + 'static {
    /// Lets in whom both rules let in.
    fn and(self, other: impl Access) -> impl Fn(&Origin) -> bool + Send + Sync + 'static {
        move |origin| self(origin) && other(origin)
    }

    /// Lets in whom at least one of the rules lets in.
    fn or(self, other: impl Access) -> impl Fn(&Origin) -> bool + Send + Sync + 'static {
        move |origin| self(origin) || other(origin)
    }
}

impl<F: Fn(&Origin) -> bool + Send + Sync + 'static> Access for F {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::policy::{TrustEveryonePolicy, TrustIdentifierPolicy};
    use ockam_actix_runtime::{
        trust::origin::{Door, Ingress},
        Address,
    };
    use std::sync::Arc;

    const OWN: Identifier = Identifier::from_bytes([0; 32]);
    const ALICE: Identifier = Identifier::from_bytes([1; 32]);
    const BOB: Identifier = Identifier::from_bytes([2; 32]);

    fn from(door: Door) -> Origin {
        Origin::Remote(Arc::new(Ingress { via: Address::random(), door, source: None }))
    }

    fn channel(peer: Identifier) -> Origin {
        from(Door::Channel { peer, channel: Address::random(), grants: None })
    }

    #[test]
    fn every_rule_against_every_origin() {
        let plain = from(Door::Listener { loopback: true, exposed: Arc::default() });
        let hub = from(Door::Outgoing { dialled: "tcp#hub:1".into(), grants: Arc::default() });
        let origins = [Origin::Local, channel(ALICE), channel(BOB), plain, hub];
        let alice = || from_identities([ALICE]);
        type Rule = Box<dyn Fn(&Origin) -> bool>;
        let table: [(&str, Rule, [u8; 5]); 9] = [
            ("alice", Box::new(alice()), [0, 1, 0, 0, 0]),
            ("both", Box::new(from_identities([ALICE, BOB])), [0, 1, 1, 0, 0]),
            ("nobody", Box::new(from_identities([])), [0, 0, 0, 0, 0]),
            ("channels", Box::new(secure_channels_only()), [0, 1, 1, 0, 0]),
            ("local", Box::new(local_only()), [1, 0, 0, 0, 0]),
            ("policy", Box::new(by_policy(OWN, TrustIdentifierPolicy::new(BOB))), [0, 0, 1, 0, 0]),
            ("everyone", Box::new(by_policy(OWN, TrustEveryonePolicy)), [0, 1, 1, 0, 0]),
            ("and", Box::new(secure_channels_only().and(alice())), [0, 1, 0, 0, 0]),
            ("or", Box::new(local_only().or(alice())), [1, 1, 0, 0, 0]),
        ];
        for (name, rule, expected) in table {
            let permitted = [0, 1, 2, 3, 4].map(|index| u8::from(rule(&origins[index])));
            assert_eq!(permitted, expected, "{name}");
        }
    }
}
