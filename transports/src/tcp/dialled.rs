//! A dialled connection: what `(TCP, "host:port")` at the front of a route stands for.
//!
//! * Owns: the address `tcp#host:port`; while connected also a socket, its write queue, and a random
//!   address that answers come back to.
//! * States: connecting (messages wait), connected, waiting for the next attempt (messages bounce
//!   at once, so that nobody hangs on a peer that is down).
//! * Inbox: messages to the peer.
//! * Started by the [`TcpDialer`] for the first route that needs it, on an arbiter that follows from
//!   its address. It connects again, with back-off, as long as a source watches its path; without
//!   one it stops at the time of the next attempt.
//! * A panic unregisters it and ends its paths; the next message, or path, dials anew.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use ockam_actix_runtime::{
    edge::first_hop::PathState,
    limits::{EDGE_BUDGET_BYTES, MESSAGE_OVERHEAD_BYTES},
    lock::Lock,
    message::undelivered::Undelivered,
    node::{directory::Registration, entry::Description, Dialer},
    trust::origin::{Door, Ingress},
    worker::mailbox::Adopt,
    Address, Budget, Class, Error, Message, Node, Notice, Payload, Reason, Result, Routed,
};
use tokio::sync::watch;

use crate::{
    limits::{CONNECT_TIMEOUT, FIRST_BACKOFF, MAX_BACKOFF},
    tcp::{check_peer, connect, queue::WriteQueue, session::Session},
};

/// Makes a [`Dialled`] for each peer.
#[derive(Debug, Default)]
pub struct TcpDialer {
    dialling: Lock<()>,
}

impl Dialer for TcpDialer {
    fn dial(&self, node: &Node, address: &Address) -> Result<()> {
        let (_, peer) = address.dial_parts().unwrap_or_default();
        check_peer(peer)?;
        // Two threads may want the same peer: the second finds what the first registered.
        let _one_at_a_time = self.dialling.lock();
        if node.is_registered(address) {
            return Ok(());
        }
        Dialled::launch(node, address.clone(), peer.to_owned())
    }
}

pub(crate) struct Dialled {
    node: Node,
    address: Address,
    peer: String,
    budget: Budget,
    state: watch::Sender<PathState>,
    phase: Phase,
    backoff: Duration,
    registration: Option<Registration>,
}

/// Bytes that wait for a peer until it is connected: what sources of this node may have under way, and as much from elsewhere.
const WAITING_BYTES: usize = 2 * EDGE_BUDGET_BYTES;

enum Phase {
    /// Waiting for the peer: messages queue up to [`WAITING_BYTES`].
    Connecting {
        waiting: VecDeque<Message>,
        bytes: usize,
    },
    Connected {
        queue: WriteQueue,
        _via: Registration,
    },
    /// Waiting for the time of the next attempt.
    Waiting {
        failure: Arc<str>,
    },
}

impl Phase {
    fn connecting() -> Self {
        Self::Connecting { waiting: VecDeque::new(), bytes: 0 }
    }
}

impl Dialled {
    fn launch(node: &Node, address: Address, peer: String) -> Result<()> {
        let mut hasher = DefaultHasher::new();
        address.hash(&mut hasher);
        let arbiter = usize::try_from(hasher.finish() >> 33).unwrap_or(0) % node.arbiter_count();
        let budget = Budget::new(EDGE_BUDGET_BYTES);
        let state = watch::Sender::new(PathState::default());
        let description = Description::new(address.clone(), Class::Internal)
            .on(arbiter)
            .with_budget(budget.clone())
            .with_state(state.subscribe());
        // It is a way into this node from now on, and listed as one.
        drop(node.destinations(&address));
        let own = node.unheld();
        node.launch(description, move |_| Self {
            node: own,
            address,
            peer,
            budget,
            state,
            phase: Phase::connecting(),
            backoff: FIRST_BACKOFF,
            registration: None,
        })?;
        Ok(())
    }

    fn connect(&mut self, context: &mut Context<Self>) {
        let peer = self.peer.clone();
        let connecting = async move {
            let stream = connect(&peer, CONNECT_TIMEOUT).await?;
            Session::greet(stream, peer).await
        };
        context.spawn(connecting.into_actor(self).map(
            |connected, actor, context| match connected {
                Ok(session) => actor.connected(session, context),
                Err(error) => actor.failed(&error, context),
            },
        ));
    }

    fn connected(&mut self, session: Session, context: &mut Context<Self>) {
        let via = Address::random();
        let mut description = Description::new(via.clone(), Class::Reply)
            .with_budget(self.budget.clone())
            .with_state(self.state.subscribe());
        description.arbiter = self.node.current_arbiter();
        let Some(own) = &self.registration else { return context.stop() };
        let registered = self.node.register_again(description, own);
        let Ok(registration) = registered else { return context.stop() };
        let queue = session.queue();
        let connected = Phase::Connected { queue: queue.clone(), _via: registration };
        let before = std::mem::replace(&mut self.phase, connected);
        log::info!("connected to {}", self.address);
        self.backoff = FIRST_BACKOFF;
        self.state.send_modify(|state| {
            state.up = true;
            state.failure = None;
        });
        if let Phase::Connecting { waiting, .. } = before {
            waiting.into_iter().for_each(|message| self.write(&queue, message));
        }
        let door = Door::Outgoing {
            dialled: self.address.clone(),
            destinations: self.node.destinations(&self.address),
        };
        let ingress = Arc::new(Ingress { via, door, source: None });
        let running = session.run(self.node.clone(), ingress, queue);
        context.spawn(running.into_actor(self).map(|error, actor, context| {
            actor.failed(&error, context);
        }));
    }

    /// An attempt failed, or the connection was lost.
    fn failed(&mut self, error: &Error, context: &mut Context<Self>) {
        let failure: Arc<str> = error.one_line().into();
        let was_up = self.state.borrow().up;
        let first = was_up || self.state.borrow().failure.is_none();
        let phase = Phase::Waiting { failure: failure.clone() };
        let before = std::mem::replace(&mut self.phase, phase);
        self.state.send_modify(|state| {
            state.epoch += u64::from(was_up);
            state.up = false;
            state.failure = Some(failure.clone());
        });
        if let Phase::Connecting { waiting, .. } = before {
            waiting.into_iter().for_each(|message| self.bounce(message, &failure));
        }
        // The entry in the table watches too: a source is one more.
        let wanted = self.state.receiver_count() > 1;
        if first && wanted {
            log::warn!("{failure}; trying again until {} answers", self.peer);
        } else if first {
            log::warn!("{failure}");
        }
        // Not at once even when nobody watches: whoever asked for this connection on another
        // arbiter may be about to, and wants to know why it failed.
        context.run_later(jitter(self.backoff), |actor, context| {
            // Without a source, nobody is left to connect for.
            if actor.state.receiver_count() <= 1 {
                return context.stop();
            }
            actor.connect(context);
        });
        self.backoff = (self.backoff * 2).min(MAX_BACKOFF);
    }

    fn write(&self, queue: &WriteQueue, message: Message) {
        if let Err(undelivered) = queue.push(message) {
            self.node.bounce(undelivered);
        }
    }

    fn bounce(&self, message: Message, failure: &str) {
        let notice = Notice::new(self.address.clone(), Reason::Disconnected).with_detail(failure);
        self.node.bounce(Box::new(Undelivered { message, notice }));
    }
}

impl Actor for Dialled {
    type Context = Context<Self>;
}

impl Handler<Adopt> for Dialled {
    type Result = ();

    fn handle(&mut self, Adopt(registration): Adopt, context: &mut Context<Self>) {
        self.registration = Some(registration);
        self.connect(context);
    }
}

impl Handler<Routed<Payload>> for Dialled {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        let mut message = message.into_message();
        self.node.conceal_names(&mut message.return_route);
        match &mut self.phase {
            Phase::Connected { queue, .. } => {
                if let Err(undelivered) = queue.push(message) {
                    self.node.bounce(undelivered);
                }
            }
            Phase::Connecting { waiting, bytes } => {
                *bytes += message.payload.len() + MESSAGE_OVERHEAD_BYTES;
                if *bytes <= WAITING_BYTES {
                    return waiting.push_back(message);
                }
                let hop = self.address.clone();
                self.node.bounce(Undelivered::new(message, &hop, Reason::Overloaded));
            }
            Phase::Waiting { failure } => {
                let failure = failure.clone();
                self.bounce(message, &failure);
            }
        }
    }
}

/// Spreads the attempts of many that lost the same peer: between half of `pause` and all of it.
fn jitter(pause: Duration) -> Duration {
    let digit = Address::random().as_str().chars().next().and_then(|digit| digit.to_digit(16));
    pause / 2 + pause * digit.unwrap_or(0) / 32
}
