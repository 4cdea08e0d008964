//! A stream that outlives its path: suspended when the path is lost, resumed along another.
//!
//! ```text
//! inlet    Up -> Lost -> AwaitingResumed -> Up       suspend, resume, Resumed
//! outlet   Up -> Lost -> ResumedDue -> Up            suspend, resumed_by, poll
//! ```
//!
//! Each end tells the other what it has received, and both send what lies after that again, the
//! `Fin` included. While the path is lost nothing is said and nothing is read from the socket, but
//! what has come goes on to the application.
//!
//! The caller keeps the two paths apart: once [`resume`](Stream::resume) or
//! [`resumed_by`](Stream::resumed_by) was called, nothing that came along the old path may be given
//! to the stream any more.

use crate::portal::{
    limits::MAX_DATA,
    protocol::{
        action::End,
        message::Control,
        offset::{Limit, Offset},
        reason::ResetReason,
        resumption::{OutletLife, StreamSecret},
        stream::{
            state::{Opening, Path, Resumption, SendHalf},
            Stream,
        },
        violation::{Misuse, Violation},
    },
};

impl Stream {
    /// Lets the stream of an inlet be resumed by `secret`, if the outlet keeps it; called before
    /// anything else. `known` is the [`OutletLife`] of the outlet's last answer to this inlet, if
    /// there was one: with it, a stream whose early bytes were lost with their path opens anew.
    /// Without it, nothing is sent before `Opened`.
    pub const fn resumable_by(mut self, secret: StreamSecret, known: Option<OutletLife>) -> Self {
        self.resumption = Resumption::Offered { secret, known };
        self
    }

    /// Keeps the stream of an outlet when its path is lost; called before anything else, and only
    /// if `Open` had a secret.
    pub const fn kept_by(mut self, life: OutletLife) -> Self {
        self.resumption = Resumption::Keeping { life };
        self
    }

    /// Bounds, in bytes, what is sent and not acknowledged.
    pub const fn set_retain_cap(&mut self, cap: u64) {
        self.retain_cap = cap;
    }

    /// The offset below which the caller may forget what was sent: everything, for a stream that is
    /// not resumable or that is over.
    pub fn acknowledged(&self) -> Offset {
        match self.retains() && self.end.is_none() {
            true => self.send_window.acknowledged().min(self.send_window.sent()),
            false => self.send_window.sent(),
        }
    }

    /// How many bytes, from [`next_offset`](Self::next_offset) on, are to be sent again now, at
    /// most [`MAX_DATA`]. Until they are, nothing is [`readable`](Self::readable).
    pub fn resendable(&self) -> usize {
        match self.speaks() && self.end.is_none() {
            true => {
                usize::try_from(self.send_window.resendable()).unwrap_or(MAX_DATA).min(MAX_DATA)
            }
            false => 0,
        }
    }

    /// `bytes` bytes are sent again, at the returned offset, before the next action.
    pub fn resent(&mut self, bytes: usize) -> Result<Offset, Misuse> {
        let (resendable, resent) = (self.resendable(), bytes);
        match resent <= resendable {
            true => self.send_window.resend(resent.try_into().unwrap_or(u64::MAX)),
            false => Err(Misuse::Resent {
                resendable: resendable.try_into().unwrap_or(u64::MAX),
                resent: resent.try_into().unwrap_or(u64::MAX),
            }),
        }
    }

    /// Whether the stream waits for another path, or for the outlet's answer along it.
    pub fn is_suspended(&self) -> bool {
        matches!(self.path, Path::Lost | Path::AwaitingResumed)
    }

    /// Whether this is the inlet's end and the outlet has not answered yet, along any path.
    pub const fn is_unanswered(&self) -> bool {
        matches!(self.resumption, Resumption::Offered { .. })
    }

    /// Whether the stream will be suspended when its path is lost.
    pub fn is_resumable(&self) -> bool {
        let is_outlet = matches!(self.resumption, Resumption::Keeping { .. });
        let has_words = self.farewell_due.is_some() && !is_outlet;
        self.retains() && (self.end.is_none() || has_words)
    }

    /// The path to the peer is lost. Returns whether the stream waits for another one; if not, it
    /// is given up.
    pub fn suspend(&mut self) -> bool {
        let waits = self.is_resumable();
        match waits {
            true => self.path = Path::Lost,
            false => self.give_up(),
        }
        waits
    }

    /// Nothing reaches the peer any more, nor comes from it, and this end does not wait for another
    /// path, or not any longer.
    pub fn give_up(&mut self) {
        self.farewell_due = None;
        if self.end.is_some() {
            self.send = SendHalf::Reset;
        }
        self.lose(End::Here(ResetReason::PathLost));
    }

    /// The inlet's caller has another path: returns the first message along it, to be sent to the
    /// outlet's name. `None` for a stream with nothing to be resumed.
    ///
    /// What an end that is over still has to say follows at once, as the next action; everything
    /// else waits for the answer. If that does not come, the path is lost as well.
    pub fn resume(&mut self) -> Option<Control<'static>> {
        let (Resumption::Offered { secret, .. } | Resumption::Kept { secret }) = self.resumption
        else {
            return None;
        };
        if !self.is_resumable() {
            return None;
        }
        if self.opening == Opening::OpenDue {
            self.path = Path::Up;
            return Some(self.say_open());
        }
        self.path = Path::AwaitingResumed;
        self.attempt = self.attempt.saturating_add(1);
        let (received, limit) = self.say_position();
        Some(Control::Resume { secret, attempt: self.attempt, received, limit })
    }

    /// An inlet resumes the stream of this outlet, which may not have noticed that the old path is
    /// lost. `Resumed` is the next action.
    ///
    /// # Errors
    /// If the stream is over or not kept, if a newer resume was here before, or if the numbers are
    /// impossible; the stream is then as it was.
    pub fn resumed_by(
        &mut self,
        attempt: u64,
        received: Offset,
        limit: Limit,
    ) -> Result<(), Violation> {
        let is_kept = matches!(self.resumption, Resumption::Keeping { .. });
        if !is_kept || self.end.is_some() {
            return Err(self.unexpected("Resume"));
        }
        if attempt <= self.attempt {
            return Err(Violation::OldResume { attempt, last: self.attempt });
        }
        self.send_window.resume(received, limit)?;
        self.attempt = attempt;
        self.path = Path::ResumedDue;
        if received > Offset::ZERO {
            self.is_confirmed = true;
        } else if self.opening == Opening::Established {
            // It may have been lost; an inlet that has received nothing takes it twice.
            self.opening = Opening::OpenedDue;
        }
        self.settle();
        Ok(())
    }

    /// Whether the inlet of this outlet's stream, which is over, may believe that it never began,
    /// though its bytes may have reached the target. The outlet then begins a new [`OutletLife`],
    /// so that no inlet sends such bytes again.
    pub fn leaves_doubt(&self) -> bool {
        matches!(self.resumption, Resumption::Keeping { .. })
            && matches!(self.end, Some(End::Here(_) | End::Clean))
            && self.receive_window.position() > Offset::ZERO
            && !self.is_confirmed
    }

    pub(super) fn handle_resumed(
        &mut self,
        received: Offset,
        limit: Limit,
    ) -> Result<(), Violation> {
        if self.path != Path::AwaitingResumed {
            return Err(self.unexpected("Resumed"));
        }
        self.send_window.resume(received, limit)?;
        if let Resumption::Offered { secret, .. } = self.resumption {
            self.resumption = Resumption::Kept { secret };
        }
        self.path = Path::Up;
        self.settle();
        Ok(())
    }

    /// The outlet does not know the stream. One that it has never answered opens anew, unless the
    /// outlet may have given its bytes to the target before it forgot about it.
    pub(super) fn handle_unknown(&mut self, life: Option<OutletLife>) -> Result<(), Violation> {
        if self.path != Path::AwaitingResumed {
            return Err(self.unexpected("Unknown"));
        }
        match self.resumption {
            Resumption::Offered { known, .. }
                if self.send_window.sent() == Offset::ZERO
                    || (known.is_some() && known == life) =>
            {
                self.opening = Opening::OpenDue;
                self.path = Path::Up;
                self.send_window.restart();
            }
            _ => self.lose(End::ByPeer(ResetReason::Forgotten)),
        }
        Ok(())
    }

    /// `Resumed`, which says all that a `Window` or an `Ack` would.
    pub(super) fn say_resumed(&mut self) -> Control<'static> {
        self.path = Path::Up;
        let (received, limit) = self.say_position();
        Control::Resumed { received, limit }
    }

    fn say_position(&mut self) -> (Offset, Limit) {
        self.window_due = None;
        (self.acks.announce(self.receive_window.position()), self.receive_window.granted())
    }

    /// The application of an inlet has reset its connection, and what it sent before is all that is
    /// left: it is sent now, without being kept. Returns whether it had to wait until now.
    pub fn let_early_bytes_go(&mut self) -> bool {
        let waited = self.withholds_early_bytes() && self.path == Path::Up;
        if waited {
            self.resumption = Resumption::Never;
        }
        waited
    }

    /// Whether bytes that were lost with their path could not be sent again, as nobody would know
    /// whether the outlet has had them.
    pub(super) fn withholds_early_bytes(&self) -> bool {
        matches!(self.resumption, Resumption::Offered { known: None, .. })
            && self.opening == Opening::AwaitingOpened
    }

    /// Whether what is sent is kept until it is acknowledged.
    pub(super) fn retains(&self) -> bool {
        self.resumption != Resumption::Never
    }

    /// Whether the `Fin` was sent, and the peer still has to say that it has it.
    pub(super) fn awaits_ack(&self) -> bool {
        self.retains() && self.send == SendHalf::FinSent && !self.send_window.is_complete()
    }
}
