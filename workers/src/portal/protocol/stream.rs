//! One end of a tunnelled TCP connection, as states.
//!
//! The two directions live and end on their own, as in TCP:
//!
//! ```text
//! opening          inlet:  OpenDue -> AwaitingOpened -> Established
//!                  outlet: Connecting -> OpenedDue -> Established
//! socket to peer   Open -> FinDue -> FinSent
//! peer to socket   Open -> Draining -> ShutdownDue -> Done
//! any of these, by a reset: Reset
//! ```
//!
//! Events go in through `handle_message`, `socket_read`, `socket_eof`, `socket_wrote`,
//! `socket_reset`, `connected`, `handle_silence`, `refuse`, `stop`, and those of a stream that
//! outlives its path; after each, [`Stream::poll_action`] is called until it has nothing more. The
//! caller keeps the bytes that wait for the socket, in order, and writes them once the socket is
//! there; of a resumable stream it also keeps those that were sent and not acknowledged.
//!
//! | idea | module |
//! |---|---|
//! | the socket's events, and how a stream ends | this one |
//! | what comes from the peer | `messages` |
//! | what is done next | `poll` |
//! | a stream that outlives its path | `resume` |
//! | when this end acknowledges what has come | `ack` |
//! | the names of the states | `state` |
//!
//! The application sees an exact prefix of what was sent and then either a clean end or a reset:
//!
//! * `Fin` shuts the socket down only when all bytes before it are written.
//! * Anything that ends the stream earlier (`Reset`, a lost route, a violation, a stop) drops what
//!   waits and resets the socket, as
//!   [RFC 9293, section 3.10.7.4](https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4) says for
//!   a RST before both ends have sent FIN.
//! * When both `Fin`s have crossed, the peer owes nothing: a later `Reset` or a lost route changes
//!   nothing and the socket is given the rest, as the same section says for CLOSING and LAST-ACK.
//!   A resumable stream stays until the peer has its `Fin` as well, if it can.

mod ack;
mod messages;
mod poll;
mod resume;
mod state;

use std::time::Duration;

use crate::portal::{
    limits::{EARLY_CREDIT, MAX_DATA},
    protocol::{
        action::End,
        credit::{ReceiveWindow, SendWindow},
        message::Control,
        offset::{Limit, Offset},
        reason::{ResetReason, StreamRefusal},
        stream::state::{Acks, Opening, Path, ReceiveHalf, Resumption, SendHalf},
        violation::{Misuse, Violation},
    },
};

/// One end of one stream; a few words of memory, no buffer.
#[derive(Debug)]
pub struct Stream {
    opening: Opening,
    path: Path,
    resumption: Resumption,
    /// The number of the last `Resume`.
    attempt: u64,
    /// At the outlet: whether the inlet has received anything from it.
    is_confirmed: bool,
    send: SendHalf,
    receive: ReceiveHalf,
    send_window: SendWindow,
    retain_cap: u64,
    receive_window: ReceiveWindow,
    acks: Acks,
    window_due: Option<Limit>,
    farewell_due: Option<Control<'static>>,
    reset_due: bool,
    end: Option<End>,
    end_reported: bool,
}

impl Stream {
    /// The inlet's end, for a client that was just accepted; `receive_cap` bounds, in bytes, what
    /// may wait for the client.
    ///
    /// The first action sends `Open`; after it, [`EARLY_CREDIT`] bytes may be sent before the
    /// outlet answers.
    pub fn inlet(receive_cap: u64) -> Self {
        let send_window = SendWindow::new(Limit::new(EARLY_CREDIT));
        Self::new(Opening::OpenDue, send_window, ReceiveWindow::new(receive_cap))
    }

    /// The outlet's end, for an `Open` with `peer_limit`; `receive_cap` bounds, in bytes, what may
    /// wait for the target.
    ///
    /// The caller connects to the target and calls [`connected`](Self::connected) or
    /// [`refuse`](Self::refuse).
    pub fn outlet(peer_limit: Limit, receive_cap: u64) -> Result<Self, Violation> {
        let mut send_window = SendWindow::new(Limit::new(0));
        send_window.raise(peer_limit)?;
        Ok(Self::new(Opening::Connecting, send_window, ReceiveWindow::early(receive_cap)))
    }

    fn new(opening: Opening, send_window: SendWindow, receive_window: ReceiveWindow) -> Self {
        Self {
            opening,
            path: Path::Up,
            resumption: Resumption::Never,
            attempt: 0,
            is_confirmed: false,
            send: SendHalf::Open,
            receive: ReceiveHalf::Open,
            send_window,
            retain_cap: u64::MAX,
            receive_window,
            acks: Acks::default(),
            window_due: None,
            farewell_due: None,
            reset_due: false,
            end: None,
            end_reported: false,
        }
    }

    /// How many bytes may be read from the socket and sent now, at most [`MAX_DATA`].
    ///
    /// While this is 0 the socket is not read, but the caller still watches it for errors: a reset
    /// must not wait for credit.
    pub fn readable(&self) -> usize {
        let retainable = match self.retains() {
            true => self.retain_cap.saturating_sub(self.send_window.retained()),
            false => u64::MAX,
        };
        match self.speaks() && self.send == SendHalf::Open && !self.withholds_early_bytes() {
            true => {
                let available = self.send_window.available().min(retainable);
                usize::try_from(available).unwrap_or(MAX_DATA).min(MAX_DATA)
            }
            false => 0,
        }
    }

    /// Whether bytes of the stream may be sent now.
    fn speaks(&self) -> bool {
        let has_greeted = matches!(self.opening, Opening::AwaitingOpened | Opening::Established);
        has_greeted && self.path == Path::Up
    }

    /// The offset of the next byte to send: one that was sent before while there are
    /// [`resendable`](Self::resendable) ones, and otherwise the next that is read from the socket.
    pub fn next_offset(&self) -> Offset {
        self.send_window.next()
    }

    /// How many received bytes wait for the socket; what a memory budget counts.
    pub const fn buffered(&self) -> u64 {
        match self.receive {
            ReceiveHalf::Reset => 0,
            _ => self.receive_window.buffered(),
        }
    }

    /// The most that may come to wait for the socket without another announcement; what a memory
    /// budget reserves.
    pub const fn receive_window(&self) -> u64 {
        self.receive_window.window()
    }

    /// Sets a new bound for what may come to wait for the socket, see [`ReceiveWindow::set_cap`].
    pub fn set_receive_cap(&mut self, cap: u64) {
        self.receive_window.set_cap(cap);
    }

    /// Bytes that may come to wait for the socket, see [`ReceiveWindow::promised`].
    pub fn promised(&self) -> u64 {
        self.receive_window.promised()
    }

    /// Whether the peer has ended its direction, or the stream is over.
    pub fn is_ended_by_peer(&self) -> bool {
        self.receive != ReceiveHalf::Open
    }

    /// How the stream ended, once it has;
    /// [`Action::Finished`](crate::portal::protocol::action::Action::Finished) may still wait to be
    /// polled.
    pub const fn end(&self) -> Option<End> {
        self.end
    }

    /// The outlet's socket is connected.
    pub fn connected(&mut self) {
        if self.opening == Opening::Connecting && self.end.is_none() {
            self.opening = Opening::OpenedDue;
            self.settle();
        }
    }

    /// The outlet does not open the stream; the peer is told why.
    pub fn refuse(&mut self, reason: StreamRefusal) {
        if self.opening == Opening::Connecting {
            self.cut(End::Refused(reason), Some(Control::Refused { reason, text: reason.text() }));
        }
    }

    /// `bytes` bytes were read from the socket; they are to be sent at the returned offset before
    /// the next action.
    pub fn socket_read(&mut self, bytes: usize) -> Result<Offset, Misuse> {
        let readable = self.readable();
        let (readable, read) =
            (readable.try_into().unwrap_or(u64::MAX), bytes.try_into().unwrap_or(u64::MAX));
        match read <= readable {
            true => self.send_window.consume(read),
            false => Err(Misuse::Read { readable, read }),
        }
    }

    /// The application ended its direction.
    pub fn socket_eof(&mut self) {
        if self.send == SendHalf::Open {
            self.send = SendHalf::FinDue;
        }
    }

    /// The socket took `bytes` bytes at `now`, a time since the stream began; `rtt` is the round
    /// trip to the peer as far as it is known.
    pub fn socket_wrote(
        &mut self,
        bytes: usize,
        now: Duration,
        rtt: Duration,
    ) -> Result<(), Misuse> {
        if self.receive == ReceiveHalf::Reset {
            return Ok(());
        }
        let limit = self.receive_window.deliver(bytes.try_into().unwrap_or(u64::MAX), now, rtt)?;
        self.window_due = limit.or(self.window_due);
        self.settle();
        Ok(())
    }

    /// Reading or writing the socket failed: the application, or its host, reset the connection. If
    /// it had ended its direction before, the peer is still told of that first, because over one
    /// connection the FIN would have come before the RST.
    ///
    /// Nothing happens if all was read and written before: the peer may still have to get it.
    pub fn socket_reset(&mut self) {
        if self.is_done_here() {
            return;
        }
        let has_ended = self.send == SendHalf::FinDue && self.speaks() && self.is_fin_due();
        self.stop(ResetReason::ByApplication);
        if has_ended && self.send == SendHalf::Reset {
            self.send = SendHalf::FinDue;
        }
    }

    /// Nothing has come from the peer for long: it is told its limit again. Limits are absolute, so
    /// that changes nothing there; if the peer is gone, the message is undeliverable, and the
    /// caller learns of that.
    pub fn handle_silence(&mut self) {
        let expects = !self.fins_crossed() || self.awaits_ack();
        if self.speaks() && self.end.is_none() && expects {
            self.window_due.get_or_insert(self.receive_window.granted());
        }
    }

    /// Whether everything that the peer's application sent has come, and its end.
    pub const fn has_all(&self) -> bool {
        self.receive_window.is_ended()
    }

    /// Whether the outlet has opened the stream, as far as this end knows.
    pub fn is_established(&self) -> bool {
        self.opening == Opening::Established
    }

    /// This end resets the stream, in both directions, and tells the peer why.
    pub fn stop(&mut self, reason: ResetReason) {
        if self.is_done_here() {
            return self.let_go();
        }
        let farewell = match self.fins_crossed() {
            true => self.take_ack(),
            false => Some(Control::Reset { reason }),
        };
        self.cut(End::Here(reason), farewell);
    }

    /// Ends the stream incomplete, unless both directions were ended.
    fn lose(&mut self, end: End) {
        match self.fins_crossed() {
            true => self.let_go(),
            false => self.cut(end, None),
        }
    }

    /// Expects nothing more from the peer, whose direction has come to its end.
    fn let_go(&mut self) {
        self.path = Path::Up;
        self.send_window.let_go();
        self.acks.announce(self.receive_window.position());
        self.settle();
    }

    /// Whether nothing is left to be read from the socket or written to it.
    fn is_done_here(&self) -> bool {
        self.receive == ReceiveHalf::Done && self.send == SendHalf::FinSent
    }

    /// Whether both directions were ended, which leaves nothing to reset.
    const fn fins_crossed(&self) -> bool {
        matches!(self.send, SendHalf::FinSent) && self.receive_window.is_ended()
    }

    /// Takes the steps that wait for nothing but this end: the shutdown after the last byte, the
    /// end after both directions.
    fn settle(&mut self) {
        let has_socket = self.opening != Opening::Connecting;
        if self.receive == ReceiveHalf::Draining && self.receive_window.is_drained() && has_socket {
            self.receive = ReceiveHalf::ShutdownDue;
        }
        if self.is_done_here() && !self.awaits_ack() {
            self.end.get_or_insert(End::Clean);
        }
    }

    /// Ends the stream now, incomplete, unless it has ended.
    fn cut(&mut self, end: End, farewell: Option<Control<'static>>) {
        if self.end.is_some() {
            return;
        }
        // A peer that was never sent `Open` knows of no stream to end, and an outlet without a path
        // does not wait for one: the inlet will ask.
        let is_heard = match self.resumption {
            Resumption::Keeping { .. } => self.path != Path::Lost,
            _ => self.opening != Opening::OpenDue,
        };
        self.farewell_due = farewell.filter(|_| is_heard);
        self.end = Some(end);
        self.send = SendHalf::Reset;
        self.receive = ReceiveHalf::Reset;
        self.window_due = None;
        self.acks.is_due = false;
        self.reset_due = true;
    }
}

#[cfg(test)]
mod tests;
