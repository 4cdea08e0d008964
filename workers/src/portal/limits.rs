//! Every limit of portals, with its unit and its reason, in one place; what a site decides is in
//! [`NodeLimits`].

use std::time::Duration;

use ockam_actix_runtime::socket::Keepalive;
#[cfg(doc)]
use ockam_actix_runtime::NodeLimits;

// ----- the protocol ------------------------------------------------------------------------------

/// The most bytes that one `Data` may carry: two full socket reads, and little compared with the
/// first window.
pub const MAX_DATA: usize = 128 * 1024;

/// The most messages in one payload, not counting an `Open`: more than an end ever has to say at
/// the same time, and few for one turn.
pub const MAX_MESSAGES: usize = 8;

/// The most bytes of text in `Refused`: one line of a log.
pub const MAX_TEXT: usize = 200;

/// The most bytes of a target that `Open` names: the longest name of DNS, a colon and a port.
pub const MAX_TARGET: usize = 253 + 1 + 5;

/// The most resumes of unknown streams that an outlet remembers, in some 100 bytes each: more than
/// the streams that one client resumes after the outlet's restart.
pub const MAX_STRAYS: usize = 4096;

// ----- windows -----------------------------------------------------------------------------------

/// Bytes that an inlet may send before `Opened`, and that an outlet holds for a target that it is
/// still connecting to.
pub const EARLY_CREDIT: u64 = 64 * 1024;

/// Bytes of the window of a stream that has shown no need for more.
pub const INITIAL_WINDOW: u64 = 256 * 1024;

/// Bytes of the window that no stream grows beyond: 100 MB/s over 160 ms.
pub const MAX_WINDOW: u64 = 16 * 1024 * 1024;

/// Bytes of the smallest cap of a window: it must hold the early data.
pub const MIN_WINDOW: u64 = EARLY_CREDIT;

/// Bytes that a peer's limit may lie beyond what was sent, whatever the peer's own cap is.
pub const MAX_GRANT: u64 = 1024 * 1024 * 1024;

/// Bytes of the steps in which large windows are announced. With steps of half a window, a path
/// would need twice its bandwidth-delay product.
pub const MAX_STEP: u64 = 2 * 1024 * 1024;

/// Round trips shorter than this count as this long when windows grow: under load, queues make them
/// longer than one that was measured when idle.
pub const MIN_ROUND_TRIP: Duration = Duration::from_millis(1);

/// The round trip that is assumed before the first measurement: long enough that the first windows
/// grow.
pub(crate) const ASSUMED_ROUND_TRIP: Duration = Duration::from_millis(20);

// ----- all streams of a node ---------------------------------------------------------------------

/// How many eighths of [`NodeLimits::stream_bytes`] may be taken by windows that grow far; the rest
/// is for those that have not.
pub(crate) const GROWTH_EIGHTHS: u64 = 7;

/// A stream begins with this part of what is free of the first half of
/// [`NodeLimits::stream_bytes`], so that some is left for the next ones.
pub(crate) const FIRST_WINDOWS: u64 = 32;

/// How long nothing may come on a stream whose first hop does not tell of every loss, before the
/// stream asks: as long as an idle channel waits. Of two quiet ends one asks: 10,000 such streams
/// send 670 messages a second.
pub const SILENCE: Duration = Duration::from_secs(15);

// ----- streams that outlive their path -----------------------------------------------------------

/// How long, unless options say otherwise, a stream whose path is lost waits for another one: long
/// enough for a machine that is started again or a laptop that changes its network.
pub const RESUME_FOR: Duration = Duration::from_secs(120);

/// How long the outlet may take to answer along a new path, before the inlet looks for another one:
/// the longest usual round trip, several times.
pub(crate) const RESUME_ANSWER: Duration = Duration::from_secs(3);

/// The pause before the second attempt to resume a stream; it doubles up to the longest. The first
/// is made at once.
pub(crate) const RESUME_FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two attempts to resume a stream.
pub(crate) const RESUME_LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Bytes of the steps in which what comes is acknowledged, if windows are large: what the other end
/// keeps then stays in its processor's cache, and costs little.
pub const MAX_ACK_STEP: u64 = 256 * 1024;

/// How long, at most, an acknowledgement waits for bytes to go with; half of that on average. Until
/// it comes, the other end keeps what it sent.
pub(crate) const ACK_DELAY: Duration = Duration::from_millis(100);

/// Bytes of the blocks in which sent bytes are kept, if they came in smaller chunks.
pub(crate) const RETAINED_BLOCK_BYTES: usize = 1024;

/// Bytes that every stream may keep until they are acknowledged, whatever the others keep.
pub const MIN_RETAINED: u64 = 16 * 1024;

/// How many times [`SILENCE`] a resumable stream may be silent whose first hop tells of every loss:
/// a minute, which is half of [`RESUME_FOR`].
pub(crate) const WATCHED_SILENCES: u32 = 4;

/// How long a resumed stream has to last until the next loss counts as another one, if nothing has
/// passed meanwhile: longer than a loss takes to be noticed.
pub(crate) const SETTLED_AFTER: Duration = Duration::from_secs(10);

// ----- the application's socket ------------------------------------------------------------------

/// Bytes of a stream's first read; it doubles while reads fill it.
pub(crate) const MIN_READ_BYTES: usize = 4 * 1024;

/// Bytes of a read that most likely finds nothing, after one that found less than it had room for.
/// It cannot be left out: a read ends before an urgent byte, and no event announces what follows.
pub(crate) const LAST_READ_BYTES: usize = 256;

/// Bytes of the largest read: what is sealed and written at once. With its headers it fits the
/// record of a secure channel, which is a Noise message of at most 65,535 bytes.
pub(crate) const MAX_READ_BYTES: usize = 60 * 1024;

/// Chunks that a stream sends before others have their turn: the other end finds them together and
/// writes them with one call, which wakes its reader once.
pub(crate) const CHUNKS_IN_A_ROW: usize = 2;

/// Turns of the arbiter for which the end of a connection yields. Nobody waits for the end of a
/// connection that was closed, but often for what is ready at the same time, such as the same
/// client's next connection. A turn takes microseconds; with many short connections this saved a
/// fifth of the processors' idle time.
pub(crate) const YIELDS_BEFORE_FIN: usize = 3;

/// Bytes up to which a payload in a larger buffer is copied, so that small messages do not keep
/// large buffers.
pub(crate) const SMALL_PAYLOAD_BYTES: usize = 2 * 1024;

/// Chunks that one write to the application takes.
pub(crate) const MAX_WRITE_SLICES: usize = 16;

/// Bytes up to which chunks that wait for the application are joined.
pub(crate) const JOINED_BYTES: usize = 1024;

/// How long, at most, a target has to answer what its client asked at once; half of that on
/// average. `Opened` then goes with the answer, which saves a message, its system calls and a
/// wake-up at each end; after that it goes alone.
pub(crate) const MAX_OPENED_DELAY: Duration = Duration::from_millis(10);

/// How long a new client waits for a path that is lost and being made again, before it is reset:
/// longer than the longest pause between two attempts.
pub(crate) const PATH_PATIENCE: Duration = Duration::from_secs(3);

/// How long the client of a SOCKS inlet has to name its server: programs do it at once.
pub(crate) const SOCKS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the outlet waits for its target to answer.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause between attempts to connect to a Unix socket whose server is behind with accepting: it
/// is of this machine, and each attempt costs it microseconds.
pub(crate) const UNIX_CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// When an application's host counts as gone: after a minute of silence, and three probes in half a
/// minute. Both ends of 10,000 idle streams send 330 probes a second.
pub(crate) const KEEPALIVE: Keepalive =
    Keepalive { idle: Duration::from_secs(60), interval: Duration::from_secs(10), probes: 3 };
