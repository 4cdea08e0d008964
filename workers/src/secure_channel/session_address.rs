//! The address of one session of a channel that this node opened: what answers to its messages are
//! sent to.
//!
//! The channel's own address is there for the channel's whole life, over sessions that may be with
//! different identities. What came out of one session is answered in that session or not at all, so
//! each has a random address of its own, which ends with it.
//!
//! * Owns: that address. [`SessionAddress`], which the channel's actor holds, ends it.
//! * Inbox: messages that could not be [sealed](super::sealing) at the moment of their delivery. It
//!   tries again, and returns them to their senders if the session is over.
//! * Started by the channel's actor for each attempt, on its arbiter.
//! * A panic ends the address; the session goes on, and answers to it are undeliverable.

use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use ockam_actix_runtime::{
    edge::{
        first_hop::{FirstHop, LinkState},
        message_queue::MessageQueue,
    },
    lock::Lock,
    node::{
        directory::Registration,
        entry::{Description, Interceptor},
    },
    watched,
    worker::mailbox::Registered,
    Address, Class, Host, Message, Node, Payload, Result, Routed, UndeliverableReason,
};

use crate::secure_channel::{outbound::bounce, sealing::Sealing};

/// Keeps the address until it is dropped.
pub(super) struct SessionAddress {
    answers: Arc<Answers>,
    state: watched::Sender<LinkState>,
}

/// Takes the messages that are sent to the address.
struct Answers {
    node: Node,
    address: Address,
    session: u64,
    sealing: Arc<Sealing>,
    /// The decryptor may deliver what a peer sends at once before the channel's actor seals.
    early: Lock<Option<MessageQueue>>,
}

impl SessionAddress {
    /// Registers an address for `session` on this arbiter, whose answers leave by `first_hop`;
    /// those that come early wait in `early`.
    pub(super) fn start(
        node: &Node,
        session: u64,
        sealing: Arc<Sealing>,
        first_hop: &FirstHop,
        early: MessageQueue,
    ) -> Result<Self> {
        let address = Address::random();
        let state = watched::Sender::new(LinkState::established());
        let early = Lock::new(Some(early));
        let answers = Answers { node: node.clone(), address, session, sealing, early };
        let answers = Arc::new(answers);
        let description = Description::new(answers.address.clone(), Class::Internal)
            .with_budget(first_hop.budget.clone())
            .with_state(state.subscribe())
            .intercepted_by(answers.clone());
        let waiting = Waiting { answers: answers.clone(), registration: None };
        node.launch_here(description, waiting)?;
        Ok(Self { answers, state })
    }

    /// The address.
    pub(super) fn address(&self) -> &Address {
        &self.answers.address
    }

    /// Sends what came early: the channel seals from now on.
    pub(super) fn open(&self) {
        let early = self.answers.early.lock().take();
        for message in early.into_iter().flatten() {
            self.answers.send(message);
        }
    }

    /// Whether a stream watches this session.
    pub(super) fn in_use(&self) -> bool {
        // The entry in the routing table watches too.
        self.state.receiver_count() > 1
    }
}

impl Drop for SessionAddress {
    fn drop(&mut self) {
        // An error says that its actor has ended already.
        let _ = self.answers.node.stop_worker(self.answers.address.clone());
        let early = self.answers.early.lock().take();
        early.into_iter().flatten().for_each(|message| self.answers.give_back(message));
        self.state.send_modify(|state| state.lose(OVER.into()));
    }
}

/// Why a message of an earlier session is returned.
const OVER: &str = "the session of the secure channel is over";

impl Answers {
    fn send(&self, message: Message) {
        if let Some(message) = self.sealing.seal_in(self.session, message) {
            self.give_back(message);
        }
    }

    fn give_back(&self, message: Message) {
        bounce(&self.node, &self.address, message, UndeliverableReason::Disconnected, OVER);
    }
}

impl Interceptor for Answers {
    fn intercept(&self, message: Message) -> Option<Message> {
        if let Some(early) = self.early.lock().as_mut() {
            return early.push(message).err();
        }
        self.sealing.seal_in(self.session, message)
    }
}

/// Where messages wait that could not be sealed at once.
struct Waiting {
    answers: Arc<Answers>,
    registration: Option<Registration>,
}

impl Actor for Waiting {
    type Context = Context<Self>;
}

impl Handler<Registered> for Waiting {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, context: &mut Context<Self>) {
        let stopped = registration.entry().stop_signal();
        self.registration = Some(registration);
        context.spawn(stopped.into_actor(self).map(|_, _, context| context.stop()));
    }
}

impl Handler<Routed<Payload>> for Waiting {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        self.answers.send(message.into_message());
    }
}
