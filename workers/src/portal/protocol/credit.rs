//! Credit: how much one direction of a stream may send, and how much it lets in.
//!
//! The receiver announces an absolute [`Limit`]; the sender stays below it. Bytes count against the
//! receiver from the moment they arrive until the local socket has taken them, so a reader that
//! stops costs one window of memory and nothing else of the connection.
//!
//! Invariants, each of which the tests check against a naive model:
//!
//! * [`SendWindow`]: `acknowledged <= next <= sent <= limit`, where the `Fin` counts as one byte
//!   more of all but the limit; only `next` ever goes down, when another path is taken.
//! * [`ReceiveWindow`]: `delivered <= received <= granted`, none of them ever goes down, and a
//!   limit is only ever granted as `delivered + window` with `window <= cap`. So
//!   `buffered = received - delivered <= cap`, for the largest cap there has been.

use std::time::Duration;

use crate::portal::{
    limits::{
        EARLY_CREDIT, INITIAL_WINDOW, MAX_GRANT, MAX_STEP, MAX_WINDOW, MIN_ROUND_TRIP, MIN_WINDOW,
    },
    protocol::{
        offset::{Limit, Offset},
        violation::{Misuse, Violation},
    },
};

/// The sending side of one direction.
///
/// A `Fin` takes one position after the last byte: [`end`](Self::end) is behind it once it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendWindow {
    acknowledged: Offset,
    next: Offset,
    sent: Offset,
    limit: Limit,
    fin: bool,
}

impl SendWindow {
    /// A direction that has sent nothing yet and may send up to `limit`.
    pub const fn new(limit: Limit) -> Self {
        Self {
            acknowledged: Offset::ZERO,
            next: Offset::ZERO,
            sent: Offset::ZERO,
            limit,
            fin: false,
        }
    }

    /// The offset of the next byte to read; after the last, the final offset.
    pub const fn sent(&self) -> Offset {
        self.sent
    }

    /// The offset of the next byte to send: below [`sent`](Self::sent), one to send again.
    pub fn next(&self) -> Offset {
        self.next.min(self.sent)
    }

    /// How far the peer said that it has come; with the `Fin`, one more than the final offset.
    pub const fn acknowledged(&self) -> Offset {
        self.acknowledged
    }

    /// What was sent, with the `Fin`.
    pub const fn end(&self) -> Offset {
        match self.fin {
            true => self.sent.after_fin(),
            false => self.sent,
        }
    }

    /// How many new bytes may be sent now; none as long as some are to be sent again, and after the
    /// `Fin`.
    pub fn available(&self) -> u64 {
        match self.next == self.sent && !self.fin {
            true => self.limit.room_from(self.sent),
            false => 0,
        }
    }

    /// How many bytes that were sent have not been acknowledged.
    pub const fn retained(&self) -> u64 {
        self.sent.since(self.acknowledged)
    }

    /// How many bytes are to be sent again.
    pub const fn resendable(&self) -> u64 {
        self.sent.since(self.next)
    }

    /// Whether only the `Fin` is to be sent again.
    pub fn is_fin_due_again(&self) -> bool {
        self.fin && self.next == self.sent
    }

    /// Takes credit for `bytes` bytes and returns the offset of the first.
    pub fn consume(&mut self, bytes: u64) -> Result<Offset, Misuse> {
        let readable = self.available();
        let end = self.sent.forward(bytes).filter(|_| bytes <= readable);
        let end = end.ok_or(Misuse::Read { readable, read: bytes })?;
        if bytes > 0 {
            self.next = end;
        }
        Ok(std::mem::replace(&mut self.sent, end))
    }

    /// Counts `bytes` bytes that were sent again and returns the offset of the first.
    pub fn resend(&mut self, bytes: u64) -> Result<Offset, Misuse> {
        let resendable = self.resendable();
        let end = self.next.forward(bytes).filter(|_| bytes <= resendable);
        let end = end.ok_or(Misuse::Resent { resendable, resent: bytes })?;
        Ok(std::mem::replace(&mut self.next, end))
    }

    /// Ends the direction, for the first time or again, and returns the final offset.
    pub fn finish(&mut self) -> Offset {
        self.fin = true;
        self.next = self.end();
        self.sent
    }

    /// Raises the limit to the one that the peer announced. One that is not higher changes nothing.
    pub fn raise(&mut self, limit: Limit) -> Result<(), Violation> {
        if limit.room_from(self.sent) > MAX_GRANT {
            return Err(Violation::AbsurdLimit { sent: self.sent, limit });
        }
        self.limit = self.limit.max(limit);
        Ok(())
    }

    /// Notes what the peer has received. Less than before changes nothing; more than was sent along
    /// this path cannot be.
    pub fn acknowledge(&mut self, received: Offset) -> Result<(), Violation> {
        if received > self.next {
            return Err(self.wrong(received));
        }
        self.acknowledged = self.acknowledged.max(received);
        Ok(())
    }

    /// Goes on along another path with what the peer has received: what was sent after that is to
    /// be sent again.
    pub fn resume(&mut self, received: Offset, limit: Limit) -> Result<(), Violation> {
        if received < self.acknowledged || received > self.end() {
            return Err(self.wrong(received));
        }
        self.raise(limit)?;
        (self.acknowledged, self.next) = (received, received);
        Ok(())
    }

    /// Begins anew with a peer that has received nothing, and has not acknowledged anything.
    pub fn restart(&mut self) {
        self.next = self.acknowledged;
    }

    /// Expects nothing more of the peer: everything counts as acknowledged.
    pub fn let_go(&mut self) {
        (self.acknowledged, self.next) = (self.end(), self.end());
    }

    /// Whether the peer has everything, and the `Fin`.
    pub fn is_complete(&self) -> bool {
        self.fin && self.acknowledged == self.end()
    }

    const fn wrong(&self, received: Offset) -> Violation {
        let (acknowledged, end) = (self.acknowledged, self.end());
        Violation::WrongReceived { received, acknowledged, end }
    }
}

/// The receiving side of one direction: checks what comes, counts what waits, and grants credit by
/// a window that grows with need.
///
/// The window doubles when the socket took a whole window within two round trips: then the sender
/// had to wait for credit, or soon would have. A slow or stalled reader never takes a window that
/// fast, so its window stays as it is.
#[derive(Clone, Copy, Debug)]
pub struct ReceiveWindow {
    received: Offset,
    delivered: Offset,
    granted: Limit,
    fin: bool,
    window: u64,
    cap: u64,
    measured_from: Offset,
    measured_since: Duration,
}

impl ReceiveWindow {
    /// A direction that lets in [`INITIAL_WINDOW`] at once, or less under a lower cap.
    ///
    /// `cap` bounds the window in bytes, for a node's memory budget; it is kept between
    /// [`MIN_WINDOW`] and [`MAX_WINDOW`].
    pub fn new(cap: u64) -> Self {
        let mut window = Self::early(cap);
        window.grant();
        window
    }

    /// A direction that lets in [`EARLY_CREDIT`] until [`grant`](Self::grant) is called.
    pub fn early(cap: u64) -> Self {
        let cap = cap.clamp(MIN_WINDOW, MAX_WINDOW);
        Self {
            received: Offset::ZERO,
            delivered: Offset::ZERO,
            granted: Limit::new(EARLY_CREDIT),
            fin: false,
            window: INITIAL_WINDOW.min(cap),
            cap,
            measured_from: Offset::ZERO,
            measured_since: Duration::ZERO,
        }
    }

    /// Bytes that came in order so far.
    pub const fn received(&self) -> Offset {
        self.received
    }

    /// What the peer may forget: the bytes that came in order, and one more for its `Fin`.
    pub const fn position(&self) -> Offset {
        match self.fin {
            true => self.received.after_fin(),
            false => self.received,
        }
    }

    /// Bytes that the socket took.
    pub const fn delivered(&self) -> Offset {
        self.delivered
    }

    /// Bytes that came and that the socket has not taken.
    pub const fn buffered(&self) -> u64 {
        self.received.since(self.delivered)
    }

    /// What the peer may send, by the last announcement.
    pub const fn granted(&self) -> Limit {
        self.granted
    }

    /// Bytes that may come to wait for the socket: a window, or what is left of a larger one that
    /// was granted before; after the end, what waits.
    pub fn promised(&self) -> u64 {
        match self.fin {
            true => self.buffered(),
            false => self.granted.room_from(self.delivered).max(self.window),
        }
    }

    /// The present size of the window in bytes.
    pub const fn window(&self) -> u64 {
        self.window
    }

    /// Whether the peer has ended the direction.
    pub const fn is_ended(&self) -> bool {
        self.fin
    }

    /// Whether the direction ended and the socket took all of it.
    pub const fn is_drained(&self) -> bool {
        self.fin && self.buffered() == 0
    }

    /// Sets a new cap. What was granted stays granted, so a lower cap takes effect as the reader
    /// goes on.
    pub fn set_cap(&mut self, cap: u64) {
        self.cap = cap.clamp(MIN_WINDOW, MAX_WINDOW);
        self.window = self.window.min(self.cap);
    }

    /// Grants a window from here on and returns the limit to announce.
    pub fn grant(&mut self) -> Limit {
        self.granted = self.granted.max(self.target());
        self.granted
    }

    /// Counts `len` bytes at `offset` that came from the peer.
    pub fn receive(&mut self, offset: Offset, len: u64) -> Result<(), Violation> {
        let expected = self.received;
        if self.fin {
            return Err(Violation::AfterFin { fin: expected, came: offset });
        }
        if offset > expected {
            return Err(Violation::Gap { expected, came: offset });
        }
        if offset < expected {
            return Err(Violation::Overlap { expected, came: offset });
        }
        let limit = self.granted;
        self.received = offset
            .forward(len)
            .filter(|end| limit.allows(*end))
            .ok_or(Violation::BeyondLimit { offset, len, limit })?;
        Ok(())
    }

    /// Ends the direction at `fin`, where the peer ended it.
    pub fn finish(&mut self, fin: Offset) -> Result<(), Violation> {
        let received = self.received;
        if self.fin {
            return Err(Violation::AfterFin { fin: received, came: fin });
        }
        if fin != received {
            return Err(Violation::WrongFin { received, fin });
        }
        self.fin = true;
        Ok(())
    }

    /// Counts `bytes` bytes that the socket took at `now`, a time since the stream began; `rtt` is
    /// the round trip to the peer as far as it is known.
    ///
    /// Returns a new limit to announce when half a window, or [`MAX_STEP`], was taken since the
    /// last; never after the end.
    pub fn deliver(
        &mut self,
        bytes: u64,
        now: Duration,
        rtt: Duration,
    ) -> Result<Option<Limit>, Misuse> {
        let misuse = Misuse::Wrote { buffered: self.buffered(), wrote: bytes };
        let delivered =
            self.delivered.forward(bytes).filter(|end| *end <= self.received).ok_or(misuse)?;
        self.measure(delivered, now, rtt.max(MIN_ROUND_TRIP).saturating_mul(2));
        self.delivered = delivered;
        let step = (self.window / 2).min(MAX_STEP);
        let due = !self.fin && self.target().beyond(self.granted) >= step;
        Ok(due.then(|| self.grant()))
    }

    /// Doubles the window when a whole one was taken in a measurement of at most `span`; starts the
    /// next measurement when this one is over.
    ///
    /// A measurement that begins with this delivery does not count it: those bytes may have waited
    /// for long.
    fn measure(&mut self, delivered: Offset, now: Duration, span: Duration) {
        let in_time = now.saturating_sub(self.measured_since) <= span;
        let whole = delivered.since(self.measured_from) >= self.window;
        if in_time && whole {
            self.window = self.window.saturating_mul(2).min(self.cap);
        }
        if whole || !in_time {
            self.measured_from = delivered;
            self.measured_since = now;
        }
    }

    fn target(&self) -> Limit {
        Limit::ahead_of(self.delivered, self.window)
    }
}

#[cfg(test)]
mod tests;
