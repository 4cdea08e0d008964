//! A stream to the target of an outlet that is reset as soon as it is open.

use std::time::Duration;

use ockam_actix_runtime::{
    message::undelivered::Undelivered,
    node::{
        entry::{Deliver, Description, Entry},
        routing::NextHop,
    },
    Error, Host, Message, MessageKind, Node, Notice, Payload, Result, Route, UndeliverableReason,
};
use tokio::{
    sync::mpsc,
    time::{timeout, Instant},
};

use crate::portal::protocol::{
    introduction::Introduction,
    message::{decode, encode_introduction, Control, Decoded},
    offset::Limit,
    reason::{ResetReason, StreamRefusal},
};

/// Messages of the outlet that wait to be read: it has one to send.
const WAITING: usize = 2;

/// Why there is no stream.
pub(super) enum Refusal {
    /// The outlet says so.
    Stream(StreamRefusal),
    /// It was not asked.
    Notice(Notice),
}

/// Opens a stream to `target` through the outlet at the end of `route`, and resets it; returns how
/// long the former took. The outlet is let send none of the target's bytes.
///
/// # Errors
/// If no answer comes within `limit`.
pub(super) async fn open(
    node: &Node,
    route: &Route,
    target: &str,
    limit: Duration,
) -> Result<Result<Duration, Refusal>> {
    let first_hop = node.first_hop(route)?;
    let (messages, mut heard) = mpsc::channel(WAITING);
    let description = Description::answered_over(&first_hop);
    let own = node.register_delivery(description, Inbox(messages))?;
    let send = |route: &Route, control: Control<'_>| {
        let payload = Payload::from(&control.encode()[..]);
        let back = Route::from(own.address().clone());
        node.try_route(Message::new(route.clone(), back, payload), NextHop::Checked)
    };
    let reset = |route: &Route| {
        // If it does not arrive, the outlet gets a notice about its next message.
        let _ = send(route, Control::Reset { reason: ResetReason::ByApplication });
    };
    let elements = encode_introduction(None, target);
    let introduction = Introduction::of(&elements);
    let began = Instant::now();
    let ask = Control::Open { limit: Limit::new(0), secret: None, introduction };
    if let Err(undelivered) = send(route, ask) {
        return Ok(Err(Refusal::Notice(undelivered.notice)));
    }
    let Ok(answer) = timeout(limit, heard.recv()).await else {
        reset(route);
        return Err(Error::TimedOut { waited_for: format!("a stream along {route}"), limit });
    };
    let (answer, took) = (answer.ok_or(Error::Stopped)?, began.elapsed());
    let not_understood = || Notice::new(own.address().clone(), UndeliverableReason::Unanswered);
    if answer.kind == MessageKind::Notice {
        let notice = Notice::decode(&answer.payload).unwrap_or_else(not_understood);
        return Ok(Err(Refusal::Notice(notice)));
    }
    Ok(match decode(&answer.payload) {
        Ok((Decoded::Control(Control::Opened { .. }), _)) => {
            reset(&answer.return_route);
            Ok(took)
        }
        Ok((Decoded::Control(Control::Refused { reason, .. }), _)) => Err(Refusal::Stream(reason)),
        _ => Err(Refusal::Notice(not_understood())),
    })
}

/// The delivery of what the outlet sends.
struct Inbox(mpsc::Sender<Message>);

impl Deliver for Inbox {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        self.0.try_send(message).map_err(|unsent| {
            let reason = UndeliverableReason::Overloaded;
            Undelivered::new(unsent.into_inner(), &entry.address, reason)
        })
    }
}
