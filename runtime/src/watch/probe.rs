//! Probes: watches that are given up as soon as they are answered, which say whether a worker can
//! be reached, and how long that takes.
//!
//! A probe asks for nothing that a watch does not: it travels under the same rules, is never
//! delivered, and whoever may not reach a worker learns as much as of one that does not exist.

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
        Message, MessageKind,
    },
    node::{entry::Description, routing::NextHop, Node},
    watch::{encode, watcher::Notices},
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
}

impl Node {
    /// See [`Host::probe`](crate::host::Host::probe).
    pub(crate) async fn probe(&self, route: &Route, limit: Duration) -> Result<Probed> {
        let mut first_hop = self.first_hop(route)?;
        let epoch = first_hop.state().epoch;
        let (notices, mut heard) = mpsc::channel(1);
        let own = self.register_delivery(Description::mailbox(), Notices(notices))?;
        let ask = |lease| {
            let back = Route::from(own.address().clone());
            let mut message = Message::new(route.clone(), back, encode(lease));
            message.kind = MessageKind::Watch;
            self.try_route(message, NextHop::Checked)
        };
        let began = Instant::now();
        if let Err(undelivered) = ask(LEASE) {
            return Ok(Probed { notice: undelivered.notice, round_trip: began.elapsed() });
        }
        let answered = timeout(limit, async {
            tokio::select! {
                biased;
                notice = heard.recv() => notice.ok_or(Error::Stopped),
                () = first_hop.lost(epoch) => {
                    let hop = first_hop.address.clone();
                    let why = first_hop.state().failure;
                    let notice = Notice::new(hop, UndeliverableReason::Disconnected);
                    Ok(notice.with_detail(why.as_deref().unwrap_or_default()))
                }
            }
        });
        let late = |_| Error::TimedOut { waited_for: format!("an answer along {route}"), limit };
        let notice = answered.await.map_err(late)??;
        let round_trip = began.elapsed();
        if notice.reason == UndeliverableReason::Held {
            // Whether it arrives makes no difference for long.
            let _ = ask(Duration::ZERO);
        }
        Ok(Probed { notice, round_trip })
    }
}
