//! The messages that an end of a stream has not sent yet.
//!
//! They go with the next bytes, or alone when the first edge has room for them. However long that
//! takes, they do not pile up: of windows and of acknowledgements only the last counts, and every
//! other message is sent once on a path.

use std::sync::Arc;

use rmp::encode::ByteBuf;

use crate::portal::protocol::{introduction::Introduction, message::Control};

/// Messages in the order in which they were queued: at most a greeting, an acknowledgement, a
/// window, an end and a reset.
#[derive(Debug, Default)]
pub(crate) struct PendingControls {
    controls: Vec<Control<'static>>,
    /// What `Open` says of the client, encoded.
    introduction: Option<Arc<[u8]>>,
}

impl PendingControls {
    pub(crate) fn push(&mut self, control: Control<'static>) {
        if let Control::Window { .. } | Control::Ack { .. } = control {
            let kind = std::mem::discriminant(&control);
            self.controls.retain(|earlier| std::mem::discriminant(earlier) != kind);
        }
        self.controls.push(control);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.controls.is_empty()
    }

    /// Has `Open` say this of the client.
    pub(crate) fn introduce(&mut self, introduction: Option<Arc<[u8]>>) {
        self.introduction = introduction;
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.controls = Vec::new();
    }

    /// Takes all of them, as MessagePack, one message after the other.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut bytes = ByteBuf::new();
        for control in std::mem::take(&mut self.controls) {
            match (control, &self.introduction) {
                (Control::Open { limit, secret, .. }, Some(introduction)) => {
                    let introduction = Introduction::of(introduction);
                    Control::Open { limit, secret, introduction }.encode_to(&mut bytes);
                }
                (control, _) => control.encode_to(&mut bytes),
            }
        }
        bytes.into_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::protocol::offset::{Limit, Offset};

    #[test]
    fn only_the_last_window_and_ack_stay() {
        let opened = Control::Opened { limit: Limit::new(10), life: None };
        let window = |limit| Control::Window { limit: Limit::new(limit) };
        let ack = |received| Control::Ack { received: Offset::new(received) };
        let fin = Control::Fin { offset: Offset::new(7) };
        let mut pending = PendingControls::default();
        for control in [opened, window(20), ack(3), window(30), fin, ack(5), window(40)] {
            pending.push(control);
        }
        assert_eq!(
            pending.take(),
            [opened, fin, ack(5), window(40)].map(|control| control.encode()).concat()
        );
        assert!(pending.is_empty() && pending.take().is_empty());
    }
}
