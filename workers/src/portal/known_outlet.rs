//! The knowledge of an inlet about its outlet: the bytes of a stream that was lost while it opened
//! may be sent again only to an outlet that has not begun anew since.
//!
//! Every answer of the outlet tells it. Before the first client, and each time that the path was
//! made again, the inlet asks: it resumes a stream that nobody has.

use std::sync::Arc;

use ockam_actix_runtime::{lock::Lock, random, Host, Node, Payload, Route};
use tokio::time::sleep;

use crate::portal::{
    limits::{RESUME_ANSWER, RESUME_LONGEST_PAUSE},
    protocol::{
        message::{decode, Control, Decoded},
        offset::{Limit, Offset},
        resumption::{OutletLife, StreamSecret},
    },
};

/// What an inlet has heard of its outlet last. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownOutlet(Arc<Lock<Known>>);

/// What is known of an outlet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Known {
    #[default]
    Nothing,
    /// It keeps streams, in this life.
    Keeps(OutletLife),
    /// Its streams end with their paths.
    KeepsNothing,
}

impl From<Option<OutletLife>> for Known {
    fn from(life: Option<OutletLife>) -> Self {
        life.map_or(Self::KeepsNothing, Self::Keeps)
    }
}

impl KnownOutlet {
    pub(crate) fn get(&self) -> Known {
        *self.0.lock()
    }

    pub(crate) fn set(&self, known: impl Into<Known>) {
        *self.0.lock() = known.into();
    }

    /// Asks the outlet at the end of `route`, each time that the path there was made. Ends when
    /// there is no way to be told of that.
    pub(crate) async fn keep_asking(&self, node: &Node, route: &Route) {
        while let Ok(mut first_hop) = node.first_hop(route) {
            first_hop.up().await;
            let state = first_hop.state();
            if state.up {
                if let Some(life) = ask(node, route).await {
                    self.set(life);
                }
                first_hop.lost(state.epoch).await;
                // The next path may lead to another outlet.
                self.set(Known::Nothing);
            }
            // The first hop may have another actor from now on.
            sleep(RESUME_LONGEST_PAUSE).await;
        }
    }
}

/// The answer of the outlet, which may have no life; `None` without an answer.
async fn ask(node: &Node, route: &Route) -> Option<Option<OutletLife>> {
    let question = Control::Resume {
        secret: StreamSecret::from_bytes(random::bytes()),
        attempt: 1,
        received: Offset::ZERO,
        limit: Limit::new(0),
    };
    let question = Payload::from(&question.encode()[..]);
    let asking = node.ask(route.clone(), question).within(RESUME_ANSWER);
    let answer = asking.reply_as::<Payload>().await;
    match decode(&answer.ok()?) {
        Ok((Decoded::Control(Control::Unknown { life }), _)) => Some(life),
        _ => None,
    }
}
