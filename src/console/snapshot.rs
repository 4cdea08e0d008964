//! How the parts of the [API](super::api) come about.

mod links;
mod portals;
mod workers;

use std::{borrow::Cow, cell::OnceCell, collections::HashSet, sync::Arc};

use ockam_actix_runtime::{
    metrics::{
        link::Link,
        listing::{Listing, Record},
        portal::PortalFigures,
        Metrics,
    },
    trust::{members::Members, reachability::Reachability},
};
use serde_json::{to_value, Value};

use crate::console::{
    api::{
        About, Channel, Connection, Forwarder, Listener, Of, Portal, Process, Refusal,
        Registration, Snapshot, Stream, Worker,
    },
    nodes::Shown,
    snapshot::links::Ids,
};

/// Streams, and forwarders, of each node that are told of one by one: the latest. All are counted.
const MOST: usize = 1_000;

const VERSION: Cow<'static, str> = Cow::Borrowed(env!("CARGO_PKG_VERSION"));

impl About {
    /// What several nodes have together.
    fn all<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let none = Self { version: VERSION, guarded: true, ..Self::default() };
        all.fold(none, |sum, one| Self {
            version: VERSION,
            identities: sum.identities.union(&one.identities).cloned().collect(),
            arbiters: sum.arbiters + one.arbiters,
            guarded: sum.guarded && one.guarded,
            streams: sum.streams + one.streams,
            forwarders: sum.forwarders + one.forwarders,
            stand_ins: sum.stand_ins + one.stand_ins,
            reply_addresses: sum.reply_addresses + one.reply_addresses,
            reconnects: sum.reconnects + one.reconnects,
            resumptions: sum.resumptions + one.resumptions,
            sent_bytes: sum.sent_bytes + one.sent_bytes,
            received_bytes: sum.received_bytes + one.received_bytes,
        })
    }
}

impl Snapshot {
    /// The state of the nodes at this moment.
    pub(super) fn of(nodes: &[Shown]) -> Self {
        let all = Views::of(nodes);
        let nodes = all.each(|view| [view.about()]);
        Self {
            node: About::all(nodes.iter().map(|one| &one.one)),
            nodes,
            process: Process::now(),
            listeners: all.each(View::listeners),
            connections: all.each(View::connections),
            channels: all.each(View::channels),
            portals: all.each(View::portals),
            streams: all.each(View::streams),
            registrations: all.each(View::registrations),
            forwarders: all.each(View::forwarders),
            workers: all.each(View::workers),
            refusals: all.each(View::refusals),
        }
    }
}

/// One part of that, for which no other is worked out; `None` if no part has this name.
pub(super) fn part(nodes: &[Shown], name: &str) -> Option<serde_json::Result<Value>> {
    let all = Views::of(nodes);
    Some(match name {
        "node" => {
            let nodes: Vec<_> = all.0.iter().map(View::about).collect();
            to_value(About::all(nodes.iter()))
        }
        "nodes" => to_value(all.each(|view| [view.about()])),
        "process" => to_value(Process::now()),
        "listeners" => to_value(all.each(View::listeners)),
        "connections" => to_value(all.each(View::connections)),
        "channels" => to_value(all.each(View::channels)),
        "portals" => to_value(all.each(View::portals)),
        "streams" => to_value(all.each(View::streams)),
        "registrations" => to_value(all.each(View::registrations)),
        "forwarders" => to_value(all.each(View::forwarders)),
        "workers" => to_value(all.each(View::workers)),
        "refusals" => to_value(all.each(View::refusals)),
        _ => return None,
    })
}

/// The nodes of a console.
struct Views<'a>(Vec<View<'a>>);

impl<'a> Views<'a> {
    fn of(nodes: &'a [Shown]) -> Self {
        Self(nodes.iter().map(View::of).collect())
    }

    /// What each node has of one part.
    fn each<T, P: IntoIterator<Item = T>>(&self, part: impl Fn(&View<'a>) -> P) -> Vec<Of<T>> {
        let of_view = |view: &View<'a>| {
            let node = view.shown.name.as_deref().map(str::to_owned);
            part(view).into_iter().map(|one| Of { node: node.clone(), one }).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_view).collect()
    }
}

/// A node. What several parts need is read when the first of them does.
struct View<'a> {
    shown: &'a Shown,
    metrics: Arc<Metrics>,
    links: OnceCell<Links<'a>>,
    portals: OnceCell<Vec<PortalFigures>>,
    reachability: OnceCell<Reachability>,
}

/// The links of a node, and what they are called.
struct Links<'a> {
    connections: Vec<(u64, Arc<Link>)>,
    channels: Vec<(u64, Arc<Link>)>,
    ids: Ids<'a>,
}

impl<'a> View<'a> {
    fn of(shown: &'a Shown) -> Self {
        let (links, portals, reachability) = Default::default();
        Self { shown, metrics: Metrics::of(&shown.node), links, portals, reachability }
    }

    fn links(&self) -> &Links<'a> {
        self.links.get_or_init(|| {
            let (connections, channels) =
                (self.metrics.connections.all(), self.metrics.channels.all());
            let ids = Ids::of(&self.shown.prefix, &connections, &channels);
            Links { connections, channels, ids }
        })
    }

    fn ids(&self) -> &Ids<'a> {
        &self.links().ids
    }

    fn portal_figures(&self) -> &[PortalFigures] {
        self.portals.get_or_init(|| self.metrics.portal_figures())
    }

    fn reachability(&self) -> &Reachability {
        self.reachability.get_or_init(|| self.shown.node.reachability())
    }

    fn about(&self) -> About {
        let (metrics, reachability) = (&self.metrics, self.reachability());
        let [sent_bytes, received_bytes] = metrics.connection_bytes();
        About {
            version: VERSION,
            identities: workers::identities(&self.shown.node, reachability),
            arbiters: self.shown.node.arbiter_count(),
            guarded: reachability.guarded,
            streams: metrics.streams.while_locked(|all| all.len()),
            forwarders: metrics.forwarders.while_locked(|all| all.len()),
            stand_ins: metrics.cluster.stand_ins.while_locked(|all| all.len()),
            reply_addresses: reachability.reply_addresses,
            reconnects: metrics.reconnects.count(),
            resumptions: metrics.resumptions.count(),
            sent_bytes,
            received_bytes,
        }
    }

    fn listeners(&self) -> Vec<Listener> {
        workers::listeners(self.reachability())
    }

    fn connections(&self) -> Vec<Connection> {
        let Links { connections, ids, .. } = self.links();
        let members = Members::of(&self.shown.node);
        let stand_ins = self.metrics.cluster.stand_ins.all();
        let used: HashSet<_> = stand_ins.iter().filter_map(|(_, one)| one.over.as_ref()).collect();
        // The other hubs of a cluster: those that have connected, and those that are in use.
        let is_hub = |link: &Link| {
            link.state().via.is_some_and(|via| members.has(&via))
                || members.has(&link.address)
                || used.contains(&link.address)
        };
        connections.iter().map(|one| Connection::of(one, ids, is_hub(&one.1))).collect()
    }

    fn channels(&self) -> Vec<Channel> {
        let Links { channels, ids, .. } = self.links();
        channels.iter().map(|one| Channel::of(one, ids)).collect()
    }

    fn portals(&self) -> Vec<Portal> {
        self.portal_figures().iter().map(|one| Portal::of(one, self.ids())).collect()
    }

    fn streams(&self) -> Vec<Stream> {
        let streams = latest(&self.metrics.streams);
        portals::streams(&streams, self.portal_figures(), self.ids())
    }

    fn registrations(&self) -> Vec<Registration> {
        let registrations = self.metrics.registrations.all();
        registrations.iter().map(|one| Registration::of(one, self.ids())).collect()
    }

    fn forwarders(&self) -> Vec<Forwarder> {
        let Metrics { forwarders, cluster, .. } = &*self.metrics;
        let kinds = [("forwarder", latest(forwarders)), ("stand-in", latest(&cluster.stand_ins))];
        let of_kind = |(kind, all): (&str, Vec<_>)| {
            all.iter().map(|one| Forwarder::of(kind, one, self.ids())).collect::<Vec<_>>()
        };
        kinds.into_iter().flat_map(of_kind).collect()
    }

    fn workers(&self) -> Vec<Worker> {
        workers::workers(self.reachability())
    }

    fn refusals(&self) -> Vec<Refusal> {
        workers::refusals(&self.shown.node)
    }
}

/// Those of a listing that are told of one by one.
fn latest<T: Record>(listing: &Listing<T>) -> Vec<(u64, Arc<T>)> {
    listing.while_locked(|all| {
        let before = all.len().saturating_sub(MOST);
        all.skip(before).map(|(number, one)| (number, one.clone())).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ockam_actix_harness::pauses::Pauses;
    use ockam_actix_runtime::{
        metrics::{link::Opener, Forwarder as ForwarderRecord},
        NodeBuilder,
    };

    use super::*;
    use crate::console::nodes::Nodes;

    /// A hub with as many connections and forwarders of others as it may have.
    #[test]
    fn a_full_hub_is_told_of_at_once() {
        actix_rt::System::new().block_on(async {
            let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
            let metrics = Metrics::of(&node);
            let address = |number: usize| format!("connection-{number}").into();
            let connect = |number| Link::new(Opener::Peer, address(number), "peer");
            let links: Vec<_> =
                (0..16_384).map(|number| metrics.connections.list(connect(number))).collect();
            let stand_in = |number: usize| ForwarderRecord {
                route: "peer".into(),
                over: Some(address(number % 10)),
                identity: None,
                since: ockam_actix_runtime::clock::Instant::now(),
            };
            let stand_ins: Vec<_> = (0..100_000)
                .map(|number| metrics.cluster.stand_ins.list(stand_in(number)))
                .collect();
            let nodes = Nodes::of(&node).all();
            let (pauses, begun) = (Pauses::watch(), Instant::now());
            let all = Snapshot::of(&nodes);
            let took = pauses.running(begun, Instant::now());
            println!("{took:?} for {} and {}", links.len(), stand_ins.len());
            assert_eq!(all.connections.iter().filter(|one| one.one.hub).count(), 10);
            assert!(took < Duration::from_secs(1), "it took {took:?}");
            node.stop().await;
        });
    }
}
