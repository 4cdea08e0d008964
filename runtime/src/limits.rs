//! Every limit of the runtime and the wire, with its unit and its reason, in one place.
//!
//! All of them are checked before anything is allocated for the value that they bound.

use std::time::Duration;

/// The limits that a site chooses for a node, for
/// [`NodeBuilder::limits`](crate::NodeBuilder::limits); the defaults suit a machine of 512 MiB and
/// up.
///
/// ```
/// use std::time::Duration;
/// use ockam_actix_runtime::{NodeBuilder, NodeLimits};
///
/// let limits = NodeLimits { ask_timeout: Duration::from_secs(5), ..NodeLimits::default() };
/// let builder = NodeBuilder::new().limits(limits);
/// # let _ = builder;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// How long [`Node::ask`](crate::Node::ask) waits for an answer: 30 s.
    pub ask_timeout: Duration,
    /// How long a node that stops lets open streams finish: 3 s.
    pub drain_timeout: Duration,
    /// Bytes that may be held for all connections together: what has arrived and has not moved on,
    /// because whoever it is for does not take it. No connection is read while they are used up:
    /// 64 MiB.
    pub held_bytes: usize,
    /// Of those, the bytes of one connection: 16 MiB. Its own lanes bound it before that, except
    /// where very many of them are full.
    pub held_bytes_per_connection: usize,
    /// Of those, the bytes of all connections from one source address: 16 MiB.
    pub held_bytes_per_source: usize,
    /// Bytes that the sources of this node may have waiting for all its connections together,
    /// beyond one message for each: 16 MiB.
    pub queued_bytes: usize,
    /// Descriptors that accepted connections and streams may take, together with those of other
    /// nodes in the process. The default is all that the process may have, without those in use
    /// when the node starts and a [reserve](RESERVED_DESCRIPTORS); a running node never has more,
    /// and no more than [three quarters](DESCRIPTOR_QUARTERS) of it of either kind.
    pub descriptors: usize,
    /// Connections that the node's listeners serve at a time: 16,384, or fewer where `descriptors`
    /// are scarce.
    pub connections: usize,
    /// Of those, the connections from one source address: 4,096, and never more than are still
    /// free, so that there is room for another source. That is more than the nodes of a site behind
    /// one address.
    pub connections_per_source: usize,
    /// Streams that are open at a time: 32,768, or fewer where `descriptors` are scarce. One
    /// identity has at most three times as many of them as are free, so alone three quarters; all
    /// identities of one source address have at most 15 times as many.
    pub streams: usize,
    /// Bytes that all streams together may hold for applications that do not read, beyond the
    /// smallest window of each: 32 MiB, which is half of what a node with stalled readers takes in
    /// total. As many again may be kept of what was sent and not acknowledged, for streams that
    /// outlive their path.
    pub stream_bytes: u64,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self {
            ask_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(3),
            held_bytes: 64 * 1024 * 1024,
            held_bytes_per_connection: 16 * 1024 * 1024,
            held_bytes_per_source: 16 * 1024 * 1024,
            queued_bytes: 16 * 1024 * 1024,
            descriptors: usize::MAX,
            connections: 16_384,
            connections_per_source: 4_096,
            streams: 32_768,
            stream_bytes: 32 * 1024 * 1024,
        }
    }
}

impl NodeLimits {
    /// These limits, as far as `descriptors` reach.
    #[must_use]
    pub(crate) fn within(self, descriptors: usize) -> Self {
        let descriptors = self.descriptors.min(descriptors);
        let most_of_a_kind = descriptors / 4 * DESCRIPTOR_QUARTERS;
        Self {
            descriptors,
            connections: self.connections.min(most_of_a_kind),
            streams: self.streams.min(most_of_a_kind),
            ..self
        }
    }
}

/// How many quarters of the descriptors accepted connections may take, and streams, so that neither
/// keeps the others out.
pub const DESCRIPTOR_QUARTERS: usize = 3;

/// One of so many descriptors of the process is left for listeners, dialling, names and files.
pub const RESERVED_DESCRIPTORS: usize = 16;

/// The least number that is left for them.
pub const MIN_RESERVED_DESCRIPTORS: usize = 32;

/// A source address has at most so many times as many connections as are free: alone, half of them.
pub const CONNECTIONS_SHARE: usize = 1;

/// An identity, or a connection without one, has at most so many times as many streams as are free:
/// alone, three quarters of them. Most outlets have one peer.
pub const STREAMS_SHARE: usize = 3;

/// The same for a source address, behind which there may be many identities, or somebody who makes
/// them up.
pub const STREAMS_SOURCE_SHARE: usize = 15;

/// Bytes of one address. Room for `tcp#` and the longest DNS name with a port.
pub const MAX_ADDRESS_BYTES: usize = 272;

/// Addresses in one route. More would let a small frame cause much relayed traffic.
pub const MAX_ROUTE_ADDRESSES: usize = 16;

/// Forwards that one message may spend before it is dropped, so that a loop ends.
pub const MAX_HOPS: u8 = 32;

/// Bytes of one frame on the wire, without its length prefix. Four times the largest chunk of
/// a portal, so that layers of secure channels fit around it.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;

/// Bytes of the payload that a local caller may put in one message. It fits through a secure
/// channel, and through a channel in a channel: their records are Noise messages, which have at
/// most 65,535 bytes.
pub const MAX_PAYLOAD_BYTES: usize = 62 * 1024;

/// Bytes from the sources of this node that may wait at one worker, by permit. Messages from
/// outside have a permit of their lane.
pub const EDGE_BUDGET_BYTES: usize = 1024 * 1024;

/// Bytes from the sources of this node that may wait for the socket of a connection on one lane, by
/// permit, however slow it is: two chunks of bulk data, so that one is read while the other is
/// written. A fast one has up to [`EDGE_BUDGET_BYTES`].
pub const LANE_BUDGET_BYTES: usize = 128 * 1024;

/// How long what waits for a socket by permit may take to leave, as far as that is more than
/// [`LANE_BUDGET_BYTES`]: interactive streams of the same channel wait behind it.
pub const SHORT_QUEUE: Duration = Duration::from_millis(2);

/// Bytes of the credit that every lane of a connection begins with, and keeps at least: one chunk
/// of bulk data under way and one that is read meanwhile.
pub const LANE_BYTES: u32 = 64 * 1024;

/// Bytes of the credit that no lane grows beyond: 50 MB/s over 200 ms.
pub const MAX_LANE_BYTES: u32 = 16 * 1024 * 1024;

/// How many times what moves on in the shortest round trip a lane's credit grows to: more would
/// only be a queue in front of the line.
pub const LANE_HEADROOM: f64 = 1.5;

/// The same for a connection that consists of several. A chunk waits for the one before it, which
/// another part brings, so what has arrived moves on up to a round trip and a half later.
pub const BUNDLE_LANE_HEADROOM: f64 = 4.0;

/// Round trips shorter than this count as this long when a lane's credit grows: at the rate of a
/// loopback interface, a thread that has to wait for its turn must not run out of credit.
pub const MIN_LANE_ROUND_TRIP: Duration = Duration::from_micros(500);

/// Lanes that a connection has credit to grant for before it does so although none is due, so that
/// neither end has to remember many.
pub const MAX_UNGRANTED_LANES: usize = 64;

/// How long before the end of its drain a stopping node resets the streams that are still open, and
/// at most half of the drain: their peers are told through channels, which close after that.
pub(crate) const RESET_BEFORE_END: Duration = Duration::from_secs(1);

/// How long the connections of a stopping node may take to send what waits and to tell their peers:
/// a round trip around the world. Who restarts a hub waits so long for a peer that has vanished.
pub const FAREWELL_TIMEOUT: Duration = Duration::from_millis(300);

/// Bytes up to which a message does not wait for bulk data of the same edge: the first read of a
/// stream, which only those that have much to send exceed.
pub const SMALL_MESSAGE_BYTES: usize = 4 * 1024;

/// Small messages that pass waiting bulk data before some of that passes.
pub const SMALL_IN_A_ROW: usize = 8;

/// Bytes that a message counts against a budget beside its payload: about what its envelope, its
/// routes and the room around the payload take.
pub const MESSAGE_OVERHEAD_BYTES: usize = 512;

/// Bytes of room that an ingress of raw data leaves before its payload, so that the portal's
/// header, the routes and a secure channel's counter are written in place.
pub const HEADROOM_BYTES: usize = 320;

/// Bytes of room after the payload for the authentication tag of a secure channel.
pub const TAILROOM_BYTES: usize = 32;

/// Names that are looked up at the same time, each by a thread of its own. A name server that
/// does not answer is given up by the system after seconds: with as many names as this, all others
/// wait meanwhile.
pub const MAX_LOOKUPS: usize = 32;

/// How long an attempt to connect to one address of a name goes on before the next one begins
/// beside it: what [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305#section-8) recommends.
pub const CONNECT_ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// How long a node that has opened its first listener waits before it logs what is reached from
/// outside: programs start the rest within that time.
pub const ANNOUNCE_AFTER: Duration = Duration::from_secs(1);

/// Restarts of one actor that panics again and again, each within [`STEADY_AFTER`] of the last,
/// before it stays down: a bug that comes back at once must not keep a core busy forever.
pub const MAX_RESTARTS: u32 = 5;

/// How long an actor must have lived for the panics before its own to be forgotten.
pub const STEADY_AFTER: Duration = Duration::from_secs(60);

/// The pause before the first restart; it doubles each time. Clients hardly notice it.
pub const FIRST_RESTART_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause before a restart, for workers that are started again more often: what is
/// broken for long is tried again seldom, and is back soon once it is mended.
pub const LONGEST_RESTART_PAUSE: Duration = Duration::from_secs(10);

/// Members of a group, each of which is watched.
pub const MAX_MEMBERS: usize = 1_024;

/// How often a watch is repeated. Two small messages each time are nothing to a connection.
pub const WATCH_RENEWAL: Duration = Duration::from_secs(5);

/// How long nothing may be heard of a watched worker's node before the worker counts as lost: two
/// answers may be.
pub const WATCH_PATIENCE: Duration = Duration::from_secs(15);

/// How long a node holds a watch that is not repeated: longer than its watcher waits.
pub const WATCH_LEASE: Duration = Duration::from_secs(20);

/// Watches that a node holds: with the longest route back, 8 MiB.
pub const MAX_WATCHES: usize = 8_192;

/// Watches of one worker.
pub const MAX_WATCHES_OF_A_WORKER: usize = 1_024;

/// A source has at most so many times as many watches as are free: alone, half of them.
pub const WATCHES_SHARE: usize = 1;

/// Bytes of the addresses in the route back to a watcher: enough for a channel over several hubs.
pub const MAX_WATCH_ROUTE_BYTES: usize = 1_024;

/// Notices that may wait for a watcher: each says the same as the last, or is the last.
pub const MAX_WAITING_NOTICES: usize = 8;

/// Buckets for the rates of strangers by source address, for each thing that has a rate: 64 KiB. An
/// address shares its bucket with one in this many others.
pub const RATED_SOURCES: usize = 4_096;

/// Lines of the log about refusals by one rule: so many at once, and one a second after that; those
/// between are counted.
pub const REFUSAL_LOG_BURST: u32 = 16;

/// Characters that are kept of the last line about refusals by one rule: a few addresses, and why.
pub const MAX_REFUSAL_CHARS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scarce_descriptors_lower_the_caps_alone() {
        let default = NodeLimits::default();
        let within = |descriptors| default.clone().within(descriptors);
        assert_eq!(within(1_000_000), NodeLimits { descriptors: 1_000_000, ..default.clone() });
        let few = within(1_000);
        assert_eq!([few.descriptors, few.connections, few.streams], [1_000, 750, 750]);
        let chosen = NodeLimits { descriptors: 100, connections: 10, ..default.clone() };
        let few = chosen.within(1_000);
        assert_eq!([few.descriptors, few.connections, few.streams], [100, 10, 75]);
        assert_eq!(within(0).streams, 0);
    }
}
