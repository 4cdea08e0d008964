//! The next action of a stream: messages first, then the socket, then the end.

use crate::portal::protocol::{
    action::{Action, End},
    introduction::Introduction,
    message::Control,
    stream::{
        state::{Opening, Path, ReceiveHalf, Resumption, SendHalf},
        Stream,
    },
};

impl Stream {
    /// What to do next, or `None` until something happens.
    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(message) = self.poll_message() {
            return Some(Action::Send(message));
        }
        if std::mem::take(&mut self.reset_due) {
            return Some(Action::ResetSocket);
        }
        if self.receive == ReceiveHalf::ShutdownDue {
            self.receive = ReceiveHalf::Done;
            self.settle();
            return Some(Action::ShutdownWrite);
        }
        // A farewell may still wait for another path.
        let is_over = !self.end_reported && self.farewell_due.is_none();
        let end = self.end.filter(|_| is_over)?;
        self.end_reported = true;
        Some(Action::Finished(end))
    }

    /// The next message, as far as the path allows one.
    fn poll_message(&mut self) -> Option<Control<'static>> {
        match self.path {
            Path::Up => self.poll_message_up(),
            Path::Lost => None,
            Path::AwaitingResumed => self.farewell_due.take(),
            Path::ResumedDue => match self.end {
                None | Some(End::Clean) => Some(self.say_resumed()),
                // It says more than that the stream goes on.
                Some(_) => self.farewell_due.take(),
            },
        }
    }

    /// The next message: the greeting first, the end last, a reset after it.
    fn poll_message_up(&mut self) -> Option<Control<'static>> {
        if self.end.is_none() && self.opening == Opening::OpenDue {
            return Some(self.say_open());
        }
        if self.end.is_none() && self.opening == Opening::OpenedDue {
            return Some(self.say_opened());
        }
        let is_fin_due = self.is_fin_due();
        if is_fin_due || self.window_due.is_some() {
            self.acknowledge();
        }
        // Before the window: more is never retained than a window.
        if self.acks.is_due {
            return Some(self.say_ack());
        }
        if let Some(limit) = self.window_due.take() {
            return Some(Control::Window { limit });
        }
        if is_fin_due {
            self.send = SendHalf::FinSent;
            let offset = self.send_window.finish();
            self.settle();
            return Some(Control::Fin { offset });
        }
        self.farewell_due.take()
    }

    pub(super) fn say_open(&mut self) -> Control<'static> {
        self.opening = Opening::AwaitingOpened;
        let secret = match self.resumption {
            Resumption::Offered { secret, .. } => Some(secret),
            _ => None,
        };
        // Who sends it knows the client.
        let introduction = Introduction::default();
        Control::Open { limit: self.receive_window.granted(), secret, introduction }
    }

    fn say_opened(&mut self) -> Control<'static> {
        self.opening = Opening::Established;
        // It says all that a window which became due meanwhile would say.
        self.window_due = None;
        let life = match self.resumption {
            Resumption::Keeping { life } => Some(life),
            _ => None,
        };
        Control::Opened { limit: self.receive_window.grant(), life }
    }

    pub(super) fn is_fin_due(&self) -> bool {
        match self.send {
            SendHalf::FinDue => self.send_window.resendable() == 0,
            SendHalf::FinSent => self.retains() && self.send_window.is_fin_due_again(),
            SendHalf::Open | SendHalf::Reset => false,
        }
    }
}
