//! How a hub finds the forwarders of others, and what waits meanwhile.

use std::sync::Arc;

use ockam_actix_runtime::{
    clock::Instant, edge::first_hop::FirstHop, message::undelivered::Undelivered, metrics::Metrics,
    route, Address, Context, Error, Host, Message, MessageKind, Notice, Origin, Payload, Route,
    UndeliverableReason,
};
use tokio::time::timeout;

use crate::forwarder::{
    cluster::{
        claims::Speaker,
        introduction::Introduction,
        key::{forwarder_of, ForwarderKey},
        member::Member,
        message::{HubMessage, Said, HAS},
        stand_in::{StandIn, CLUSTER_SERVICE},
        strays::Taken,
    },
    limits::{FIND_LIMIT, REACH_LIMIT},
};

impl Member {
    /// Has a message wait until its forwarder is found.
    pub(super) fn take(self: &Arc<Self>, key: ForwarderKey, address: &Address, message: Message) {
        let asking = match &message.origin {
            Origin::Local => None,
            Origin::Remote(ingress) => Some(ingress.via.clone()),
        };
        let mut waiting = self.waiting.lock();
        // One that was found since the message was routed.
        if self.stand_ins.has(address) {
            drop(waiting);
            return self.node.route(message);
        }
        let taken = waiting.take(address, asking, message);
        drop(waiting);
        match taken {
            Taken::Waits => {}
            Taken::First => {
                let (member, address) = (self.clone(), address.clone());
                let arbiter = self.node.current_arbiter().unwrap_or_default();
                self.node.spawn_on(arbiter, async move { member.look_for(key, address).await });
            }
            Taken::Full(message) => self.refuse(*message, address, UndeliverableReason::Overloaded),
        }
    }

    async fn look_for(self: Arc<Self>, key: ForwarderKey, address: Address) {
        let (began, metrics) = (Instant::now(), Metrics::of(&self.node));
        metrics.cluster.lookups.increment();
        match self.find(key, &address).await {
            Some(first_hop) => {
                metrics.cluster.found.increment();
                metrics.cluster.times_to_find.observe(began.elapsed());
                let arbiter = self.node.arbiter_for(&first_hop);
                let member = self.clone();
                // There, so that what waits and what follows goes the same way, in order.
                self.node
                    .spawn_on(arbiter, async move { member.stand_in(key, address, first_hop) });
            }
            None => {
                metrics.cluster.not_found.increment();
                let missed = self.waiting.lock().end(&address);
                // It may have been registered here meanwhile.
                let is_here = self.held(&key).is_some();
                missed.into_iter().for_each(|message| match is_here {
                    true => self.node.route(message),
                    false => self.refuse(message, &address, UndeliverableReason::Unreachable),
                });
            }
        }
    }

    /// The connection to the hub that has the forwarder.
    async fn find(self: &Arc<Self>, key: ForwarderKey, address: &Address) -> Option<FirstHop> {
        let forwarder = forwarder_of(address)?;
        let asked = self.bus.ask(
            self.message(Said::Find { key }),
            Box::new(move |answer| hub_of(answer, &forwarder).is_some()),
        );
        let answer = timeout(FIND_LIMIT, asked).await.ok()??;
        let hub = hub_of(&answer, &forwarder_of(address)?).filter(|hub| hub != self.own())?;
        let mut first_hop = self.node.first_hop(&Route::from(hub.at.clone())).ok()?;
        timeout(REACH_LIMIT, first_hop.attempted()).await.ok()?.ok()?;
        let state = first_hop.state();
        let known = self.introduced.lock().get(&hub.at) == Some(&state.epoch);
        if !known {
            let introduced = timeout(REACH_LIMIT, self.introduce(&hub)).await;
            let introduced = introduced.unwrap_or_else(|_| Err("it does not answer".into()));
            if let Err(why) = introduced {
                let what = format_args!("the hub {} does not take this one in: {why}", hub.at);
                self.node.refusals().warn("cluster-not-taken", what);
                return None;
            }
            self.note_introduced(hub.at, state.epoch, first_hop.clone());
        }
        first_hop.state().up.then_some(first_hop)
    }

    /// Notes that this hub is a member at another one, until the connection is lost.
    fn note_introduced(self: &Arc<Self>, hub: Address, epoch: u64, mut first_hop: FirstHop) {
        self.introduced.lock().insert(hub.clone(), epoch);
        let member = Arc::downgrade(self);
        self.node.spawn_on(self.node.arbiter_for(&first_hop), async move {
            first_hop.lost(epoch).await;
            let Some(member) = member.upgrade() else { return };
            let mut introduced = member.introduced.lock();
            if introduced.get(&hub) == Some(&epoch) {
                introduced.remove(&hub);
            }
        });
    }

    /// Shows the hub that this one is a member, over the connection that there is.
    ///
    /// # Errors
    /// In words.
    async fn introduce(&self, hub: &Speaker) -> Result<(), String> {
        let nonce = match self.tell(hub, Introduction::MayI).await? {
            Introduction::Sign { nonce } => nonce,
            other => return Err(format!("it says {other:?}")),
        };
        let signed = Introduction::sign(&self.identity, nonce, &hub.identity);
        match self.tell(hub, signed).await? {
            Introduction::Welcome => Ok(()),
            other => Err(format!("it says {other:?}")),
        }
    }

    async fn tell(&self, hub: &Speaker, said: Introduction) -> Result<Introduction, String> {
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

    /// Puts a stand-in where the forwarder was looked for, and sends on what waits.
    fn stand_in(self: &Arc<Self>, key: ForwarderKey, address: Address, first_hop: FirstHop) {
        let stand_in = StandIn::new(self.node.clone(), &address, first_hop);
        loop {
            let mut waiting = self.waiting.lock();
            let batch = waiting.batch(&address);
            if batch.is_empty() {
                // Nothing waits, and nothing comes to wait before there is the stand-in.
                waiting.end(&address);
                let begun = self.stand_ins.begin(key, &address, stand_in);
                drop(waiting);
                if let Err(error) = begun {
                    log::debug!("no stand-in for a forwarder: {}", error.one_line());
                }
                return;
            }
            drop(waiting);
            batch.into_iter().for_each(|message| stand_in.pass_first(message));
        }
    }

    /// Sends a message back that goes nowhere.
    fn refuse(&self, message: Message, address: &Address, reason: UndeliverableReason) {
        self.node.bounce(Undelivered::new(message, address, reason));
    }
}

/// The hub that answers that it has the forwarder, if it knows that address: every hub that was
/// asked can answer.
pub(super) fn hub_of(answer: &[u8], forwarder: &Address) -> Option<Speaker> {
    let HubMessage { speaker, said: Said::Has { voucher } } = HubMessage::decode(answer).ok()?
    else {
        return None;
    };
    let fits = speaker.saying(&[HAS], |said| voucher.fits(forwarder, said));
    fits.then_some(speaker)
}
