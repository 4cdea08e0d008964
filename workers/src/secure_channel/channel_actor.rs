//! The encryptor at the opening end of a channel, which also keeps the channel alive.
//!
//! * Owns: the channel's address, which goes into routes and stays the same for its whole life; the
//!   waiting messages; with [`Sealing`], the sealing keys of the current session; and the
//!   [address](super::session_address) of that session, to which its messages are answered.
//! * States: attempting (in the first attempt, and in one that follows a loss at once, messages
//!   wait; in later ones they are returned immediately, so that no client hangs on a peer that is
//!   down), established, pausing before the next attempt, closed.
//! * Inbox: messages for the peer that [`Sealing`] did not intercept; [`Event`]s from the decryptor
//!   and from `Sealing`; [`Close`] from the program.
//! * Started by [`open`](super::handle::open) on the arbiter of the connection that the route
//!   begins with. It starts a [`Decryptor`](super::decryptor) for each attempt and stops when it is
//!   closed, or with the node.
//! * A panic unregisters the channel for a moment, ends its link for the streams that watch it, and
//!   cuts the decryptor's lifeline. The actor is [`Supervised`]: the next one has the same address
//!   and establishes the channel again. Messages sent in between are undeliverable.

mod attempts;

use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, SpawnHandle,
    WrapFuture,
};
use ockam_actix_runtime::{
    edge::{
        backoff::Backoff,
        first_hop::{FirstHop, LinkState},
        message_queue::MessageQueue,
    },
    metrics::{
        link::{Link, Opener},
        listing::Recorded,
        Metrics,
    },
    node::{directory::Registration, entry::Description},
    watched,
    worker::{
        mailbox::Registered,
        supervision::{Restartable, Supervised},
    },
    Address, Class, Host, Identifier, Message, Node, Payload, Result, Route, Routed,
    UndeliverableReason,
};

use crate::secure_channel::{
    event::{send_control, Ending, Event, EventKind},
    exchange::Credentials,
    failure::FailureReason,
    first_peer::FirstPeer,
    limits::Limits,
    opened::Opened,
    outbound::bounce,
    outcome::Outcome,
    sealing::Sealing,
    session::{self, End, OpenEnd, Partner},
    session_address::SessionAddress,
};

/// What every actor of one channel is started with.
pub(super) struct ChannelSpec {
    pub(super) node: Node,
    pub(super) opened: Arc<Opened>,
    pub(super) route: Route,
    pub(super) address: Address,
    pub(super) credentials: Credentials,
    pub(super) limits: Arc<Limits>,
    pub(super) outcome: Arc<watched::Sender<Outcome>>,
    /// With whom the channel was established first.
    pub(super) first_peer: FirstPeer,
    /// Whether it shows an invitation.
    pub(super) is_invited: bool,
}

impl Restartable for ChannelSpec {
    type Actor = ChannelActor;

    fn start(&self, supervised: Supervised) -> Result<Addr<ChannelActor>> {
        self.outcome.send_replace(Outcome::Pending(None));
        let first_hop = self.node.first_hop(&self.route)?.for_channel();
        let state = watched::Sender::new(LinkState::default());
        let sealing = Arc::new(Sealing::default());
        let description = Description::new(self.address.clone(), Class::Internal)
            .on(self.node.arbiter_for(&first_hop))
            .with_budget(first_hop.budget.clone())
            .with_state(state.subscribe())
            .intercepted_by(sealing.clone());
        let record = Link::along(Opener::Here, self.address.clone(), &self.route);
        let actor = ChannelActor {
            record: Metrics::of(&self.node).channels.list(record),
            opened: self.opened.clone(),
            node: self.node.clone(),
            route: self.route.clone(),
            address: self.address.clone(),
            credentials: self.credentials.clone(),
            backoff: Backoff::new(self.limits.first_pause, self.limits.longest_pause).at_once(),
            refusals: Backoff::new(
                self.limits.first_refusal_pause,
                self.limits.longest_refusal_pause,
            ),
            limits: self.limits.clone(),
            first_hop,
            sealing,
            state,
            outcome: self.outcome.clone(),
            phase: Phase::Pausing { failure: "it was not tried yet".into() },
            first_peer: self.first_peer.clone(),
            session: 0,
            keys: 0,
            peer: None,
            is_expected_down: false,
            is_invited: self.is_invited,
            registration: None,
            supervised,
        };
        self.node.launch(description, move |_| actor)
    }

    fn stop(&self, actor: Addr<ChannelActor>) {
        send_control(&actor, Close);
    }

    fn ended_in_pause(&self) {
        self.outcome.send_replace(Outcome::Closed);
    }
}

/// Seals messages for the responder, and keeps the channel open.
pub(super) struct ChannelActor {
    node: Node,
    opened: Arc<Opened>,
    route: Route,
    address: Address,
    credentials: Credentials,
    limits: Arc<Limits>,
    /// The first hop of the route. While it is watched, a lost connection is made again.
    first_hop: FirstHop,
    sealing: Arc<Sealing>,
    state: watched::Sender<LinkState>,
    outcome: Arc<watched::Sender<Outcome>>,
    phase: Phase,
    backoff: Backoff,
    /// The pauses after refusals.
    refusals: Backoff,
    first_peer: FirstPeer,
    /// Counts attempts: an event of an earlier one comes too late.
    session: u64,
    /// How many keys our identity had when the attempt began.
    keys: usize,
    /// The peer of the last session.
    peer: Option<Identifier>,
    /// Whether the peer, or the node before it, has said that it ends.
    is_expected_down: bool,
    /// Whether it shows an invitation, and so may be refused at first.
    is_invited: bool,
    registration: Option<Registration>,
    record: Recorded<Link>,
    supervised: Supervised,
}

enum Phase {
    Attempting {
        attempt: Attempt,
        held: Held,
    },
    /// With the address that answers in this session have.
    Established(Box<OpenEnd>, SessionAddress),
    Pausing {
        failure: Arc<str>,
    },
    Closed {
        failure: Arc<str>,
    },
}

/// A handshake under way, which its decryptor runs.
struct Attempt {
    partner: Partner,
    /// The address of the session that it begins.
    answers: SessionAddress,
    decryptor: Address,
    /// The epoch of the first hop when the attempt began.
    epoch: u64,
    /// Ends the attempt when the connection is lost.
    watching: SpawnHandle,
}

/// What becomes of messages during an attempt.
enum Held {
    /// They wait.
    Waiting(MessageQueue),
    /// They are returned, as the attempt before failed for this reason.
    Refused(Arc<str>),
}

/// From the program: end the channel.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "()")]
pub(super) struct Close;

impl ChannelActor {
    /// Seals, holds or returns a message for the peer.
    fn handle_message(&mut self, message: Message, context: &mut Context<Self>) {
        let (failure, reason) = match &mut self.phase {
            Phase::Established(..) => return session::send(self, message, context),
            Phase::Attempting { held: Held::Waiting(queue), .. } => {
                let Err(message) = queue.push(message) else { return };
                let why = "the secure channel is not established yet";
                return bounce(
                    &self.node,
                    &self.address,
                    message,
                    UndeliverableReason::Overloaded,
                    why,
                );
            }
            Phase::Attempting { held: Held::Refused(failure), .. }
            | Phase::Pausing { failure }
            | Phase::Closed { failure } => (failure.clone(), UndeliverableReason::Disconnected),
        };
        bounce(&self.node, &self.address, message, reason, &failure);
    }
}

impl End for ChannelActor {
    fn open_end(&mut self) -> Option<&mut OpenEnd> {
        match &mut self.phase {
            Phase::Established(end, _) => Some(end),
            _ => None,
        }
    }

    fn in_use(&self) -> bool {
        let answered = match &self.phase {
            Phase::Established(_, answers) => answers.in_use(),
            _ => false,
        };
        // The entry in the routing table watches too.
        answered || self.state.receiver_count() > 1
    }

    fn over(&mut self, ending: Ending, context: &mut Context<Self>) {
        self.lost(ending, context);
    }

    fn retire(&mut self, context: &mut Context<Self>) {
        self.outcome.send_replace(Outcome::Closed);
        context.stop();
    }

    fn abandoned(&mut self, session: u64, context: &mut Context<Self>) {
        if self.of_session(session).is_some() {
            return self.lost(Ending::telling_peer("its decryptor stopped"), context);
        }
        self.attempt_failed(session, FailureReason::Stopped, context);
    }
}

impl Actor for ChannelActor {
    type Context = Context<Self>;
}

impl Drop for ChannelActor {
    /// After a panic the channel no longer counts as established.
    fn drop(&mut self) {
        self.outcome.send_if_modified(|outcome| {
            let established = matches!(outcome, Outcome::Established(_));
            if established {
                *outcome = Outcome::Pending(Some("its actor stopped".into()));
            }
            established
        });
    }
}

impl Handler<Registered> for ChannelActor {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, context: &mut Context<Self>) {
        self.registration = Some(registration);
        self.attempt(Held::Waiting(MessageQueue::new(self.limits.waiting_bytes)), context);
    }
}

impl Handler<Routed<Payload>> for ChannelActor {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, context: &mut Context<Self>) {
        self.handle_message(message.into_message(), context);
    }
}

impl Handler<Event> for ChannelActor {
    type Result = ();

    fn handle(&mut self, event: Event, context: &mut Context<Self>) {
        match event.kind {
            EventKind::Established(established) if event.session == self.session => {
                self.established(*established, context);
            }
            EventKind::Failed(why) => self.attempt_failed(event.session, why, context),
            kind => session::handle(self, Event { kind, ..event }, context),
        }
    }
}

impl Handler<Close> for ChannelActor {
    type Result = ();

    fn handle(&mut self, _: Close, context: &mut Context<Self>) {
        // Messages sent before wait in the inbox, whose turn comes before that of this future.
        let after = std::future::ready(()).into_actor(self);
        context.spawn(after.map(|(), actor, context| actor.close(context)));
    }
}
