//! What `/api/v1/` answers, as types: the console writes them, and programs such as `ockam status`
//! read them back.
//!
//! ```
//! use ockam::console::api::Snapshot;
//!
//! fn streams(answer: &str) -> serde_json::Result<usize> {
//!     let snapshot: Snapshot = serde_json::from_str(answer)?;
//!     Ok(snapshot.node.streams)
//! }
//! ```
//!
//! What is not known is `None`. Times are in seconds; `id`s say which thing uses which, and `over`
//! is the `id` of the connection or channel that something uses. Texts contain nothing that gives
//! access. An element may have fewer fields or more, as those of other versions do.

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Deserialize, Serialize};

/// A text that the console knows before it runs.
type Name = Cow<'static, str>;

/// All parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// The node, or what several have together.
    pub node: About,
    /// Each node.
    pub nodes: Vec<Of<About>>,
    /// The process that they are in.
    pub process: Process,
    /// Where they accept connections of other nodes.
    pub listeners: Vec<Of<Listener>>,
    /// Connections with other nodes.
    pub connections: Vec<Of<Connection>>,
    /// Secure channels.
    pub channels: Vec<Of<Channel>>,
    /// Inlets and outlets.
    pub portals: Vec<Of<Portal>>,
    /// The latest streams.
    pub streams: Vec<Of<Stream>>,
    /// Forwarders that hubs have for these nodes.
    pub registrations: Vec<Of<Registration>>,
    /// The latest forwarders that these nodes, hubs, have for others.
    pub forwarders: Vec<Of<Forwarder>>,
    /// Workers that have names.
    pub workers: Vec<Of<Worker>>,
    /// What was refused.
    pub refusals: Vec<Of<Refusal>>,
}

/// Something, and whose it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Of<T> {
    /// The name of the node that has it, if the console may have several.
    pub node: Option<String>,
    /// What it has.
    #[serde(flatten)]
    pub one: T,
}

/// What a node is, and how much of everything it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// The version of the program.
    pub version: Name,
    /// Identities that answer at its secure channel listeners.
    pub identities: BTreeSet<String>,
    /// Threads for its workers.
    pub arbiters: usize,
    /// Whether named workers are reached only through secure channels.
    pub guarded: bool,
    /// Streams that are open, of which the latest are listed.
    pub streams: usize,
    /// Forwarders for other nodes, of which the latest are listed.
    pub forwarders: usize,
    /// Forwarders of other hubs of the cluster that are in use here.
    pub stand_ins: usize,
    /// Addresses for reply.
    pub reply_addresses: usize,
    /// Connections that were made again after a loss.
    pub reconnects: u64,
    /// How often a stream went on along another path.
    pub resumptions: u64,
    /// Bytes over all connections, those that have ended included.
    pub sent_bytes: u64,
    /// The same in the other direction.
    pub received_bytes: u64,
}

/// The figures of the process. Those that the system does not tell are `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Bytes of memory that it has.
    pub resident_bytes: Option<u64>,
    /// Seconds of processors that it has used.
    pub cpu_seconds: Option<f64>,
    /// Descriptors that it has open.
    pub open_descriptors: Option<u64>,
    /// Descriptors that it may have open.
    pub most_descriptors: Option<u64>,
    /// Its threads.
    pub threads: Option<u64>,
    /// When it began, in seconds since 1970.
    pub began: Option<f64>,
}

/// Where a node accepts connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listener {
    /// `127.0.0.1:4000`, for example.
    pub address: String,
}

/// Which end has opened a connection or a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// This node.
    #[default]
    Outgoing,
    /// The other one.
    Incoming,
}

impl Direction {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
        }
    }
}

/// Whether something is up, and why not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// False while it is being made again.
    pub up: bool,
    /// How long it has been up.
    pub up_seconds: Option<f64>,
    /// How often it has come up.
    pub times_up: u64,
    /// Why it is down.
    pub failure: Option<String>,
}

/// A connection with another node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Connection {
    /// `connection/1`.
    pub id: String,
    /// The address that was dialled, or that of the peer that has connected.
    pub name: String,
    /// Which end has dialled.
    pub direction: Direction,
    /// `tcp`, for example, once it has been up.
    pub transport: Option<Name>,
    /// Which peer has answered, of those in the list that was dialled.
    pub peer: Option<String>,
    /// Whether it is up.
    #[serde(flatten)]
    pub status: Status,
    /// Whether another hub of the cluster is at its end.
    pub hub: bool,
    /// Bytes that have left over it.
    pub sent_bytes: u64,
    /// Bytes that have come over it.
    pub received_bytes: u64,
    /// The last round trip that was measured.
    pub round_trip_seconds: Option<f64>,
}

/// A secure channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Channel {
    /// `channel/1`.
    pub id: String,
    /// The route to the other end.
    pub route: String,
    /// Which end has opened it.
    pub direction: Direction,
    /// The identity at the other end.
    pub peer: Option<String>,
    /// What it goes over.
    pub over: Option<String>,
    /// Whether it is established.
    #[serde(flatten)]
    pub status: Status,
}

/// An inlet or an outlet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Portal {
    /// `portal/1`.
    pub id: String,
    /// `inlet`, `outlet`, `udp-inlet` or `udp-outlet`.
    pub kind: Name,
    /// Where an inlet listens; an outlet's address on its node.
    pub name: String,
    /// The route of an inlet; the target of an outlet.
    pub leads_to: String,
    /// What an inlet's route begins with.
    pub over: Option<String>,
    /// Streams, or flows of UDP, that are open.
    pub streams: u64,
    /// How many of them wait for another path.
    pub suspended: u64,
    /// How many there have been in all.
    pub streams_begun: u64,
    /// The application's bytes that went into the tunnel here.
    pub sent_bytes: u64,
    /// The application's bytes that came out of the tunnel here.
    pub received_bytes: u64,
}

/// A stream, or a flow of UDP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stream {
    /// `stream/1`.
    pub id: String,
    /// The `id` of its portal.
    pub portal: Option<String>,
    /// The client's address, if this end was told.
    pub client: Option<String>,
    /// The server that a client of SOCKS has named.
    pub target: Option<String>,
    /// At an outlet, the identity of the inlet's node.
    pub peer: Option<String>,
    /// What its path begins with.
    pub over: Option<String>,
    /// Whether it waits for another path.
    pub suspended: bool,
    /// How long ago it began.
    pub age_seconds: f64,
    /// As for portals.
    pub sent_bytes: u64,
    /// As for portals.
    pub received_bytes: u64,
    /// The shortest round trip to its other end.
    pub round_trip_seconds: Option<f64>,
}

/// A forwarder that a hub has for a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Registration {
    /// `registration/1`.
    pub id: String,
    /// The route to the hub.
    pub hub: String,
    /// The worker that it forwards to.
    pub destination: String,
    /// The forwarder's address at the hub, without the digits that give access.
    pub address: Option<String>,
    /// What the route to the hub begins with.
    pub over: Option<String>,
    /// Whether the hub forwards.
    #[serde(flatten)]
    pub status: Status,
}

/// A forwarder that a hub has for another node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Forwarder {
    /// `forwarder/1`, or `stand-in/1` for one of another hub of the cluster.
    pub id: String,
    /// The route to the node that has asked for it, or to the other hub.
    pub route: String,
    /// What this route begins with.
    pub over: Option<String>,
    /// The identity that it leads to, if the node has proved that it has one.
    pub identity: Option<String>,
    /// How long ago it was registered.
    pub age_seconds: f64,
}

/// A worker that has a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Worker {
    /// Its name.
    pub address: String,
    /// `user`, `service` or `channel-listener`.
    pub class: Name,
    /// The entrances of the node through which it is reached from outside.
    pub reached_from: Vec<String>,
}

/// A rule, and what it has refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// Its name in the log.
    pub rule: Name,
    /// How often it has refused something.
    pub count: u64,
    /// The last line of the log about it.
    pub last: Option<String>,
    /// How long ago that was.
    pub last_seconds_ago: Option<f64>,
}
