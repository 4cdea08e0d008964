//! Every limit of the transports, with its unit and its reason, in one place.

use std::time::Duration;

use ockam_actix_runtime::{
    edge::liveness::Patience,
    trust::{origin::Door, rate::Rate},
};

/// The version of the frames and messages that this library speaks.
pub const PROTOCOL_VERSION: u8 = 1;

/// Bytes of a greeting, which is sent before a version is agreed, so it can never grow.
pub const MAX_GREETING_BYTES: usize = 64;

/// The time from connecting to the peer's greeting. A peer that says nothing holds a descriptor,
/// and whoever has dialled it might reach another one, or the same one over a line that is back.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(3);

/// The time from the first byte of a frame to its last. A frame of 256 KiB passes at 70 Kbit/s.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(30);

/// How many ports that the system chooses are tried until one is free for IPv4 and IPv6. Of those
/// that it chooses from, few are taken.
pub(crate) const BIND_ATTEMPTS: u32 = 16;

/// The time for one attempt to connect to one network address. Systems that get no answer ask
/// again after 1 s, and then ever less often, so that an attempt which began on a line that was
/// down would miss its return; a new one begins with the first question. Answers take a second at
/// most, even by satellite.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The time to look a name up and to try all of its addresses, or to have a proxy do so.
pub const PEER_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a listener looks whether its certificate has been renewed, at most. That costs less
/// than a handshake, but floods of them should not double it; nobody renews one twice in a second.
#[cfg(feature = "tls")]
pub const CERTIFICATE_LOOK: Duration = Duration::from_secs(1);

/// Bytes of the header of a proxy's answer. A refusal that explains itself does so after it.
pub(crate) const MAX_PROXY_HEADER_BYTES: usize = 8 * 1024;

/// Lines of that header.
pub(crate) const MAX_PROXY_HEADERS: usize = 64;

/// The time for one attempt to connect to one of several peers, and to be greeted.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection must have lasted for its loss to be followed by an attempt at once. A peer
/// that ends connections sooner again and again gets the pauses of failed attempts.
pub const STEADY_AFTER: Duration = Duration::from_secs(1);

/// The first pause between attempts to connect again; it doubles each time.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// The longest pause from the start of one attempt to that of the next: a restarted peer, or a line
/// that is back, waits no longer for its clients.
pub const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Silence after which a peer is asked whether it is there, while messages that were sent to it are
/// unanswered or wait. With the time for the answer and a third of itself, the pause between
/// checks, a loss is noticed within 4.5 s.
pub const ASK_AFTER: Duration = Duration::from_millis(1_500);

/// How long a peer may take to answer. What is before the question, half a megabyte in the system,
/// passes meanwhile at 200 KB a second, and on slower lines brings grants of credit.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);

/// Silence after which an idle peer that was dialled is asked: a hub that hangs is left within 18
/// s, and 10,000 idle connections cost 700 questions a second.
pub const IDLE_ASK_AFTER: Duration = Duration::from_secs(15);

/// The same for one that has connected, which asks before that itself.
pub const IDLE_ASK_AFTER_ACCEPTED: Duration = Duration::from_secs(30);

/// How often the round trip to a peer that is heard anyway is measured.
pub const MEASURE_EVERY: Duration = Duration::from_secs(10);

/// How patient an end of a connection is with its peer, which is asked after a silence of
/// `ask_after` while something is under way.
pub(crate) fn patience(door: &Door, ask_after: Duration) -> Patience {
    let idle_ask_after = match door {
        Door::Outgoing { .. } => IDLE_ASK_AFTER,
        Door::Listener { .. } | Door::Channel { .. } => IDLE_ASK_AFTER_ACCEPTED,
    };
    Patience { ask_after, idle_ask_after, answer_within: ANSWER_WITHIN }
}

/// How long a peer may take to say whether it moves to another node when this one stops. One that
/// does not answer is not waited for.
pub const MOVE_ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// How long the connection to a node that stops goes on beside the one that has taken its place,
/// for what is under way: more than a round trip around the world.
pub const MOVED_LINGER: Duration = Duration::from_millis(500);

/// Silence on a connection after which the kernel asks whether the peer still lives.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);

/// Pause between the kernel's probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Probes without an answer until the connection counts as lost.
pub const KEEPALIVE_PROBES: u32 = 3;

/// How long a peer may acknowledge nothing, or read nothing while more waits for it than the system
/// takes: as long as keep-alive allows. A node that stops reading for longer would hold up the
/// nodes that send to it, and all that passes through them.
pub const PROGRESS_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes that the first read of a connection that was idle may take in; it has no buffer before.
pub const MIN_READ_BYTES: usize = 8 * 1024;

/// Bytes that one read may take in: several chunks of a portal, so that a busy connection costs
/// few system calls.
pub const MAX_READ_BYTES: usize = 256 * 1024;

/// Bytes of the longest frame that nodes send as a rule: a record of a channel, which has at most
/// 65,535 bytes, and its routes.
pub const USUAL_FRAME_BYTES: usize = 68 * 1024;

/// From this size on, a frame is passed on as a part of the buffer that it was read into. A permit
/// then stands for at most twenty times the bytes that it counts.
pub const SHARED_FRAME_BYTES: usize = 16 * 1024;

/// Frames that one vectored write takes; the kernel's own limit is 1,024 slices.
pub const MAX_WRITE_SLICES: usize = 64;

/// How many connections one listener accepts from one source address: all that it may have at once,
/// as after a restart of this node, and then so many a second, which cost some hundredths of a
/// core.
pub const CONNECTION_RATE: Rate = Rate { burst: 4_096, per_second: 500 };

/// Connections at a time that are let in beyond the limits for strangers where members are
/// expected, until they prove that they are members': many times as many as hubs of a cluster make
/// at once.
pub const MAX_GUESTS: usize = 64;

/// How long such a connection may take for that, after its greeting: two round trips, and what it
/// may have to wait for them.
pub const GUEST_TIME: Duration = Duration::from_secs(5);

/// Connections of members, beside those of strangers: one from each hub of a cluster, and those
/// that were lost and are not missed yet.
pub const MAX_MEMBERS: usize = 256;

/// Bytes that a lane, or all lanes of another connection, may send before the next one's turn.
pub const TURN_BYTES: usize = 64 * 1024;

/// Bytes of the frames whose order is decided: what one write takes. Those behind them may still be
/// overtaken by other lanes.
pub const STAGED_BYTES: usize = 256 * 1024;

/// Datagrams of one connection that are routed before others have their turn.
pub const DATAGRAMS_IN_A_ROW: usize = 64;

/// Bytes of messages that may be lost, from one connection, and that wait to be passed on over
/// another: about a tenth of a second of a line of 10 Mbit/s. More would come too late to be of
/// use. What sources of this node send has its limit in their budgets.
pub const EXPENDABLE_BYTES: usize = 128 * 1024;

/// Bytes of all frames that wait in one connection. What they hold of other edges bounds them
/// before that; a peer that takes nothing while very many send to it is given no more.
pub const MAX_QUEUED_BYTES: usize = 16 * 1024 * 1024;

/// Bytes that the system holds for a connection and has not sent: with more, what is urgent would
/// wait behind them. Enough for it to send while the node prepares the next.
pub const UNSENT_BYTES: u32 = 512 * 1024;

/// Connections that one connection of a bundle may consist of. Eight TCP connections fill a path of
/// 145 MB/s and 100 ms that one fills to a fifth; more would only take more slots of a listener.
pub const MAX_PARTS: usize = 16;

/// Bytes that one connection of a bundle takes before it is the next one's turn, and of the longest
/// chunk: a part that is stuck holds up no more than that.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Bytes of the longest WebSocket message that a client sends, which is copied to be masked: what
/// is staged for one write, so that a connection costs no more system calls than over TCP.
pub const MASKED_BYTES: usize = STAGED_BYTES;

/// Bytes of the head of a request or an answer that begins a WebSocket. Browsers with many cookies
/// send about as much; nodes send some two hundred.
pub const MAX_HEAD_BYTES: usize = 8 * 1024;

/// Bytes of TLS records that one read takes in.
pub const RECORDS_BYTES: usize = 64 * 1024;
