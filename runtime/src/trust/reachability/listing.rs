//! The listing, for people, of which workers of a node can be reached from where.
//!
//! It asks [`admit`] about every worker and every entrance to the node, so it cannot differ from
//! what is delivered.

use std::{collections::HashSet, fmt, sync::Arc};

use crate::{
    address::{identifier::Identifier, Address},
    trust::{
        origin::{Door, HubGrants, Ingress, Origin},
        reachability::{admit, Class, ReachabilityRule},
        refusal_log::RefusalLog,
    },
};

/// A listener for connections of other nodes, over TCP or otherwise, as its node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// What it is bound to, such as `127.0.0.1:4000`.
    pub bound: String,
    /// Whether only this machine reaches it.
    pub loopback: bool,
    /// The workers that it explicitly exposes.
    pub exposed: Arc<HashSet<Address>>,
}

/// An entrance to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// The node itself.
    ThisNode,
    /// A secure channel, whoever opened it.
    Channel,
    /// A listener, by what it is bound to.
    Listener(String),
    /// A connection that the node made, by the address that was dialled.
    Outgoing(Address),
    /// A channel that the node opened to a hub, by the channel's address.
    HubChannel(Address),
}

/// Whether a worker is reached from an [`Entrance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is reached.
    Open,
    /// It is reached by those whom the worker's own access rule lets in.
    Narrowed,
    /// It is not reached, because of this rule.
    Refused(ReachabilityRule),
}

/// One worker, and what reaches it.
#[derive(Clone, Debug)]
pub struct Reachable {
    /// Its address.
    pub address: Address,
    /// Its class, for reachability from outside.
    pub class: Class,
    /// Whether it is reached from each entrance, in the order of [`Reachability::entrances`].
    pub reach: Vec<Reach>,
}

/// Which workers of a node can be reached from where, at one moment. `Display` shows it as a table,
/// [`Reachability::summary`] in one line.
///
/// It omits addresses of 128 random bits, which only those who are to answer know. Those for reply
/// to workers are counted, as forwarders are.
#[derive(Clone, Debug)]
pub struct Reachability {
    /// Whether the node has a secure channel listener, so that named workers are not reached
    /// through a plain loopback listener.
    pub guarded: bool,
    /// All entrances to the node.
    pub entrances: Vec<Entrance>,
    /// All workers that have names, sorted.
    pub workers: Vec<Reachable>,
    /// How many forwarders the node keeps for others.
    pub forwarders: usize,
    /// How many addresses for reply stand for workers and mailboxes of the node. Each was given to
    /// one connection or channel, admits only what comes in there, and ends with it.
    pub reply_addresses: usize,
    /// How often each rule has refused.
    pub refusals: Vec<(ReachabilityRule, u64)>,
}

/// A worker as its node's routing table has it.
pub(crate) struct Listed {
    pub(crate) address: Address,
    pub(crate) class: Class,
    pub(crate) narrowed: bool,
}

/// What a listing is made from.
pub(crate) struct Facts {
    pub(crate) guarded: bool,
    pub(crate) listeners: Vec<Listening>,
    pub(crate) grants: Vec<(Address, Arc<HubGrants>)>,
    pub(crate) workers: Vec<Listed>,
    pub(crate) reply_addresses: usize,
}

impl Reachability {
    pub(crate) fn new(facts: Facts, refusals: &RefusalLog) -> Self {
        let Facts { guarded, listeners, grants, workers, reply_addresses } = facts;
        let origins = origins(&listeners, grants);
        let forwarders = workers.iter().filter(|one| one.class == Class::Forwarder).count();
        let named = |one: &Listed| match one.class {
            Class::Internal | Class::Reply | Class::Forwarder => false,
            Class::ChannelListener | Class::Service | Class::User => true,
        };
        let reach =
            |one: &Listed, origin: &Origin| match admit(&one.address, one.class, origin, guarded) {
                Err(rule) => Reach::Refused(rule),
                Ok(()) if one.narrowed && !origin.is_local() => Reach::Narrowed,
                Ok(()) => Reach::Open,
            };
        let mut workers: Vec<_> = workers
            .into_iter()
            .filter(named)
            .map(|one| Reachable {
                reach: origins.iter().map(|(_, origin)| reach(&one, origin)).collect(),
                address: one.address,
                class: one.class,
            })
            .collect();
        workers.sort_by(|one, other| one.address.cmp(&other.address));
        let entrances = origins.into_iter().map(|(entrance, _)| entrance).collect();
        let refusals = ReachabilityRule::ALL
            .into_iter()
            .map(|rule| (rule, refusals.by(rule.name())))
            .collect();
        Self { guarded, entrances, workers, forwarders, reply_addresses, refusals }
    }

    /// Whether the worker at `address` is reached from `entrance`; `None` if one of them is not
    /// listed.
    pub fn reach(&self, address: &Address, entrance: &Entrance) -> Option<Reach> {
        let worker = self.workers.iter().find(|worker| worker.address == *address)?;
        let position = self.entrances.iter().position(|one| one == entrance)?;
        worker.reach.get(position).copied()
    }

    /// Refusals by all rules together.
    pub fn refused(&self) -> u64 {
        self.refusals.iter().map(|(_, count)| count).sum()
    }

    /// One line: each named worker that is reached from outside, and from where.
    pub fn summary(&self) -> String {
        let mut parts = self.outside();
        if self.forwarders > 0 {
            parts.push(format!("{} forwarders", self.forwarders));
        }
        if self.reply_addresses > 0 {
            parts.push(format!("{} addresses for reply", self.reply_addresses));
        }
        let parts = parts.join("; ");
        format!("reached from outside: {parts}; {} messages refused", self.refused())
    }

    /// Each named worker that is reached from outside, and from where; at least one part.
    pub fn outside(&self) -> Vec<String> {
        let outside = |worker: &Reachable| {
            let from =
                self.entrances_of(worker).filter(|(entrance, _)| **entrance != Entrance::ThisNode);
            let from: Vec<_> = from.map(|(entrance, reach)| phrase(entrance, reach)).collect();
            (!from.is_empty()).then(|| format!("\"{}\" from {}", worker.address, from.join(", ")))
        };
        let mut parts: Vec<_> = self.workers.iter().filter_map(outside).collect();
        if parts.is_empty() {
            parts.push("no named worker".into());
        }
        parts
    }

    fn entrances_of<'a>(
        &'a self,
        worker: &'a Reachable,
    ) -> impl Iterator<Item = (&'a Entrance, Reach)> {
        let reached = self.entrances.iter().zip(worker.reach.iter().copied());
        reached.filter(|(_, reach)| !matches!(reach, Reach::Refused(_)))
    }
}

/// Each entrance, with the origin of a message that comes in by it.
fn origins(
    listeners: &[Listening],
    grants: Vec<(Address, Arc<HubGrants>)>,
) -> Vec<(Entrance, Origin)> {
    let from =
        |door| Origin::Remote(Arc::new(Ingress { via: Address::random(), door, source: None }));
    // Nobody in particular: workers' own rules are not asked here.
    let peer = Identifier::from_bytes([0; Identifier::LENGTH]);
    let through = |channel, grants| from(Door::Channel { peer, channel, grants });
    let mut origins = vec![
        (Entrance::ThisNode, Origin::Local),
        (Entrance::Channel, through(Address::random(), None)),
    ];
    for Listening { bound, loopback, exposed } in listeners {
        let door = Door::Listener { loopback: *loopback, exposed: exposed.clone() };
        origins.push((Entrance::Listener(bound.clone()), from(door)));
    }
    for (address, grants) in grants {
        if address.dial_parts().is_some() {
            let door = Door::Outgoing { dialled: address.clone(), grants };
            origins.push((Entrance::Outgoing(address), from(door)));
        } else if grants.is_used() {
            let origin = through(address.clone(), Some(grants));
            origins.push((Entrance::HubChannel(address), origin));
        }
    }
    origins
}

fn phrase(entrance: &Entrance, reach: Reach) -> String {
    match reach {
        Reach::Narrowed => format!("{entrance} (as its own rule says)"),
        Reach::Open | Reach::Refused(_) => entrance.to_string(),
    }
}

impl fmt::Display for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThisNode => f.write_str("this node"),
            Self::Channel => f.write_str("secure channels"),
            Self::Listener(bound) => write!(f, "the listener on {bound}"),
            Self::Outgoing(address) => write!(f, "the connection to {address}"),
            Self::HubChannel(address) => write!(f, "the hub at the end of channel {address}"),
        }
    }
}

impl fmt::Display for Reachability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.workers.iter().map(|one| one.address.as_str().len()).max().unwrap_or(0);
        for worker in &self.workers {
            let from: Vec<_> = self
                .entrances_of(worker)
                .map(|(entrance, reach)| phrase(entrance, reach))
                .collect();
            writeln!(f, "{:width$}  from {}", worker.address.as_str(), from.join(", "))?;
        }
        if self.forwarders > 0 {
            writeln!(
                f,
                "{} forwarders, from this node, secure channels, listeners",
                self.forwarders
            )?;
        }
        if self.reply_addresses > 0 {
            writeln!(
                f,
                "{} addresses for reply, each from the one connection or channel that has it",
                self.reply_addresses
            )?;
        }
        let refused = self.refusals.iter().filter(|(_, count)| *count > 0);
        let refused: Vec<_> = refused.map(|(rule, count)| format!("{count} by {rule}")).collect();
        match refused.is_empty() {
            true => f.write_str("no message was refused"),
            false => write!(f, "refused: {}", refused.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Reachability {
        let worker = |name: &str, class, narrowed| Listed { address: name.into(), class, narrowed };
        let grants = Arc::new(HubGrants::default());
        grants.permit("listener".into());
        let facts = Facts {
            guarded: true,
            listeners: vec![Listening {
                bound: "127.0.0.1:4000".into(),
                loopback: true,
                exposed: Arc::new(HashSet::from(["open".into()])),
            }],
            grants: vec![
                ("tcp#hub:4000".into(), grants.clone()),
                ("channel".into(), grants),
                ("idle".into(), Arc::default()),
            ],
            workers: vec![
                worker("outlet", Class::User, true),
                worker("open", Class::User, false),
                worker("listener", Class::ChannelListener, false),
                worker("hidden", Class::Internal, false),
                worker("F1", Class::Forwarder, false),
            ],
            reply_addresses: 2,
        };
        let refusals = RefusalLog::default();
        refusals.warn(ReachabilityRule::NotExposed.name(), format_args!("refused"));
        Reachability::new(facts, &refusals)
    }

    #[test]
    fn each_worker_is_listed_with_what_reaches_it() {
        let text = listing().to_string();
        let expected = "\
listener  from this node, secure channels, the listener on 127.0.0.1:4000, \
          the connection to tcp#hub:4000, the hub at the end of channel channel
open      from this node, secure channels, the listener on 127.0.0.1:4000
outlet    from this node, secure channels (as its own rule says)
1 forwarders, from this node, secure channels, listeners
2 addresses for reply, each from the one connection or channel that has it
refused: 1 by not-exposed";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_summary_is_one_line_about_the_outside() {
        let summary = listing().summary();
        assert!(!summary.contains('\n') && !summary.contains("this node"), "{summary}");
        assert!(summary.contains("\"outlet\" from secure channels (as its own rule says);"));
        let end = "1 forwarders; 2 addresses for reply; 1 messages refused";
        assert!(summary.ends_with(end), "{summary}");
    }

    #[test]
    fn one_worker_and_entrance_can_be_looked_up() {
        let listing = listing();
        let from = |worker: &str, entrance| listing.reach(&worker.into(), &entrance);
        let outside = || Entrance::Listener("127.0.0.1:4000".into());
        assert_eq!(from("outlet", outside()), Some(Reach::Refused(ReachabilityRule::NotExposed)));
        assert_eq!(from("open", outside()), Some(Reach::Open));
        assert_eq!(from("outlet", Entrance::Channel), Some(Reach::Narrowed));
        assert_eq!(from("hidden", Entrance::Channel), None);
    }
}
