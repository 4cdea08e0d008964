//! Probes: watches that are given up as soon as they are answered, which say whether a worker can
//! be reached, and how long that takes.
//!
//! A probe asks for nothing that a watch does not: it travels under the same rules, is never
//! delivered, and to a sender that may not reach a worker, it looks like one that does not exist.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{timeout, Instant},
};

use crate::{
    address::route::Route,
    error::{Error, Result},
    message::{
        notice::{Notice, UndeliverableReason},
        undelivered::Undelivered,
        Message, MessageKind,
    },
    node::{
        entry::{Deliver, Description, Entry},
        routing::NextHop,
        Node,
    },
    trust::origin::Origin,
    watch::encode,
};

/// How long a node holds a probe that nobody gives up, because its sender was lost.
const LEASE: Duration = Duration::from_secs(1);

/// What answered a probe.
#[derive(Clone, Debug)]
pub struct Probed {
    /// [`Held`](UndeliverableReason::Held) if the worker is there, and else which hop could not be
    /// passed, and why.
    pub notice: Notice,
    /// The time from the question to the answer.
    pub round_trip: Duration,
    /// How many connections and channels the answer came in by, on its way here; none if it was
    /// made here. As all of it, this is what the nodes on the way say.
    pub passed: usize,
}

/// The delivery of a probe, which takes the notice and how many ingresses it has passed.
struct Answers(mpsc::Sender<(Notice, usize)>);

impl Deliver for Answers {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        match (message.kind, Notice::decode(&message.payload)) {
            (MessageKind::Notice, Some(notice)) => {
                let passed = match message.origin {
                    Origin::Local => 0,
                    Origin::Remote(_) => message.return_route.len(),
                };
                // There is one answer.
                let _ = self.0.try_send((notice, passed));
                Ok(())
            }
            _ => {
                let reason = UndeliverableReason::BodyNotUnderstood;
                Err(Undelivered::new(message, &entry.address, reason))
            }
        }
    }
}

impl Node {
    /// See [`Host::probe`](crate::host::Host::probe).
    pub(crate) async fn probe(&self, route: &Route, limit: Duration) -> Result<Probed> {
        let mut first_hop = self.first_hop(route)?;
        let epoch = first_hop.state().epoch;
        let (notices, mut heard) = mpsc::channel(1);
        let own = self.register_delivery(Description::mailbox(), Answers(notices))?;
        let ask = |lease| {
            let back = Route::from(own.address().clone());
            let mut message = Message::new(route.clone(), back, encode(lease));
            message.kind = MessageKind::Watch;
            self.try_route(message, NextHop::Checked)
        };
        let began = Instant::now();
        if let Err(undelivered) = ask(LEASE) {
            let (notice, round_trip) = (undelivered.notice, began.elapsed());
            return Ok(Probed { notice, round_trip, passed: 0 });
        }
        let answered = timeout(limit, async {
            tokio::select! {
                biased;
                notice = heard.recv() => notice.ok_or(Error::Stopped),
                () = first_hop.lost(epoch) => {
                    let hop = first_hop.address.clone();
                    let why = first_hop.state().failure;
                    let notice = Notice::new(hop, UndeliverableReason::Disconnected);
                    Ok((notice.with_detail(why.as_deref().unwrap_or_default()), 0))
                }
            }
        });
        let late = |_| Error::TimedOut { waited_for: format!("an answer along {route}"), limit };
        let (notice, passed) = answered.await.map_err(late)??;
        let round_trip = began.elapsed();
        if notice.reason == UndeliverableReason::Held {
            // Whether it arrives makes no difference for long.
            let _ = ask(Duration::ZERO);
        }
        Ok(Probed { notice, round_trip, passed })
    }
}
