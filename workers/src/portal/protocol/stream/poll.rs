//! The next action of a stream: messages first, then the socket, then the end.

use crate::portal::protocol::{
    action::Action,
    message::Control,
    stream::{
        state::{Opening, ReceiveHalf, SendHalf},
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
        let end = self.end.filter(|_| !self.end_reported)?;
        self.end_reported = true;
        Some(Action::Finished(end))
    }

    /// The next message: the greeting first, the end last, a reset after it.
    fn poll_message(&mut self) -> Option<Control<'static>> {
        if self.end.is_none() && self.opening == Opening::OpenDue {
            self.opening = Opening::AwaitingOpened;
            return Some(Control::Open { limit: self.receive_window.granted() });
        }
        if self.end.is_none() && self.opening == Opening::OpenedDue {
            self.opening = Opening::Established;
            // It says all that a window which became due meanwhile would say.
            self.window_due = None;
            return Some(Control::Opened { limit: self.receive_window.grant() });
        }
        if let Some(limit) = self.window_due.take() {
            return Some(Control::Window { limit });
        }
        if self.send == SendHalf::FinDue {
            self.send = SendHalf::FinSent;
            self.settle();
            return Some(Control::Fin { offset: self.send_window.sent() });
        }
        self.farewell_due.take()
    }
}
