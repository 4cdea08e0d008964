//! Who reaches what, and what was refused.

use std::collections::BTreeSet;

use ockam_actix_runtime::{
    trust::reachability::{Class, Entrance, Reach, Reachability},
    Host, Node,
};
use ockam_actix_workers::secure_channel::ChannelListeners;

use crate::console::{
    api::{Listener, Refusal, Worker},
    public_text::public,
    words::seconds,
};

/// Where the node accepts connections of others.
pub(super) fn listeners(reachability: &Reachability) -> Vec<Listener> {
    let bound = |entrance: &Entrance| match entrance {
        Entrance::Listener(bound) => Some(Listener { address: public(bound) }),
        _ => None,
    };
    reachability.entrances.iter().filter_map(bound).collect()
}

/// The identities that answer at the node's channel listeners.
pub(super) fn identities(node: &Node, reachability: &Reachability) -> BTreeSet<String> {
    let listeners = node.extension(ChannelListeners::default);
    let is_listener = |class| class == Class::ChannelListener;
    let workers = reachability.workers.iter().filter(|worker| is_listener(worker.class));
    let identity = |address| listeners.identity_of(address).map(|own| own.identifier().to_string());
    workers.filter_map(|worker| identity(&worker.address)).collect()
}

/// The workers that have names, and what reaches them from outside.
pub(super) fn workers(reachability: &Reachability) -> Vec<Worker> {
    let entrance = |(entrance, reach): (&Entrance, &Reach)| match (entrance, reach) {
        (Entrance::ThisNode, _) | (_, Reach::Refused(_)) => None,
        (entrance, Reach::Open) => Some(public(&entrance.to_string())),
        (entrance, Reach::Narrowed) => Some(public(&format!("{entrance}, as its rule says"))),
    };
    let workers = reachability.workers.iter().map(|worker| Worker {
        address: public(worker.address.as_str()),
        class: match worker.class {
            Class::Internal => "internal",
            Class::Reply => "reply",
            Class::ChannelListener => "channel-listener",
            Class::Service => "service",
            Class::Forwarder => "forwarder",
            Class::User => "user",
        }
        .into(),
        reached_from: reachability
            .entrances
            .iter()
            .zip(&worker.reach)
            .filter_map(entrance)
            .collect(),
    });
    workers.collect()
}

/// What the log of refusals has counted, and the last line about each rule.
pub(super) fn refusals(node: &Node) -> Vec<Refusal> {
    let refusal = |one: ockam_actix_runtime::trust::refusal_log::RefusalCount| Refusal {
        rule: one.rule.into(),
        count: one.count,
        last: one.last.as_ref().map(|(_, what)| public(what)),
        last_seconds_ago: one.last.map(|(when, _)| seconds(when.elapsed())),
    };
    node.refusals().counts().into_iter().map(refusal).collect()
}
