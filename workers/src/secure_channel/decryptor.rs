//! The decryptor: the actor that opens what the peer of a channel sends.
//!
//! * Owns: its random address, the handshake, then the opening keys of one session.
//! * States: handshaking (with a deadline), open, over.
//! * Inbox: handshake messages, then records, and notices about what was sent to the peer;
//!   [`Renew`] from the encryptor. It accepts messages only from where its own messages go.
//! * Started by the initiator for each attempt ([`initiating`]), or by a listener for each
//!   message 1 ([`responding`]), on the arbiter of the connection. It ends with a failed handshake,
//!   with the first bad record, and with its encryptor.
//! * A panic cuts its lifeline: the encryptor ends the session.

mod initiating;
mod renewal;
mod responding;

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Duration,
};

use actix::{
    fut::wrap_future, Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler,
    Recipient,
};
use ockam_actix_runtime::{
    clock::Instant,
    metrics::Metrics,
    node::{directory::Registration, routing::NextHop},
    worker::mailbox::Registered,
    Address, Host, Message, MessageKind, Node, Notice, Payload, Permit, Route, Routed,
};

use crate::{
    identity::peer_names::PeerNames,
    secure_channel::{
        event::{notify, Ending, Event, EventKind, Renew},
        exchange::{Credentials, Exchange, Step},
        failure::FailureReason,
        handshake::Session,
        inbound::{self, Inbound},
        key_age::RenewalRate,
        lifeline::Gone,
        limits::Limits,
        open_sessions::{Listed, NewSession},
        plaintext::Tag,
    },
};

pub(super) use initiating::Initiating;
pub(super) use responding::Responding;

/// Opens what the peer of a channel sends.
pub(super) struct Decryptor {
    pub(super) config: DecryptorConfig,
    role: Role,
    phase: Phase,
    /// Where the peer is; fixed by the first message that comes from it.
    peer_route: Option<Route>,
    registration: Option<Registration>,
    /// Changes of trust before the handshake.
    changes: u64,
    begun: Instant,
}

/// What every decryptor is started with.
pub(super) struct DecryptorConfig {
    pub(super) node: Node,
    pub(super) address: Address,
    /// Tells sessions of one encryptor apart.
    pub(super) session: u64,
    pub(super) credentials: Credentials,
    pub(super) limits: Arc<Limits>,
}

/// What differs between the two ends.
enum Role {
    Initiator(Initiating),
    Responder(Responding),
}

impl Role {
    /// The kind of what is sent to the peer.
    fn kind(&self) -> MessageKind {
        match self {
            Self::Initiator(_) => MessageKind::Data,
            Self::Responder(_) => MessageKind::Reply,
        }
    }
}

enum Phase {
    /// Not started, or ended.
    Closed,
    Handshaking(Exchange),
    Open(Box<Open>),
}

/// An open session.
struct Open {
    inbound: Inbound,
    encryptor: Recipient<Event>,
    heard: Arc<AtomicBool>,
    /// A handshake for new keys.
    renewal: Option<Exchange>,
    renewal_rate: RenewalRate,
    listed: Listed,
}

/// What each role makes of a new session: what opens its records, its encryptor, and the sign of
/// life that both share.
type Opened = (Inbound, Recipient<Event>, Arc<AtomicBool>);

impl Decryptor {
    fn new(config: DecryptorConfig, role: Role, peer_route: Option<Route>) -> Self {
        let changes = config.credentials.sessions.changes();
        let (phase, registration, begun) = (Phase::Closed, None, Instant::now());
        Self { config, role, phase, peer_route, registration, changes, begun }
    }

    fn begin(&mut self, context: &mut Context<Self>) {
        let begun = match self.role {
            Role::Initiator(_) => self.initiate(context),
            Role::Responder(_) => self.respond(),
        };
        match begun {
            Ok(exchange) => self.phase = Phase::Handshaking(exchange),
            Err(why) => return self.fail(why, context),
        }
        Self::fail_after(self.config.limits.handshake_deadline, context);
    }

    /// Fails unless the handshake is over in time.
    fn fail_after(limit: Duration, context: &mut Context<Self>) {
        context.run_later(limit, move |actor, context| {
            if matches!(actor.phase, Phase::Handshaking(_)) {
                actor.fail(FailureReason::Late(limit), context);
            }
        });
    }

    /// Handles a handshake message.
    fn handle_handshake(
        &mut self,
        exchange: Exchange,
        mut message: Message,
        context: &mut Context<Self>,
    ) {
        if message.kind == MessageKind::Notice {
            return self.fail(FailureReason::of_notice(&message.payload), context);
        }
        if self.is_asked_for_cookie(&exchange, &message) {
            return match self.send_with_cookie(&message) {
                Ok(()) => self.phase = Phase::Handshaking(exchange),
                Err(why) => self.fail(why, context),
            };
        }
        // From now on everything goes where the first answer came from.
        let return_route = std::mem::take(&mut message.return_route);
        let peer_route = self.peer_route.get_or_insert(return_route).clone();
        let permit = message.permit.take();
        let budget = |work| match &self.role {
            Role::Initiator(_) => true,
            Role::Responder(responding) => responding.affords(work, &self.config.limits),
        };
        let next = match exchange.handle(&mut message.payload, &budget) {
            Ok(Step::Send(bytes, exchange)) => self.send(peer_route, bytes, permit).map(|()| {
                self.phase = Phase::Handshaking(exchange);
                // Only an initiator goes on after its answer.
                Self::fail_after(self.confirmation_limit(), context);
            }),
            Ok(Step::Established(session)) => self.open(*session, peer_route, context),
            // Nobody uses the channel before the initiator has this record, and a stopping node
            // sends its close after it.
            Ok(Step::Confirm(record, session)) => self
                .open(*session, peer_route.clone(), context)
                .and_then(|()| self.send(peer_route, record, permit)),
            Err(failure) => {
                if let Some(record) = failure.refusal {
                    // If this is lost, the initiator gives up at its deadline.
                    let _ = self.send(peer_route, record, permit);
                }
                Err(failure.why)
            }
        };
        if let Err(why) = next {
            self.fail(why, context);
        }
    }

    fn send(
        &self,
        route: Route,
        bytes: Vec<u8>,
        permit: Option<Permit>,
    ) -> Result<(), FailureReason> {
        let mut message =
            Message::new(route, Route::from(self.config.address.clone()), Payload::from(bytes));
        message.kind = self.role.kind();
        message.permit = permit;
        let sent = self.config.node.try_route(message, NextHop::Checked);
        sent.map_err(|undelivered| FailureReason::Undelivered(undelivered.notice.to_string()))
    }

    /// Opens the session after a successful handshake.
    fn open(
        &mut self,
        session: Session,
        peer_route: Route,
        context: &mut Context<Self>,
    ) -> Result<(), FailureReason> {
        let peer = session.peer.identity().clone();
        let opened = match &mut self.role {
            Role::Initiator(initiating) => initiating.open(&self.config, session, peer_route),
            Role::Responder(responding) => {
                responding.open(&self.config, session, peer_route, context)?
            }
        };
        let (inbound, encryptor, heard) = opened;
        Metrics::of(&self.config.node).handshakes.observe(self.begun.elapsed());
        let Credentials { local, policy, sessions, .. } = &self.config.credentials;
        let relay = match &self.role {
            Role::Responder(responding) => responding.relay().cloned(),
            Role::Initiator(_) => None,
        };
        let listed = sessions.list(NewSession {
            own: local.now().identifier(),
            peer,
            policy: policy.clone(),
            encryptor: encryptor.clone(),
            session: self.config.session,
            relay,
            changes: self.changes,
        });
        let renewal_rate = RenewalRate::new(Instant::now());
        let open = Open { inbound, encryptor, heard, renewal: None, renewal_rate, listed };
        self.phase = Phase::Open(Box::new(open));
        Ok(())
    }

    /// Ends a failed handshake, and this actor.
    fn fail(&mut self, why: FailureReason, context: &mut Context<Self>) {
        match &self.role {
            Role::Initiator(initiating) => {
                notify(&initiating.encryptor, self.config.session, EventKind::Failed(why));
            }
            Role::Responder(responding) => {
                responding.log(&self.config.node, &why, self.peer_route.as_ref());
            }
        }
        self.phase = Phase::Closed;
        context.stop();
    }

    /// Handles a record, or a notice about one.
    fn handle_record(&mut self, message: Message, context: &mut Context<Self>) {
        let Phase::Open(open) = &mut self.phase else { return };
        if open.listed.has_ended() {
            // The encryptor was told, and ends this actor.
            return;
        }
        if message.kind == MessageKind::Notice {
            let notice = Notice::decode(&message.payload);
            let why = notice.map_or_else(|| "?".into(), |notice| notice.to_string());
            // A record is missing at the peer, whatever the reason. A forged notice costs a
            // handshake and no more.
            let ending = Ending::telling_peer(format!("a record did not arrive: {why}"));
            return self.end(ending, context);
        }
        open.heard.store(true, Ordering::Relaxed);
        match open.inbound.open(message) {
            Ok(inbound::Opened::Message(message)) => {
                self.config.node.route(message);
                self.check_volume(context);
            }
            Ok(inbound::Opened::Ping(permit)) => self.control(Tag::Pong, Vec::new(), permit),
            Ok(inbound::Opened::Pong) => {}
            Ok(inbound::Opened::Switch) => self.notify(EventKind::Switched),
            Ok(inbound::Opened::Close) => self.end(Ending::announced(), context),
            Ok(inbound::Opened::Handshake(payload)) => self.handle_renewal(payload, context),
            Err(error) => self.end(Ending::telling_peer(error), context),
        }
    }

    /// Handles an expendable record. A bad one is dropped, as whoever is on the line can make one.
    /// None is a sign of life: a line that carries nothing else must not pass for a good one.
    fn handle_expendable(&mut self, message: Message, context: &mut Context<Self>) {
        let Phase::Open(open) = &mut self.phase else { return };
        if open.listed.has_ended() {
            return;
        }
        match open.inbound.open_expendable(message) {
            Ok(message) => {
                self.config.node.route(message);
                self.check_volume(context);
            }
            Err(why) => {
                let node = &self.config.node;
                let peer = open.inbound.peer().map(|peer| PeerNames::of(node).show(&peer));
                let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
                let what = format_args!("dropped a record of the channel with {peer}: {why}");
                node.refusals().info(why.rule(), what);
            }
        }
    }

    /// Has the encryptor seal and send a control record.
    fn control(&self, tag: Tag, body: Vec<u8>, permit: Option<Permit>) {
        self.notify(EventKind::Control { tag, body, permit });
    }

    fn notify(&self, kind: EventKind) {
        if let Phase::Open(open) = &self.phase {
            notify(&open.encryptor, self.config.session, kind);
        }
    }

    /// Ends the session, and this actor.
    fn end(&mut self, ending: Ending, context: &mut Context<Self>) {
        self.notify(EventKind::Over(ending));
        self.phase = Phase::Closed;
        context.stop();
    }

    /// Ends this actor when its encryptor is gone.
    pub(super) fn live_with(encryptor: Gone, context: &mut Context<Self>) {
        let gone = wrap_future::<_, Self>(encryptor);
        context.spawn(gone.map(|(), _: &mut Self, context: &mut Context<Self>| context.stop()));
    }
}

impl Actor for Decryptor {
    type Context = Context<Self>;
}

impl Handler<Registered> for Decryptor {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, context: &mut Context<Self>) {
        self.registration = Some(registration);
        self.begin(context);
    }
}

impl Handler<Renew> for Decryptor {
    type Result = ();

    fn handle(&mut self, _: Renew, context: &mut Context<Self>) {
        self.renew(context);
    }
}

impl Handler<Routed<Payload>> for Decryptor {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, context: &mut Context<Self>) {
        let message = message.into_message();
        // One may overtake the end of the handshake.
        if message.expendable {
            return self.handle_expendable(message, context);
        }
        if self.is_late_answer(&message) {
            return;
        }
        if matches!(self.phase, Phase::Open(_)) {
            return self.handle_record(message, context);
        }
        if let Phase::Handshaking(exchange) = std::mem::replace(&mut self.phase, Phase::Closed) {
            self.handle_handshake(exchange, message, context);
        }
    }
}
