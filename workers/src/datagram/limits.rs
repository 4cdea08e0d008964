//! Every limit of UDP portals, with its unit and its reason, in one place.
//!
//! The shares of an identity and of a source address are those of streams,
//! [`STREAMS_SHARE`](ockam_actix_runtime::limits::STREAMS_SHARE) and
//! [`STREAMS_SOURCE_SHARE`](ockam_actix_runtime::limits::STREAMS_SOURCE_SHARE).

use std::time::Duration;

use ockam_actix_runtime::limits::MAX_PAYLOAD_BYTES;

/// How long, unless options say otherwise, a flow lasts in which nothing passes. Most exchanges
/// over UDP are over within seconds, and what lasts sends keepalives twice as often, or has its
/// client speak first.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The shortest time that options can choose for it: flows that ended at once would cost more than
/// their datagrams.
pub const MIN_IDLE_TIMEOUT: Duration = Duration::from_millis(100);

/// Bytes of the largest datagram: what fits into one of IPv4.
pub const MAX_DATAGRAM: usize = 65_507;

/// Bytes of the largest datagram through a secure channel, or through a channel in a channel:
/// a record that did not fit into that of the next channel would end its own.
pub const MAX_CHANNEL_DATAGRAM: usize = MAX_PAYLOAD_BYTES - MAX_HEADER;

/// Bytes of the longest header of a datagram.
pub const MAX_HEADER: usize = 6;

/// Flows of all UDP portals of a node: an outlet's take a descriptor each, and each some 2 KiB.
pub const MAX_FLOWS: usize = 8_192;

/// How often a datagram of a flow is an ordinary message, which waits for what was lost before it
/// and yields a notice if its outlet is gone. One of a thousand in a flow of 100 a second.
pub(crate) const NOTICE_INTERVAL: Duration = Duration::from_secs(10);

/// Bytes that one flow may have under way, if the first edge has room for twice as many.
pub(crate) const FLOW_BYTES: usize = 1024 * 1024;

/// Bytes of datagrams that a flow keeps while its target's name is looked up: the first of a
/// resolver's client, of a WireGuard peer, or of a QUIC connection.
pub(crate) const EARLY_BYTES: usize = 4 * 1024;

/// The same for a target that has no name: one of any size, until the arbiter has had a turn.
pub(crate) const EARLY_BYTES_WITHOUT_NAME: usize = 64 * 1024;

/// How many datagrams these may be.
pub(crate) const EARLY_DATAGRAMS: usize = 16;

/// How long the lookup of a target's name may take. A client has asked again by then.
pub(crate) const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long datagrams are dropped after a target was not found, before it is looked up again.
pub(crate) const LOOKUP_PAUSE: Duration = Duration::from_secs(1);

/// Datagrams that are read from one socket before others have their turn, among them the
/// connection that the datagrams leave by.
pub(crate) const DATAGRAMS_IN_A_ROW: usize = 32;

/// Bytes of such datagrams: a quarter of what the slowest edge has room for.
pub(crate) const BYTES_IN_A_ROW: usize = 32 * 1024;

/// Bytes that the system is asked to keep of what has come and was not read, as far as it permits:
/// a burst of some hundred datagrams.
pub(crate) const RECEIVE_BUFFER_BYTES: usize = 1024 * 1024;

/// The pause after a socket could not be read for a reason that may pass, such as a lack of memory.
pub(crate) const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);
