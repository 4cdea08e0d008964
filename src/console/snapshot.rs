//! What the API tells of a node: `docs/console.md` describes each field.
//!
//! Every field is always present, and null if its value is not known. Times are in seconds; `id`s
//! say which thing uses which. Texts contain nothing that gives access.

mod links;
mod portals;
mod workers;

use std::collections::BTreeSet;

use ockam_actix_runtime::{
    metrics::{link::Link, Forwarder as ForwarderRecord, Metrics},
    trust::members::Members,
};
use serde::Serialize;

use crate::console::{
    nodes::Shown,
    process::Process,
    snapshot::{
        links::{Channel, Connection, Forwarder, Ids, Registration},
        portals::{Portal, Stream},
        workers::{Listener, Refusal, Worker},
    },
};

/// Streams, and forwarders, of each node that are told of one by one: the latest. All are counted.
const MOST: usize = 1_000;

/// All parts of the API.
#[derive(Serialize)]
pub(super) struct Snapshot<'a> {
    node: About,
    nodes: Vec<Of<'a, About>>,
    process: Process,
    listeners: Vec<Of<'a, Listener>>,
    connections: Vec<Of<'a, Connection>>,
    channels: Vec<Of<'a, Channel>>,
    portals: Vec<Of<'a, Portal>>,
    streams: Vec<Of<'a, Stream>>,
    registrations: Vec<Of<'a, Registration>>,
    forwarders: Vec<Of<'a, Forwarder>>,
    workers: Vec<Of<'a, Worker>>,
    refusals: Vec<Of<'a, Refusal>>,
}

/// Something, and the name of the node that has it, if there may be several.
#[derive(Serialize)]
struct Of<'a, T> {
    node: Option<&'a str>,
    #[serde(flatten)]
    one: T,
}

/// What a node is, and how much of everything it has.
#[derive(Default, Serialize)]
struct About {
    version: &'static str,
    identities: BTreeSet<String>,
    arbiters: usize,
    guarded: bool,
    streams: usize,
    forwarders: usize,
    stand_ins: usize,
    reply_addresses: usize,
    reconnects: u64,
    resumptions: u64,
    sent_bytes: u64,
    received_bytes: u64,
}

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

const VERSION: &str = env!("CARGO_PKG_VERSION");

impl<'a> Snapshot<'a> {
    /// The state of the nodes at this moment.
    pub(super) fn of(nodes: &'a [Shown]) -> Self {
        let mut all = Self {
            node: About::default(),
            nodes: Vec::new(),
            process: Process::now(),
            listeners: Vec::new(),
            connections: Vec::new(),
            channels: Vec::new(),
            portals: Vec::new(),
            streams: Vec::new(),
            registrations: Vec::new(),
            forwarders: Vec::new(),
            workers: Vec::new(),
            refusals: Vec::new(),
        };
        nodes.iter().for_each(|node| all.add(node));
        all.node = About::all(all.nodes.iter().map(|one| &one.one));
        all
    }

    fn add(&mut self, Shown { name, prefix, node }: &'a Shown) {
        let name = name.as_deref();
        let (metrics, reachability) = (Metrics::of(node), node.reachability());
        let (connections, channels) = (metrics.connections.all(), metrics.channels.all());
        let ids = Ids::of(prefix, &connections, &channels);
        let (streams, forwarders) = (metrics.streams.all(), metrics.forwarders.all());
        let stand_ins = metrics.cluster.stand_ins.all();
        let members = Members::of(node);
        // The other hubs of a cluster: those that have connected, and those that are in use.
        let is_hub = |link: &Link| {
            let has_proved = link.state().via.is_some_and(|via| members.has(&via));
            let is_used = |one: &ForwarderRecord| one.over.as_ref() == Some(&link.address);
            has_proved
                || members.has(&link.address)
                || stand_ins.iter().any(|(_, one)| is_used(one))
        };
        let [sent_bytes, received_bytes] = metrics.connection_bytes();
        let about = About {
            version: VERSION,
            identities: workers::identities(node, &reachability),
            arbiters: node.arbiter_count(),
            guarded: reachability.guarded,
            streams: streams.len(),
            forwarders: forwarders.len(),
            stand_ins: stand_ins.len(),
            reply_addresses: reachability.reply_addresses,
            reconnects: metrics.reconnects.count(),
            resumptions: metrics.resumptions.count(),
            sent_bytes,
            received_bytes,
        };
        let portals = metrics.portal_figures();
        let registrations = metrics.registrations.all();
        let latest = |all: usize| all.saturating_sub(MOST);
        let (streams, forwarders, stand_ins) = (
            &streams[latest(streams.len())..],
            &forwarders[latest(forwarders.len())..],
            &stand_ins[latest(stand_ins.len())..],
        );
        extend(&mut self.nodes, name, [about]);
        extend(&mut self.listeners, name, workers::listeners(&reachability));
        let shown = connections.iter().map(|one| Connection::of(one, &ids, is_hub(&one.1)));
        extend(&mut self.connections, name, shown);
        extend(&mut self.channels, name, channels.iter().map(|one| Channel::of(one, &ids)));
        extend(&mut self.streams, name, portals::streams(streams, &portals, &ids));
        extend(&mut self.portals, name, portals.iter().map(|one| Portal::of(one, &ids)));
        let shown = registrations.iter().map(|one| Registration::of(one, &ids));
        extend(&mut self.registrations, name, shown);
        let shown = forwarders.iter().map(|one| Forwarder::of("forwarder", one, &ids));
        extend(&mut self.forwarders, name, shown);
        let shown = stand_ins.iter().map(|one| Forwarder::of("stand-in", one, &ids));
        extend(&mut self.forwarders, name, shown);
        extend(&mut self.workers, name, workers::workers(&reachability));
        extend(&mut self.refusals, name, workers::refusals(node));
    }
}

/// Adds what a node has.
fn extend<'a, T>(to: &mut Vec<Of<'a, T>>, node: Option<&'a str>, all: impl IntoIterator<Item = T>) {
    to.extend(all.into_iter().map(|one| Of { node, one }));
}
