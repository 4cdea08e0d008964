//! Every limit of QUIC connections, with its unit and its reason.

use std::time::Duration;

/// The protocol that both ends name in the handshake: frames of version 1.
pub const PROTOCOL: &[u8] = b"ockam/1";

/// Silence after which the connection is given up, on whatever path: as long as TCP's keep-alive
/// takes. The pulse of every connection asks more often than that, so an idle one has no traffic
/// besides.
pub const IDLE_TIMEOUT: Duration = crate::limits::PROGRESS_TIMEOUT;

/// Silence after which a peer is asked whether it is there, while something is unanswered. A system
/// tells nobody that a process with QUIC connections was killed: the next packet is what its
/// successor answers with a reset, and what was sent before may all have been acknowledged.
pub const ASK_AFTER: Duration = Duration::from_millis(500);

/// The round trip that is assumed before one was measured. The first packet is sent again after
/// three of these, so that an attempt to connect has three tries.
pub const INITIAL_ROUND_TRIP: Duration = Duration::from_millis(100);

/// Bytes that a peer may send before this node reads them, at first: what a system gives a new TCP
/// connection. All connections that a listener lets in together may make a node keep 2 GiB.
pub const MIN_RECEIVE_BYTES: u64 = 128 * 1024;

/// The most that may become of it on a connection that is read as fast as it comes: a path of 100
/// ms at 1 Gbit/s, and some more.
pub const MAX_RECEIVE_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes by which the connections of a node together may exceed [`MIN_RECEIVE_BYTES`].
pub const SHARED_RECEIVE_BYTES: u64 = 256 * 1024 * 1024;

/// Bytes that this end keeps of what the peer has not acknowledged. Below that, it is what the path
/// takes and [`UNSENT_BYTES`](crate::limits::UNSENT_BYTES) more.
pub const MAX_SEND_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of datagrams that wait for the path, and of those that have come and were not looked at,
/// for each connection: a burst of some twenty. With more, older ones would come too late.
pub const DATAGRAM_BYTES: usize = 32 * 1024;

/// Handshakes of one listener that may be under way with peers that have not shown that they
/// receive what is sent to their address. With more, others have to show it before anything is
/// done for them, which costs them a round trip.
pub const UNVALIDATED_HANDSHAKES: usize = 32;

/// Connections of one listener that wait for it to look at them; it looks at all in one turn.
pub const UNSEEN_CONNECTIONS: usize = 1_024;

/// Bytes of a handshake that may arrive before the listener has looked at its beginning.
pub const UNSEEN_BYTES: u64 = 16 * 1024;

/// The same for all handshakes of one listener.
pub const UNSEEN_BYTES_IN_ALL: u64 = 4 * 1024 * 1024;

/// Bytes that the system is asked to keep for a socket, in each direction: all connections of a
/// listener share one. Systems grant less by default.
pub const SOCKET_BYTES: usize = 4 * 1024 * 1024;

/// The least time between two packets that tell peers of a former life that their connections are
/// no more: a thousand peers hear of it within the second that a hub takes to be back. Each is
/// shorter than the packet that it answers.
pub const RESET_INTERVAL: Duration = Duration::from_millis(1);

/// Bytes of a connection's name: too many to guess, so that only who sees its packets knows one.
pub const CONNECTION_ID_BYTES: usize = 8;
