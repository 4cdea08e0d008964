//! How a hub finds the forwarders of others, and what waits meanwhile.

use std::sync::Arc;

use ockam_actix_runtime::{
    clock::Instant, edge::first_hop::FirstHop, message::undelivered::Undelivered, metrics::Metrics,
    random, route, Address, Context, Error, Host, Message, MessageKind, Notice, Payload, Route,
    UndeliverableReason,
};
use tokio::{
    sync::oneshot,
    time::{sleep_until, timeout},
};

use crate::forwarder::{
    cluster::{
        claims::Speaker,
        introduction::Introduction,
        key::{forwarder_of, ForwarderKey},
        member::{Introduced, Member},
        message::{answer_to, HubMessage, Nonce, Said},
        stand_in::{StandIn, CLUSTER_SERVICE},
        strays::{Asking, Taken},
    },
    limits::{FIND_LIMIT, HUBS_TRIED, MAX_HUBS, REACH_LIMIT},
};

impl Member {
    /// Has a message wait until its forwarder is found.
    pub(super) fn take(self: &Arc<Self>, key: ForwarderKey, address: &Address, message: Message) {
        let asking = Asking::of(&message.origin);
        let mut waiting = self.waiting.lock();
        // One that was found since the message was routed, or has arrived here.
        if self.node.is_registered(address) {
            drop(waiting);
            return self.node.route(message);
        }
        let taken = waiting.take(address, asking, message, self.now());
        drop(waiting);
        match taken {
            Taken::Waits => {}
            Taken::First(arrived) => {
                let (member, address) = (self.clone(), address.clone());
                let lookup = Lookup { member, address, is_over: false };
                let arbiter = self.node.current_arbiter().unwrap_or_default();
                self.node.spawn_on(arbiter, lookup.run(key, arrived));
            }
            Taken::Full(message) => self.refuse(*message, address, UndeliverableReason::Overloaded),
        }
    }

    /// The connection to a hub that has the forwarder, and the epoch in which this hub is a member
    /// there. Of several hubs that have it, the first to answer may be out of reach.
    async fn find(&self, address: &Address) -> Option<(FirstHop, u64)> {
        let (key, forwarder) = (ForwarderKey::exactly(address)?, forwarder_of(address)?);
        let mut passed_over = vec![self.own().clone()];
        while passed_over.len() <= HUBS_TRIED {
            let hub = self.who_has(key, &forwarder, &passed_over).await?;
            let reached = timeout(REACH_LIMIT, self.reach(&hub)).await;
            match reached.unwrap_or_else(|_| Err("it does not answer".into())) {
                Ok(reached) => return Some(reached),
                Err(why) => {
                    let what = format_args!("no message gets to the hub {}: {why}", hub.at);
                    self.node.refusals().warn("cluster-not-taken", what);
                }
            }
            passed_over.push(hub);
        }
        None
    }

    /// The first hub that answers that it has the forwarder, other than those.
    async fn who_has(
        &self,
        key: ForwarderKey,
        forwarder: &Address,
        passed_over: &[Speaker],
    ) -> Option<Speaker> {
        let (asked_for, others) = (forwarder.clone(), passed_over.to_vec());
        // An answer that somebody has kept is none.
        let nonce = random::bytes();
        let accept = move |answer: &[u8]| {
            hub_of(answer, &asked_for, nonce).is_some_and(|hub| !others.contains(&hub))
        };
        let asked = self.voice.ask(Said::Find { key, nonce }, Box::new(accept));
        let answer = timeout(FIND_LIMIT, asked).await.ok()??;
        hub_of(&answer, forwarder, nonce)
    }

    /// Connects to a hub and shows it that this one is a member, unless it knows that.
    ///
    /// # Errors
    /// In words.
    async fn reach(&self, hub: &Speaker) -> Result<(FirstHop, u64), String> {
        let first_hop = self.node.first_hop(&Route::from(hub.at.clone()));
        let mut first_hop = first_hop.map_err(|error| error.one_line())?;
        first_hop.attempted().await.map_err(|why| why.to_string())?;
        let epoch = first_hop.state().epoch;
        // Who looks for another forwarder meanwhile waits for that.
        let introduced = {
            let mut all = self.introduced.lock();
            if all.len() >= MAX_HUBS {
                all.retain(|_, one| Arc::strong_count(one) > 1);
            }
            all.entry(hub.at.clone()).or_default().clone()
        };
        let mut known = introduced.lock().await;
        if *known != Some(epoch) {
            self.introduce(hub).await?;
            *known = Some(epoch);
            self.forget_introduced(introduced.clone(), epoch, first_hop.clone());
        }
        drop(known);
        // A connection that was made since is no member's.
        let state = first_hop.state();
        match state.up && state.epoch == epoch {
            true => Ok((first_hop, epoch)),
            false => Err("the connection was lost".into()),
        }
    }

    /// Forgets that this hub is a member at another one when the connection is lost.
    fn forget_introduced(&self, known: Introduced, epoch: u64, mut first_hop: FirstHop) {
        self.node.spawn_on(self.node.arbiter_for(&first_hop), async move {
            first_hop.lost(epoch).await;
            let mut known = known.lock().await;
            if *known == Some(epoch) {
                *known = None;
            }
        });
    }

    /// Shows the hub that this one is a member, over the connection that there is.
    ///
    /// # Errors
    /// In words.
    async fn introduce(&self, hub: &Speaker) -> Result<(), String> {
        let nonce = match self.exchange(hub, Introduction::MayI).await? {
            Introduction::Sign { nonce } => nonce,
            other => return Err(format!("it says {other:?}")),
        };
        let signed = Introduction::sign(&self.identity, nonce, &hub.identity);
        match self.exchange(hub, signed).await? {
            Introduction::Welcome => Ok(()),
            other => Err(format!("it says {other:?}")),
        }
    }

    /// Says something to the gate of a hub, and waits for the answer.
    ///
    /// # Errors
    /// In words.
    async fn exchange(&self, hub: &Speaker, said: Introduction) -> Result<Introduction, String> {
        let one_line = |error: Error| error.one_line();
        let mut mailbox = Context::new(&self.node).map_err(one_line)?;
        let gate = route![hub.at.clone(), CLUSTER_SERVICE];
        mailbox.send(gate, said.encode()).await.map_err(one_line)?;
        loop {
            let answer = mailbox.receive::<Payload>().await.map_err(one_line)?;
            if !answer.origin().came_through(&hub.at) {
                continue;
            }
            if answer.kind() == MessageKind::Notice {
                let notice = Notice::decode(answer.body()).map(|notice| notice.to_string());
                return Err(notice.unwrap_or_default());
            }
            return Introduction::decode(answer.body()).map_err(|error| error.to_string());
        }
    }

    /// Sends a message back that goes nowhere.
    fn refuse(&self, message: Message, address: &Address, reason: UndeliverableReason) {
        self.node.bounce(Undelivered::new(message, address, reason));
    }
}

/// A lookup under way. However it ends, also by a panic, others have its place from then on, and
/// what still waits goes to the forwarder if that is here by now, and back if it is not.
struct Lookup {
    member: Arc<Member>,
    address: Address,
    /// Its place is free, and perhaps another lookup's.
    is_over: bool,
}

impl Lookup {
    async fn run(self, key: ForwarderKey, arrived: oneshot::Receiver<()>) {
        let (began, metrics) = (Instant::now(), Metrics::of(&self.member.node));
        metrics.cluster.lookups.increment();
        let finding = async {
            let found = self.member.find(&self.address).await;
            if found.is_none() {
                // It may still arrive here, also where nobody could be asked.
                sleep_until(began + FIND_LIMIT).await;
            }
            found
        };
        let found = tokio::select! {
            biased;
            Ok(()) = arrived => return metrics.cluster.found.increment(),
            found = finding => found,
        };
        let Some((first_hop, epoch)) = found else {
            return metrics.cluster.not_found.increment();
        };
        metrics.cluster.found.increment();
        metrics.cluster.times_to_find.observe(began.elapsed());
        self.member.waiting.lock().found(&self.address);
        let node = self.member.node.clone();
        // There, so that what waits and what follows goes the same way, in order.
        node.spawn_on(
            node.arbiter_for(&first_hop),
            async move { self.stand_in(key, first_hop, epoch) },
        );
    }

    /// Puts a stand-in where the forwarder was looked for, and sends on what waits.
    fn stand_in(mut self, key: ForwarderKey, first_hop: FirstHop, epoch: u64) {
        let Self { member, address, is_over } = &mut self;
        let stand_in = StandIn::new(member.node.clone(), address, first_hop, epoch);
        loop {
            let mut waiting = member.waiting.lock();
            let batch = waiting.batch(address);
            if batch.is_empty() {
                // Nothing waits, and nothing comes to wait before there is the stand-in.
                waiting.end(address);
                *is_over = true;
                let is_here = || member.is_here(address);
                let begun = member.stand_ins.begin(key, address, stand_in, is_here);
                drop(waiting);
                if let Err(error) = begun {
                    log::debug!("no stand-in for a forwarder: {}", error.one_line());
                }
                return;
            }
            drop(waiting);
            if member.is_here(address) {
                // It has moved here meanwhile; what still waits follows when this is dropped.
                return batch.into_iter().for_each(|message| member.node.route(message));
            }
            batch.into_iter().for_each(|message| stand_in.pass_first(message));
        }
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        let Self { member, address, is_over: false } = self else { return };
        let missed = member.waiting.lock().end(address);
        let is_here = member.is_here(address);
        missed.into_iter().for_each(|message| match is_here {
            true => member.node.route(message),
            false => member.refuse(message, address, UndeliverableReason::Unreachable),
        });
    }
}

/// The hub that answers a question that it has the forwarder, if it knows that address: every hub
/// that was asked can answer.
pub(super) fn hub_of(answer: &[u8], forwarder: &Address, nonce: Nonce) -> Option<Speaker> {
    let HubMessage { speaker, said: Said::Has { voucher } } = HubMessage::decode(answer).ok()?
    else {
        return None;
    };
    let covered = answer_to(nonce);
    let fits = speaker.with_voucher_input(&covered, |input| voucher.fits(forwarder, input));
    fits.then_some(speaker)
}
