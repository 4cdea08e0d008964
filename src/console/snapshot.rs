//! What the API tells of a node: `docs/console.md` describes each field.
//!
//! Every field is always there, null where there is nothing to say. Times are in seconds, and what
//! leads over what is said by `id`s. Texts have nothing in them that gives access.

mod links;
mod portals;
mod workers;

use ockam_actix_runtime::{
    metrics::{link::Link, Forwarder as ForwarderRecord, Metrics},
    trust::members::Members,
    Node,
};
use serde::Serialize;

use crate::console::{
    process::Process,
    snapshot::{
        links::{Channel, Connection, Forwarder, Ids, Registration},
        portals::{Portal, Stream},
        workers::{Listener, Refusal, Worker},
    },
};

/// Streams, and forwarders, that are told of one by one: the latest. All are counted.
const MOST: usize = 1_000;

/// All parts of the API.
#[derive(Serialize)]
pub(super) struct Snapshot {
    node: About,
    process: Process,
    listeners: Vec<Listener>,
    connections: Vec<Connection>,
    channels: Vec<Channel>,
    portals: Vec<Portal>,
    streams: Vec<Stream>,
    registrations: Vec<Registration>,
    forwarders: Vec<Forwarder>,
    workers: Vec<Worker>,
    refusals: Vec<Refusal>,
}

/// What the node is, and how much of everything it has.
#[derive(Serialize)]
struct About {
    version: &'static str,
    identities: Vec<String>,
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

impl Snapshot {
    /// The state of `node` at this moment.
    pub(super) fn of(node: &Node) -> Self {
        let (metrics, reachability) = (Metrics::of(node), node.reachability());
        let (connections, channels) = (metrics.connections.all(), metrics.channels.all());
        let ids = Ids::of(&connections, &channels);
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
            version: env!("CARGO_PKG_VERSION"),
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
        let latest = |all: usize| all.saturating_sub(MOST);
        Self {
            node: about,
            process: Process::now(),
            listeners: workers::listeners(&reachability),
            connections: connections
                .iter()
                .map(|one| Connection::of(one, is_hub(&one.1)))
                .collect(),
            channels: channels.iter().map(|one| Channel::of(one, &ids)).collect(),
            streams: portals::streams(&streams[latest(streams.len())..], &portals, &ids),
            portals: portals.iter().map(|one| Portal::of(one, &ids)).collect(),
            registrations: metrics
                .registrations
                .all()
                .iter()
                .map(|one| Registration::of(one, &ids))
                .collect(),
            forwarders: forwarders[latest(forwarders.len())..]
                .iter()
                .map(|one| Forwarder::of("forwarder", one, &ids))
                .chain(
                    stand_ins[latest(stand_ins.len())..]
                        .iter()
                        .map(|one| Forwarder::of("stand-in", one, &ids)),
                )
                .collect(),
            workers: workers::workers(&reachability),
            refusals: workers::refusals(node),
        }
    }
}
