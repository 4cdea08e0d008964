//! The upkeep of an established session, the same for both encryptors: watch over it, seal, answer,
//! close.
//!
//! An encryptor owns its session as an [`OpenEnd`] and implements [`End`]. Whatever ends the
//! session arrives at [`End::over`]:
//!
//! * the decryptor reports it (a bad record, the peer's close, a notice), or is gone;
//! * the underlying connection is lost, or a record cannot be sent;
//! * nothing comes from the peer ([`Liveness`]), or nobody renews the keys ([`KeyAge`]);
//! * the node stops, and nothing uses the channel any more.

use std::{
    future::Future,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Duration,
};

use actix::{
    fut::wrap_future, Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, SpawnHandle,
};
use ockam_actix_runtime::{
    clock::Instant,
    edge::{
        backoff::spread,
        first_hop::FirstHop,
        liveness::{Liveness, Verdict},
    },
    node::Busy,
    Address, Budget, Host, Message, Permit,
};

use crate::secure_channel::{
    decryptor::Decryptor,
    event::{send_control, Ending, Event, EventKind, Renew},
    key_age::{self, KeyAge},
    lifeline::{Gone, Lifeline},
    limits::{Limits, DRAIN_INTERVAL, FAREWELL, FAREWELL_BEFORE_END},
    outbound::{NotSent, Outbound},
    plaintext::Tag,
    sealing::{Sealing, SealingHalf},
};

/// One end of an established session.
pub(super) struct OpenEnd {
    pub(super) session: u64,
    pub(super) since: Instant,
    channel: Address,
    sealing: Arc<Sealing>,
    limits: Arc<Limits>,
    liveness: Liveness,
    heard: Arc<AtomicBool>,
    budget: Budget,
    keys: KeyAge,
    decryptor: Addr<Decryptor>,
    watching: Vec<SpawnHandle>,
    _lifeline: Lifeline,
    _busy: Busy,
}

/// What a session is started with.
pub(super) struct SessionSetup {
    /// Tells sessions of one encryptor apart.
    pub(super) session: u64,
    /// Whether this end asks for new keys when they are due.
    pub(super) renews: bool,
    pub(super) outbound: Outbound,
    /// Holds the sealing keys for messages that arrive.
    pub(super) sealing: Arc<Sealing>,
    pub(super) partner: Partner,
    /// The first hop of the route to the peer.
    pub(super) first_hop: FirstHop,
    /// The epoch of the first hop when the session began.
    pub(super) epoch: u64,
    pub(super) limits: Arc<Limits>,
    /// Makes a stopping node wait for the last record.
    pub(super) busy: Busy,
}

/// The opening half of a session, as its encryptor holds it.
pub(super) struct Partner {
    pub(super) decryptor: Addr<Decryptor>,
    /// Set by the decryptor with each record.
    pub(super) heard: Arc<AtomicBool>,
    /// Ends the decryptor when it is dropped.
    pub(super) lifeline: Lifeline,
}

/// An actor that is an encryptor.
pub(super) trait End: Actor<Context = Context<Self>> + Handler<Event> {
    /// The session, while there is one.
    fn open_end(&mut self) -> Option<&mut OpenEnd>;

    /// Whether a stream watches this channel.
    fn in_use(&self) -> bool;

    /// Ends the session.
    fn over(&mut self, ending: Ending, context: &mut Context<Self>);

    /// Ends the actor with its node, once the peer was told.
    fn retire(&mut self, context: &mut Context<Self>);

    /// Handles the end of a decryptor that said nothing.
    fn abandoned(&mut self, session: u64, context: &mut Context<Self>) {
        if self.of_session(session).is_some() {
            self.over(Ending::telling_peer("its decryptor stopped"), context);
        }
    }

    /// The session, if it is still this one.
    fn of_session(&mut self, session: u64) -> Option<&mut OpenEnd> {
        self.open_end().filter(|end| end.session == session)
    }
}

impl OpenEnd {
    /// Starts watching over a session.
    pub(super) fn begin<E: End>(setup: SessionSetup, context: &mut Context<E>) -> Self {
        let SessionSetup {
            session,
            renews,
            outbound,
            sealing,
            partner,
            mut first_hop,
            epoch,
            limits,
            busy,
        } = setup;
        let now = Instant::now();
        let (node, budget) = (outbound.node.clone(), first_hop.budget.clone());
        let channel = outbound.channel.clone();
        let longest_drain = node.limits().drain_timeout.saturating_sub(FAREWELL_BEFORE_END);
        let lost = async move {
            first_hop.lost(epoch).await;
            let failure = first_hop.state().failure;
            failure.map_or_else(|| "the connection below was lost".into(), |why| why.to_string())
        };
        let watching = vec![
            when(session, lost, context, |actor: &mut E, why, context| {
                actor.over(Ending::silently(why), context);
            }),
            when(
                session,
                async move { node.stopping().await },
                context,
                move |actor, (), context| {
                    drain(actor, Instant::now() + longest_drain, context);
                },
            ),
        ];
        context.run_later(Duration::ZERO, move |actor, context| tick(actor, session, context));
        let own = context.address().recipient();
        sealing.open(SealingHalf::new(session, outbound, own, limits.clone()));
        let due_after = renews.then(|| spread(limits.keys_due_after));
        Self {
            session,
            since: now,
            channel,
            sealing,
            limits,
            liveness: Liveness::new(now),
            heard: partner.heard,
            budget,
            keys: KeyAge::new(now, due_after),
            decryptor: partner.decryptor,
            watching,
            _lifeline: partner.lifeline,
            _busy: busy,
        }
    }

    /// Seals and sends a message that arrived at the channel's address.
    pub(super) fn send(&self, message: Message) -> Result<(), Ending> {
        Ok(self.sealing.send(self.session, message)?)
    }

    /// Seals and sends a control record of the channel itself.
    fn control(&self, tag: Tag, body: &[u8], permit: Option<Permit>) -> Result<(), NotSent> {
        self.sealing.control(self.session, tag, body, permit)
    }

    fn handle(&mut self, kind: EventKind) -> Result<(), Ending> {
        match kind {
            EventKind::Control { tag, body, permit } => self.control(tag, &body, permit)?,
            EventKind::NewKeys { sealer, announce } => {
                self.sealing.renew(self.session, *sealer, announce)?;
                if announce {
                    self.renewed();
                }
            }
            EventKind::Switched => {
                self.sealing.switched(self.session)?;
                self.renewed();
            }
            EventKind::Due => {
                self.keys.want_new();
                self.check_keys(Instant::now())?;
            }
            EventKind::Over(ending) => return Err(ending),
            // These come before a session, not in it.
            EventKind::Established(_) | EventKind::Failed(_) => {}
        }
        Ok(())
    }

    /// Both directions have new keys.
    fn renewed(&mut self) {
        log::debug!("secure channel {}: new keys", self.channel);
        self.keys.renewed(Instant::now());
    }

    /// Asks for new keys when they are due; ends the session when they have expired.
    fn check_keys(&mut self, now: Instant) -> Result<(), Ending> {
        match self.keys.check(now, &self.limits) {
            key_age::Verdict::Good => {}
            key_age::Verdict::Due => send_control(&self.decryptor, Renew),
            key_age::Verdict::Expired(age) => {
                let why = format!("its keys are {age:.0?} old, and nobody has renewed them");
                return Err(Ending::telling_peer(why));
            }
        }
        Ok(())
    }

    /// Checks the age of the keys and whether the peer is there; returns the time until the next
    /// check.
    fn tick(&mut self, in_use: bool) -> Result<Duration, Ending> {
        let now = Instant::now();
        self.check_keys(now)?;
        let heard = self.heard.swap(false, Ordering::Relaxed);
        let patience = self.limits.patience();
        let again = match self.liveness.check(now, heard, in_use, &patience) {
            Verdict::Fine(again) => again,
            Verdict::Ask(again) => {
                self.control(Tag::Ping, &[], None)?;
                again
            }
            Verdict::Lost(silence) => {
                let why = format!("nothing came from the peer for {silence:.1?}");
                return Err(Ending::telling_peer(why));
            }
        };
        // Often enough that the shorter times soon apply to a channel that comes into use.
        Ok(again.min(patience.ask_after))
    }

    /// Ends the session: its decryptor ends, and the peer is told if `ending` says so.
    pub(super) fn end<E: End>(mut self, ending: &Ending, context: &mut Context<E>) {
        if ending.tell_peer {
            // Nobody is left to care if that fails.
            let _ = self.control(Tag::Close, &[], None);
        }
        for task in self.watching.drain(..) {
            context.cancel_future(task);
        }
    }
}

impl Drop for OpenEnd {
    fn drop(&mut self) {
        self.sealing.close(self.session);
    }
}

impl From<NotSent> for Ending {
    fn from(error: NotSent) -> Self {
        Self::silently(error)
    }
}

/// Seals a message in the current session, if there is one.
pub(super) fn send<E: End>(actor: &mut E, message: Message, context: &mut Context<E>) {
    if let Some(Err(ending)) = actor.open_end().map(|end| end.send(message)) {
        actor.over(ending, context);
    }
}

/// Handles an event of a session's decryptor or of its sealing half.
pub(super) fn handle<E: End>(actor: &mut E, event: Event, context: &mut Context<E>) {
    let handled = actor.of_session(event.session).map(|end| end.handle(event.kind));
    if let Some(Err(ending)) = handled {
        actor.over(ending, context);
    }
}

fn tick<E: End>(actor: &mut E, session: u64, context: &mut Context<E>) {
    let in_use = actor.in_use();
    match actor.of_session(session).map(|end| end.tick(in_use)) {
        Some(Ok(again)) => {
            context.run_later(again, move |actor, context| tick(actor, session, context));
        }
        Some(Err(ending)) => actor.over(ending, context),
        None => {}
    }
}

/// Drains the channel of a stopping node: once no stream uses it, or time is up, the peer is told,
/// and the actor ends when that record has left.
fn drain<E: End>(actor: &mut E, until: Instant, context: &mut Context<E>) {
    if actor.in_use() && Instant::now() < until {
        context.run_later(DRAIN_INTERVAL, move |actor, context| drain(actor, until, context));
        return;
    }
    let Some(end) = actor.open_end() else { return actor.retire(context) };
    let permit = end.budget.try_acquire(1);
    // Nobody is left to care if that fails.
    let _ = end.control(Tag::Close, &[], permit);
    let budget = end.budget.clone();
    let written = async move {
        // All of the budget is free when everything before has been written.
        let _ = tokio::time::timeout(FAREWELL, budget.acquire(usize::MAX)).await;
    };
    let leaving = wrap_future::<_, E>(written).map(|(), actor: &mut E, context| {
        actor.retire(context);
    });
    context.spawn(leaving);
}

/// Notices the end of a decryptor, even by a panic.
pub(super) fn watch_decryptor<E: End>(session: u64, gone: Gone, context: &mut Context<E>) {
    context.spawn(wrap_future::<_, E>(gone).map(move |(), actor: &mut E, context| {
        actor.abandoned(session, context);
    }));
}

/// Calls `then` when `future` resolves, if the session is still this one.
fn when<E: End, T: 'static>(
    session: u64,
    future: impl Future<Output = T> + 'static,
    context: &mut Context<E>,
    then: impl FnOnce(&mut E, T, &mut Context<E>) + 'static,
) -> SpawnHandle {
    context.spawn(wrap_future::<_, E>(future).map(move |output, actor: &mut E, context| {
        if actor.of_session(session).is_some() {
            then(actor, output, context);
        }
    }))
}
