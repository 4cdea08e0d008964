//! The transitions between a channel's states: attempts, sessions, losses, pauses.

use std::{
    sync::{atomic::AtomicBool, Arc},
    time::Duration,
};

use actix::{fut::wrap_future, ActorContext, ActorFutureExt, AsyncContext, Context, SpawnHandle};
use ockam_actix_runtime::{
    edge::{first_hop::LinkState, message_queue::MessageQueue},
    Address, Host, MessageKind, Result, Route, UndeliverableReason,
};
use tokio::time::{sleep, timeout};

use crate::{
    identity::peer_names::PeerNames,
    secure_channel::{
        channel_actor::{Attempt, ChannelActor, Held, Phase},
        decryptor::{Decryptor, DecryptorConfig, Initiating},
        event::{Ending, Established},
        failure::FailureReason,
        lifeline::lifeline,
        limits::STEADY_AFTER,
        outbound::{bounce, Outbound},
        outcome::Outcome,
        session::{self, OpenEnd, Partner, SessionSetup},
        session_address::SessionAddress,
    },
};

impl ChannelActor {
    /// Starts a handshake.
    pub(super) fn attempt(&mut self, held: Held, context: &mut Context<Self>) {
        self.session += 1;
        self.keys = self.own_keys();
        match self.start_decryptor(context) {
            Ok(attempt) => self.phase = Phase::Attempting { attempt, held },
            Err(error) => {
                self.failed(held, &FailureReason::Undelivered(error.one_line()), context);
            }
        }
    }

    fn start_decryptor(&mut self, context: &mut Context<Self>) -> Result<Attempt> {
        // A first hop that is gone is created again here, or reported.
        let budget = self.first_hop.budget.clone();
        self.first_hop = self.node.first_hop(&self.route)?.with_budget(budget);
        let heard = Arc::new(AtomicBool::new(false));
        let (own_lifeline, own_gone) = lifeline();
        let (decryptor_lifeline, gone) = lifeline();
        let early = MessageQueue::new(self.limits.waiting_bytes);
        let (session, sealing) = (self.session, self.sealing.clone());
        let answers = SessionAddress::start(&self.node, session, sealing, &self.first_hop, early)?;
        let address = Address::random();
        let config = DecryptorConfig {
            node: self.node.clone(),
            address: address.clone(),
            session: self.session,
            credentials: self.credentials.clone(),
            limits: self.limits.clone(),
        };
        let initiating = Initiating {
            route: self.route.clone(),
            channel: self.address.clone(),
            via: answers.address().clone(),
            encryptor: context.address().recipient(),
            grants: self.opened.grants.clone(),
            heard: heard.clone(),
            _lifeline: decryptor_lifeline,
            gone: Some(own_gone),
            sent: Default::default(),
        };
        let (description, decryptor) = Decryptor::initiating(config, initiating);
        let epoch = self.first_hop.state().epoch;
        let decryptor = self.node.launch_here(description, decryptor)?;
        session::watch_decryptor(self.session, gone, context);
        let partner = Partner { decryptor, heard, lifeline: own_lifeline };
        let watching = self.watch_first_hop(epoch, context);
        Ok(Attempt { partner, answers, decryptor: address, epoch, watching })
    }

    /// Ends the attempt when the connection that carried message 1 is lost: no answer will come
    /// then.
    fn watch_first_hop(&self, epoch: u64, context: &mut Context<Self>) -> SpawnHandle {
        let (mut first_hop, session) = (self.first_hop.clone(), self.session);
        let lost = async move {
            first_hop.lost(epoch).await;
            first_hop
                .state()
                .failure
                .map_or_else(|| "the connection was lost".into(), |why| why.to_string())
        };
        context.spawn(wrap_future::<_, Self>(lost).map(move |why, actor: &mut Self, context| {
            actor.attempt_failed(session, FailureReason::Undelivered(why), context);
        }))
    }

    /// Opens the session after a successful handshake: messages that waited are sent first.
    pub(super) fn established(&mut self, session: Established, context: &mut Context<Self>) {
        let idle = Phase::Pausing { failure: "it is being established".into() };
        let (attempt, held) = match std::mem::replace(&mut self.phase, idle) {
            Phase::Attempting { attempt, held } => (attempt, held),
            other => {
                self.phase = other;
                return;
            }
        };
        context.cancel_future(attempt.watching);
        let Established { sealer, peer, peer_route } = session;
        self.log_peer(peer);
        self.first_peer.established(peer);
        self.record.up("", Some(peer.to_string()));
        self.record.enters_by(attempt.answers.address().clone());
        let outbound = Outbound {
            node: self.node.clone(),
            channel: self.address.clone(),
            via: attempt.answers.address().clone(),
            sealer,
            kind: MessageKind::Data,
            peer_route,
            decryptor: Route::from(attempt.decryptor),
        };
        let setup = SessionSetup {
            session: self.session,
            renews: true,
            outbound,
            sealing: self.sealing.clone(),
            partner: attempt.partner,
            first_hop: self.first_hop.clone(),
            epoch: attempt.epoch,
            limits: self.limits.clone(),
            busy: self.node.busy(),
        };
        let end = OpenEnd::begin(setup, context);
        attempt.answers.open();
        self.phase = Phase::Established(Box::new(end), attempt.answers);
        self.refusals.reset();
        self.is_expected_down = false;
        self.state.send_modify(LinkState::establish);
        self.outcome.send_replace(Outcome::Established(peer));
        if let Held::Waiting(queue) = held {
            queue.into_iter().for_each(|message| self.handle_message(message, context));
        }
    }

    /// Logs who the peer is: the only mention of it where nothing was pinned.
    fn log_peer(&mut self, peer: ockam_actix_runtime::Identifier) {
        let (channel, route, names) = (&self.address, &self.route, PeerNames::of(&self.node));
        let shown = names.show(&peer);
        log::info!("secure channel {channel} over {route} is established with {shown}");
        match self.peer.replace(peer) {
            Some(before) if before != peer => {
                let before = names.show(&before);
                log::warn!("secure channel {channel}: the peer is {shown} now, it was {before}");
            }
            _ => {}
        }
    }

    /// Handles the loss of an established session: another attempt follows, at once if it had
    /// lasted.
    pub(super) fn lost(&mut self, ending: Ending, context: &mut Context<Self>) {
        let failure: Arc<str> = ending.why.as_str().into();
        let pausing = Phase::Pausing { failure: failure.clone() };
        let end = match std::mem::replace(&mut self.phase, pausing) {
            Phase::Established(end, _) => end,
            other => {
                self.phase = other;
                return;
            }
        };
        if end.since.elapsed() >= STEADY_AFTER {
            self.backoff.reset();
        }
        end.end(&ending, context);
        self.outcome.send_replace(Outcome::Pending(Some(failure.clone())));
        self.down(&failure);
        if self.node.is_stopping() {
            return context.stop();
        }
        let pause = self.backoff.next_pause();
        let below = self.first_hop.state();
        self.is_expected_down = ending.is_announced || (!below.up && below.announced);
        log::log!(
            if self.is_expected_down { log::Level::Info } else { log::Level::Warn },
            "secure channel {} over {} was lost: {failure}; trying again {}",
            self.address,
            self.route,
            if pause.is_zero() { "at once".into() } else { format!("in {pause:.1?}") },
        );
        if pause.is_zero() && self.first_hop.state().up {
            return self
                .attempt(Held::Waiting(MessageQueue::new(self.limits.waiting_bytes)), context);
        }
        self.attempt_after(pause, failure, context);
    }

    /// Handles the failure of an attempt, if it is still the current one.
    pub(super) fn attempt_failed(
        &mut self,
        session: u64,
        why: FailureReason,
        context: &mut Context<Self>,
    ) {
        if session != self.session {
            return;
        }
        let pausing = Phase::Pausing { failure: why.brief().into() };
        match std::mem::replace(&mut self.phase, pausing) {
            Phase::Attempting { held, attempt } => {
                context.cancel_future(attempt.watching);
                self.failed(held, &why, context);
            }
            other => self.phase = other,
        }
    }

    fn failed(&mut self, held: Held, why: &FailureReason, context: &mut Context<Self>) {
        let failure: Arc<str> = why.brief().into();
        let is_new = self.state.borrow().failure.as_ref() != Some(&failure);
        self.down(&failure);
        if let Held::Waiting(queue) = held {
            self.return_to_senders(queue, &failure);
        }
        // A key that was replaced while the handshake ran is no reason for a refusal's long pause.
        let refused = why.is_refusal() && self.keys == self.own_keys();
        self.outcome.send_replace(match why {
            _ if refused => Outcome::Rejected(failure.clone()),
            FailureReason::Invitation(refusal) => Outcome::NotInvited(*refusal),
            _ => Outcome::Pending(Some(failure.clone())),
        });
        if self.node.is_stopping() {
            return context.stop();
        }
        let pause = match refused {
            true => self.refusals.next_pause(),
            false => self.backoff.next_pause_after_failure(),
        };
        self.log_failure(why, refused, is_new, pause);
        self.attempt_after(pause, failure, context);
    }

    /// Logs why an attempt failed: as an error where somebody has to mend something, and only once.
    fn log_failure(&self, why: &FailureReason, refused: bool, is_new: bool, pause: Duration) {
        let level = match (is_new, refused) {
            // At first, whoever shows an invitation is refused; the program waits for the outcome.
            _ if self.is_invited => log::Level::Debug,
            (true, true) => log::Level::Error,
            (true, false) if self.is_expected_down => log::Level::Info,
            (true, false) => log::Level::Warn,
            (false, _) => log::Level::Debug,
        };
        let said = PeerNames::of(&self.node).annotate(&why.to_string());
        // The end of the route need not be named twice.
        let end = self.route.iter().last().map(|end| format!("\"{end}\": ")).unwrap_or_default();
        let said = said.strip_prefix(&end).unwrap_or(&said);
        let seldom = if refused { ", then less often, at least every minute" } else { "" };
        log::log!(
            level,
            "no secure channel over {}: {said}; trying again in {pause:.1?}{seldom}",
            self.route
        );
        // A peer that has proved who it is is the right one.
        if let Some(pin) = self.credentials.policy.pin().filter(|_| !why.is_proved_refusal()) {
            log::log!(
                level,
                "that address is for {pin} alone: if its node was started again with another \
                 identity, copy the new address"
            );
        }
    }

    /// Returns messages that waited for a channel to those who sent them.
    fn return_to_senders(&self, queue: MessageQueue, failure: &str) {
        let reason = UndeliverableReason::Disconnected;
        for message in queue {
            bounce(&self.node, &self.address, message, reason, failure);
        }
    }

    fn own_keys(&self) -> usize {
        self.credentials.local.now().identity().key_count()
    }

    /// Tells watchers that the channel is down.
    fn down(&mut self, failure: &Arc<str>) {
        self.record.down(failure.clone());
        self.state.send_modify(|state| state.lose(failure.clone()));
    }

    /// Tries again after a pause, or as soon as the underlying connection is made anew: what failed
    /// over the one before tells nothing about it. Messages are returned meanwhile.
    fn attempt_after(&mut self, pause: Duration, failure: Arc<str>, context: &mut Context<Self>) {
        self.phase = Phase::Pausing { failure: failure.clone() };
        let (mut first_hop, least) = (self.first_hop.clone(), pause.min(self.limits.first_pause));
        let epoch = first_hop.state().epoch;
        let waiting = async move {
            sleep(least).await;
            if first_hop.state().up {
                // Ends early with the connection.
                let _ = timeout(pause - least, first_hop.lost(epoch)).await;
            }
            first_hop.up().await;
        };
        let session = self.session;
        context.spawn(wrap_future::<_, Self>(waiting).map(move |(), actor: &mut Self, context| {
            if actor.session == session && matches!(actor.phase, Phase::Pausing { .. }) {
                actor.attempt(Held::Refused(failure), context);
            }
        }));
    }

    /// Closes the channel, as the program asked.
    pub(super) fn close(&mut self, context: &mut Context<Self>) {
        let failure: Arc<str> = "it was closed".into();
        let closed = Phase::Closed { failure: failure.clone() };
        match std::mem::replace(&mut self.phase, closed) {
            Phase::Established(end, _) => end.end(&Ending::telling_peer(&failure), context),
            Phase::Attempting { held: Held::Waiting(queue), .. } => {
                self.return_to_senders(queue, &failure);
            }
            _ => {}
        }
        self.down(&failure);
        self.outcome.send_replace(Outcome::Closed);
        self.supervised.end();
        context.stop();
    }
}
