//! Every limit of the runtime and the wire, with its unit and its reason, in one place.
//!
//! All of them are checked before anything is allocated for the value that they bound.

use std::time::Duration;

use crate::trust::rate::Rate;

/// Bytes of one address. Room for `tcp#` and the longest DNS name with a port.
pub const MAX_ADDRESS_BYTES: usize = 272;

/// Addresses in one route. More would let a small frame become much relayed traffic.
pub const MAX_ROUTE_ADDRESSES: usize = 16;

/// Forwards that one message may spend before it is dropped, so that a loop ends.
pub const MAX_HOPS: u8 = 32;

/// Bytes of one frame on the wire, without its length prefix. Four times the largest chunk of
/// a portal, so that layers of secure channels fit around it.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;

/// Bytes of the payload that a local caller may put in one message. It passes a secure channel, and
/// a channel in a channel: their records are Noise messages, which have at most 65,535 bytes.
pub const MAX_PAYLOAD_BYTES: usize = 62 * 1024;

/// Bytes from the sources of this node that may wait at one worker, or in one connection's write
/// queue, by permit. What came from outside has a permit of its connection, see below.
pub const EDGE_BUDGET_BYTES: usize = 1024 * 1024;

/// Bytes that one connection may have in a node by permit before its socket is no longer read.
pub const INGRESS_BUDGET_BYTES: usize = 1024 * 1024;

/// What a message counts of a budget beside its payload: about what its envelope, its routes and the room around the payload take.
pub const MESSAGE_OVERHEAD_BYTES: usize = 512;

/// Room that an ingress of raw data leaves before its payload, so that the portal's header, the
/// routes and a secure channel's counter are written in place.
pub const HEADROOM_BYTES: usize = 320;

/// Room behind the payload for the authentication tag of a secure channel.
pub const TAILROOM_BYTES: usize = 32;

/// How long `Context::ask` and a `Context::receive` with a deadline wait by default.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a node that stops lets open streams finish.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a node that has opened its first listener waits before it logs what is reached from
/// outside: programs start the rest within that time.
pub const ANNOUNCE_AFTER: Duration = Duration::from_secs(1);

/// Restarts of one actor that panics again and again, each within [`STEADY_AFTER`] of the last, before it stays down:
/// a bug that comes back at once must not keep a core busy for ever.
pub const MAX_RESTARTS: u32 = 5;

/// How long an actor must have lived for its panic not to count with those before.
pub const STEADY_AFTER: Duration = Duration::from_secs(60);

/// The pause before the first restart; it doubles each time. Clients hardly notice it.
pub const FIRST_RESTART_PAUSE: Duration = Duration::from_millis(50);

/// Buckets for the rates of strangers by source address, for each thing that has a rate: 64 KiB.
/// An address shares its bucket with one in so many others.
pub const RATED_SOURCES: usize = 4_096;

/// How often the same rule's refusals of strangers are logged; those between are counted.
pub const REFUSAL_LOG_RATE: Rate = Rate { burst: 16, per_second: 1 };
