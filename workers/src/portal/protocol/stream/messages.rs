//! What comes from the peer.

use std::ops::Range;

use crate::portal::protocol::{
    action::End,
    message::{Control, Decoded},
    offset::{Limit, Offset},
    reason::ResetReason,
    resumption::OutletLife,
    stream::{
        state::{Opening, Path, ReceiveHalf, Resumption, SendHalf},
        Stream,
    },
    violation::Violation,
};

impl Stream {
    /// Handles a message from the peer. For `Data`, returns the range of the bytes to queue for the
    /// socket.
    ///
    /// A violation is returned for the log; the stream has already turned it into a reset. While
    /// the path is lost, all but a reset is ignored: what was not taken comes again.
    pub fn handle_message(
        &mut self,
        message: Decoded<'_>,
    ) -> Result<Option<Range<usize>>, Violation> {
        let is_reset = matches!(message, Decoded::Control(Control::Reset { .. }));
        if self.end.is_some() || (self.path == Path::Lost && !is_reset) {
            return Ok(None);
        }
        let result = match message {
            Decoded::Data { offset, range } => {
                let len = u64::try_from(range.len()).unwrap_or(u64::MAX);
                self.handle_data(offset, len).map(|()| Some(range))
            }
            Decoded::Control(control) => self.handle_control(control).map(|()| None),
        };
        if result.is_err() {
            self.stop(ResetReason::ProtocolViolation);
        }
        result
    }

    /// Handles input from the peer that is not a message, see
    /// [`DecodeError`](crate::portal::protocol::message::DecodeError): resets the stream.
    pub fn handle_garbage(&mut self) {
        self.stop(ResetReason::ProtocolViolation);
    }

    fn handle_data(&mut self, offset: Offset, len: u64) -> Result<(), Violation> {
        self.receives("Data")?;
        self.receive_window.receive(offset, len)?;
        self.count_for_ack();
        Ok(())
    }

    fn handle_control(&mut self, control: Control<'_>) -> Result<(), Violation> {
        let name = control.name();
        match control {
            Control::Opened { limit, life } => self.handle_opened(limit, life),
            Control::Refused { reason, .. } if self.awaits_answer() => {
                self.lose(End::Refused(reason));
                Ok(())
            }
            Control::Window { limit } => {
                self.receives(name)?;
                self.send_window.raise(limit)
            }
            Control::Fin { offset } => {
                self.receives(name)?;
                self.receive_window.finish(offset)?;
                self.window_due = None;
                self.receive = ReceiveHalf::Draining;
                if self.send == SendHalf::FinSent {
                    // There are no bytes left that it could ride with.
                    self.acknowledge();
                }
                self.settle();
                Ok(())
            }
            Control::Reset { reason } => {
                self.lose(End::ByPeer(reason));
                Ok(())
            }
            Control::Ack { received } => self.handle_ack(received),
            Control::Resumed { received, limit } => self.handle_resumed(received, limit),
            Control::Unknown { life } => self.handle_unknown(life),
            Control::Open { .. } | Control::Refused { .. } | Control::Resume { .. } => {
                Err(self.unexpected(name))
            }
        }
    }

    fn handle_opened(&mut self, limit: Limit, life: Option<OutletLife>) -> Result<(), Violation> {
        let violation = self.unexpected("Opened");
        if self.path == Path::AwaitingResumed {
            return Err(violation);
        }
        match (self.opening, self.resumption, life) {
            (Opening::AwaitingOpened, Resumption::Offered { secret, .. }, Some(_)) => {
                self.resumption = Resumption::Kept { secret };
            }
            (Opening::AwaitingOpened, Resumption::Offered { .. }, None) => {
                self.resumption = Resumption::Never;
            }
            (Opening::AwaitingOpened, Resumption::Kept { .. }, Some(_))
            | (Opening::AwaitingOpened, Resumption::Never, _) => {}
            // The outlet, which was resumed, cannot know that it has come.
            (Opening::Established, Resumption::Kept { .. }, Some(_))
                if self.receive_window.position() == Offset::ZERO => {}
            _ => return Err(violation),
        }
        self.opening = Opening::Established;
        self.send_window.raise(limit)
    }

    fn handle_ack(&mut self, received: Offset) -> Result<(), Violation> {
        self.receives("Ack")?;
        if !self.retains() {
            return Err(self.unexpected("Ack"));
        }
        self.send_window.acknowledge(received)?;
        self.is_confirmed = true;
        self.settle();
        Ok(())
    }

    /// Whether the outlet has to say first whether it opens or resumes the stream.
    fn awaits_answer(&self) -> bool {
        self.opening == Opening::AwaitingOpened || self.path == Path::AwaitingResumed
    }

    /// Checks that the peer may send stream messages by now: an outlet answers first.
    fn receives(&self, message: &'static str) -> Result<(), Violation> {
        match self.awaits_answer() || self.opening == Opening::OpenDue {
            true => Err(self.unexpected(message)),
            false => Ok(()),
        }
    }

    pub(super) const fn unexpected(&self, message: &'static str) -> Violation {
        let state = match (self.end, self.path) {
            (Some(_), _) => "the stream was over",
            (None, Path::AwaitingResumed) => "Resumed was awaited",
            _ => self.opening.describe(),
        };
        Violation::Unexpected { message, state }
    }
}
