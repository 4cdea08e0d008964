//! Every limit of secure channels, with its unit and its reason, in one place.

use std::time::Duration;

use ockam_actix_runtime::{edge::liveness::Patience, limits::EDGE_BUDGET_BYTES, trust::rate::Rate};

use crate::secure_channel::record::{
    expendable::DUE_RECORDS, Volume, REHANDSHAKE_BYTES, REHANDSHAKE_RECORDS,
};

/// The limits that a program may lower or raise for its channels; [`Limits::default`] suits all but
/// tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time from message 1 to the end of a handshake, at either end. Ten round trips around the
    /// world fit in; a stranger who never goes on holds a slot no longer.
    pub handshake_deadline: Duration,
    /// How long the initiator waits for an answer each time before it sends message 1 again. A
    /// message that reached a node while that ended, or lost its line, is lost without a word.
    /// Round trips around the world are shorter, so that next to nothing is sent twice.
    pub resend_after: Duration,
    /// Handshakes under way at one listener. Each keeps about 4 KiB, so together 1 MiB. From half
    /// of that number on, initiators must show a cookie first. One connection gets no more than
    /// half, and the connections of one source address no more than three quarters together.
    pub handshakes: usize,
    /// Handshakes that one listener begins for one source address, and through one connection: at
    /// once, as many as a large site needs after a restart of this node, which cost about a second;
    /// then this many a second, which cost some hundredths of a core. A connection to a hub has
    /// many clients at its other end, as many as a network address may have. Each further key of a
    /// history that must be verified counts as one more handshake.
    pub handshake_rate: Rate,
    /// Open channels at one listener. Each keeps two actors and two addresses, about 4 KiB.
    pub channels: usize,
    /// Bytes of messages that wait for a handshake at the initiator: as much as sources of this
    /// node may have under way, and the same again from elsewhere.
    pub waiting_bytes: usize,
    /// The first pause between attempts; it doubles each time.
    pub first_pause: Duration,
    /// The longest pause between attempts: so long a peer that is back waits for its clients. Each
    /// attempt costs its hub two messages.
    pub longest_pause: Duration,
    /// The first pause after one end has refused the other, by its policy or for a replaced key; it
    /// doubles each time.
    pub first_refusal_pause: Duration,
    /// The longest pause after a refusal: what the peer's owner has mended is noticed this late. A
    /// handshake a minute costs neither end anything.
    pub longest_refusal_pause: Duration,
    /// Silence after which the peer of a channel in use is asked whether it is there. With
    /// `answer_within` and a third of itself, the pause between checks, it decides how soon a
    /// client learns of a loss that nobody reports: within 4.5 seconds.
    pub ping_after: Duration,
    /// The same for a channel that no stream uses: it only keeps devices between the nodes from
    /// forgetting the connection.
    pub idle_ping_after: Duration,
    /// How long the peer may take to answer.
    pub answer_within: Duration,
    /// The age of keys at which the initiator agrees on new ones at the latest, and at half of it
    /// at the earliest, so that channels that were opened together are not renewed together. A
    /// renewal costs less than a millisecond, and with it both ends ask again whether they trust
    /// each other.
    pub keys_due_after: Duration,
    /// The age of keys at which either end closes the session. It leaves the other end minutes for
    /// a renewal that is due.
    pub keys_expire_after: Duration,
    /// The time from one agreement to the next in the same channel. Renewals are due after minutes,
    /// so this hinders nobody; a peer that begins them at less than half of it is closed.
    pub renewal_pause: Duration,
    /// Records of one direction after which the initiator agrees on new keys.
    pub keys_due_records: u64,
    /// Records of one direction after which either end closes the session: as many again.
    pub keys_expire_records: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_deadline: Duration::from_secs(10),
            resend_after: Duration::from_secs(1),
            handshakes: 256,
            handshake_rate: Rate { burst: 4_096, per_second: 200 },
            channels: 10_000,
            waiting_bytes: 2 * EDGE_BUDGET_BYTES,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(1),
            first_refusal_pause: Duration::from_secs(1),
            longest_refusal_pause: Duration::from_secs(60),
            ping_after: Duration::from_millis(1_500),
            idle_ping_after: Duration::from_secs(15),
            answer_within: Duration::from_millis(2_500),
            keys_due_after: Duration::from_secs(10 * 60),
            keys_expire_after: Duration::from_secs(15 * 60),
            renewal_pause: Duration::from_secs(10),
            keys_due_records: REHANDSHAKE_RECORDS,
            keys_expire_records: 2 * REHANDSHAKE_RECORDS,
        }
    }
}

impl Limits {
    /// How patient an end is with a silent peer.
    pub(super) fn patience(&self) -> Patience {
        Patience {
            ask_after: self.ping_after,
            idle_ask_after: self.idle_ping_after,
            answer_within: self.answer_within,
        }
    }

    /// Whether the keys of a direction have sealed so much that new ones are due.
    pub(super) fn is_due(&self, sealed: Volume) -> bool {
        sealed.records >= self.keys_due_records
            || sealed.bytes >= REHANDSHAKE_BYTES
            || sealed.expendable >= DUE_RECORDS
    }

    /// Whether the keys of a direction have sealed so much that the session ends.
    pub(super) fn is_expired(&self, sealed: Volume) -> bool {
        sealed.records >= self.keys_expire_records || sealed.bytes >= 2 * REHANDSHAKE_BYTES
    }
}

/// How long the keys of before a renewal still open expendable records: those may be late, and the
/// responder goes on with its old key until it knows that the initiator has the new ones.
pub(super) const OLD_KEYS_KEPT: Duration = Duration::from_secs(5);

/// How long a session must have lasted for its loss to be followed by an attempt at once. A channel
/// that is lost sooner again and again is faulty, and gets the pauses of failed attempts.
pub(super) const STEADY_AFTER: Duration = Duration::from_secs(5);

/// Strangers with long histories that a policy refuses by their identifier: so many at once, and
/// then a second, are verified all the same, so that they can be told. Each costs up to 4 ms.
pub(super) const EXPLAINED_REFUSALS: Rate = Rate { burst: 16, per_second: 1 };

/// How many times as long as for message 1 the responder may take to answer message 3, which needs
/// more work. With less than two of [`Limits::resend_after`] nobody is given up.
pub(super) const CONFIRMATION_ROUND_TRIPS: u32 = 4;

/// How often, in one attempt, the initiator sends message 1 again because a cookie was asked for.
pub(super) const MAX_COOKIES: u8 = 2;

/// Nested channels that seal in one task, each a record of the one before. Each takes some KiB of a
/// stack of 2 MiB. A peer may nest as many as it likes, so the next one waits for its encryptor's
/// turn.
pub(super) const MAX_SEALED_AT_ONCE: usize = 4;

/// How long the last record of a stopping node may take to leave.
pub(super) const FAREWELL: Duration = Duration::from_millis(200);

/// How often a stopping node checks whether a channel is still in use.
pub(super) const DRAIN_INTERVAL: Duration = Duration::from_millis(10);

/// How long before its threads end a stopping node closes a channel that streams still use, so that
/// the peer is told.
pub(super) const FAREWELL_BEFORE_END: Duration = Duration::from_millis(500);
