//! Acknowledgements: when this end tells what has come, so that the peer can forget it.
//!
//! | an `Ack` is | when |
//! |---|---|
//! | due | a quarter of the window, or [`MAX_ACK_STEP`], has come since the last; a `Window` or `Fin` is due; the peer's `Fin` has come after this end's own |
//! | owed | anything else has come: it rides with the next bytes ([`take_ack`](Stream::take_ack)), or goes alone after a delay of the caller ([`acknowledge`](Stream::acknowledge)) |

use crate::portal::{
    limits::MAX_ACK_STEP,
    protocol::{
        message::Control,
        stream::{
            state::{Opening, Path, Resumption},
            Stream,
        },
    },
};

impl Stream {
    /// Whether something has come that the peer was not told of. The caller calls
    /// [`acknowledge`](Self::acknowledge) when this has lasted for a while.
    pub fn owes_ack(&self) -> bool {
        let is_told =
            matches!(self.resumption, Resumption::Kept { .. } | Resumption::Keeping { .. });
        let passes = self.path == Path::Up && self.opening == Opening::Established;
        is_told && passes && self.end.is_none() && self.unannounced() > 0
    }

    /// Makes an `Ack` due, if one is owed.
    pub fn acknowledge(&mut self) {
        self.acks.is_due |= self.owes_ack();
    }

    /// The `Ack` that is owed, to be sent at once, with bytes that are sent anyway.
    pub fn take_ack(&mut self) -> Option<Control<'static>> {
        self.owes_ack().then(|| self.say_ack())
    }

    pub(super) fn say_ack(&mut self) -> Control<'static> {
        Control::Ack { received: self.acks.announce(self.receive_window.position()) }
    }

    /// Notes that bytes have come.
    pub(super) fn count_for_ack(&mut self) {
        if self.unannounced() >= (self.receive_window.window() / 4).min(MAX_ACK_STEP) {
            self.acknowledge();
        }
    }

    const fn unannounced(&self) -> u64 {
        self.receive_window.position().since(self.acks.announced())
    }
}
