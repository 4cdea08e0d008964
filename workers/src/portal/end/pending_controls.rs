//! The messages that an end of a stream has not sent yet.
//!
//! They go with the next bytes, or alone when the first edge has room for them. However long that
//! takes, they do not pile up: of windows only the last counts, and every other message is sent
//! once in a stream's life.

use rmp::encode::ByteBuf;

use crate::portal::protocol::message::Control;

/// Messages in the order in which they were queued: at most a greeting, a window, an end and a
/// reset.
#[derive(Debug, Default)]
pub(crate) struct PendingControls {
    controls: Vec<Control<'static>>,
}

impl PendingControls {
    pub(crate) fn push(&mut self, control: Control<'static>) {
        if let Control::Window { .. } = control {
            self.controls.retain(|earlier| !matches!(earlier, Control::Window { .. }));
        }
        self.controls.push(control);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.controls.is_empty()
    }

    /// Takes all of them, as MessagePack, one message after the other.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut bytes = ByteBuf::new();
        for control in std::mem::take(&mut self.controls) {
            control.encode_to(&mut bytes);
        }
        bytes.into_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::protocol::offset::{Limit, Offset};

    #[test]
    fn only_the_last_window_stays_among_pending_controls() {
        let opened = Control::Opened { limit: Limit::new(10), life: None };
        let window = |limit| Control::Window { limit: Limit::new(limit) };
        let fin = Control::Fin { offset: Offset::new(7) };
        let mut pending = PendingControls::default();
        for control in [opened, window(20), window(30), fin, window(40)] {
            pending.push(control);
        }
        assert_eq!(
            pending.take(),
            [opened, fin, window(40)].map(|control| control.encode()).concat()
        );
        assert!(pending.is_empty() && pending.take().is_empty());
    }
}
