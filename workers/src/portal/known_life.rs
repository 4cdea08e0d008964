//! What an inlet knows of its outlet's life: the bytes of a stream that was lost while it opened
//! may only be sent again to an outlet that has not begun anew since.
//!
//! Every answer of the outlet tells it. Before the first client, and each time that the path was
//! made again, the inlet asks: it resumes a stream that nobody has.

use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use ockam_actix_runtime::{random, Host, Node, Payload, Route};
use tokio::time::sleep;

use crate::portal::{
    limits::{RESUME_ANSWER, RESUME_LONGEST_PAUSE},
    protocol::{
        message::{decode, Control, Decoded},
        offset::{Limit, Offset},
        resumption::{OutletLife, StreamSecret},
    },
};

/// The life of its outlet that an inlet has heard of last. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownLife(Arc<AtomicU64>);

impl KnownLife {
    pub(crate) fn get(&self) -> Option<OutletLife> {
        OutletLife::new(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, life: Option<OutletLife>) {
        self.0.store(life.map_or(0, OutletLife::value), Ordering::Relaxed);
    }

    /// Asks the outlet at the end of `route`, each time that the path there was made. Ends when
    /// there is no way to be told of that.
    pub(crate) async fn keep_asking(&self, node: &Node, route: &Route) {
        while let Ok(mut first_hop) = node.first_hop(route) {
            first_hop.up().await;
            let state = first_hop.state();
            if state.up {
                if let Some(life) = ask(node, route).await {
                    self.set(Some(life));
                }
                first_hop.lost(state.epoch).await;
            }
            // The first hop may have another actor from now on.
            sleep(RESUME_LONGEST_PAUSE).await;
        }
    }
}

async fn ask(node: &Node, route: &Route) -> Option<OutletLife> {
    let question = Control::Resume {
        secret: StreamSecret::from_bytes(random::bytes()),
        attempt: 1,
        received: Offset::ZERO,
        limit: Limit::new(0),
    };
    let question = Payload::from(&question.encode()[..]);
    let limit: Duration = RESUME_ANSWER;
    let answer = node.ask(route.clone(), question).within(limit).reply_as::<Payload>().await;
    match decode(&answer.ok()?) {
        Ok((Decoded::Control(Control::Unknown { life }), _)) => life,
        _ => None,
    }
}
