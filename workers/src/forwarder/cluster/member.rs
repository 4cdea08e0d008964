//! One hub of a cluster: what it knows, and what it does about what the others say.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use ockam_actix_runtime::{
    clock::{since_1970, Instant},
    lock::Lock,
    Address, Identifier, Node,
};
use tokio::{sync::Mutex, time::sleep};

use crate::{
    forwarder::{
        cluster::{
            bus::Bus,
            claims::{LocalClaims, SharedClaim, Speaker},
            held::HeldForwarders,
            hubs::Hubs,
            key::{ForwarderKey, Voucher},
            message::{answer_to, HubMessage, Said},
            stand_in::StandIns,
            strays::Waiting,
            tenure_clock::TenureClock,
            voice::Voice,
        },
        limits::CLAIMS_PAUSE,
        protocol::{
            claim::{ForwarderId, Tenure},
            displacement::Displacement,
        },
    },
    identity::local_identity::LocalIdentity,
};

/// The epoch of the connection to another hub on which this one is a member there.
pub(super) type Introduced = Arc<Mutex<Option<u64>>>;

/// What the parts of one hub's membership share.
pub(super) struct Member {
    pub(super) node: Node,
    pub(super) identity: LocalIdentity,
    /// What it says.
    pub(super) voice: Voice,
    began: Instant,

    /// Whom it hears.
    hubs: Lock<Hubs>,
    clock: TenureClock,

    /// What it has.
    held: HeldForwarders,
    /// Those of the forwarding service that was started last.
    claims: Lock<Option<Arc<dyn LocalClaims>>>,

    /// What it looks for.
    pub(super) waiting: Lock<Waiting>,
    pub(super) stand_ins: StandIns,
    /// Where this hub is a member, by the address at which the other one is dialled.
    pub(super) introduced: Lock<HashMap<Address, Introduced>>,
}

impl Member {
    /// The hub that others dial at `at`.
    pub(super) fn new(node: Node, at: Address, identity: LocalIdentity, bus: Box<dyn Bus>) -> Self {
        let own = Speaker { at, identity: identity.identifier() };
        Self {
            node,
            clock: TenureClock::of(&own.identity),
            voice: Voice::new(own, bus),
            identity,
            began: Instant::now(),
            hubs: Lock::default(),
            held: HeldForwarders::default(),
            claims: Lock::default(),
            waiting: Lock::default(),
            stand_ins: StandIns::default(),
            introduced: Lock::default(),
        }
    }

    /// The node, which this does not keep running.
    pub(super) const fn node(&self) -> &Node {
        &self.node
    }

    /// This hub.
    pub(super) const fn own(&self) -> &Speaker {
        &self.voice.own
    }

    /// The time since this hub joined.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// From now on, these claims are compared with those of other hubs, which are told of those
    /// that there are already.
    pub(super) fn share(&self, claims: Arc<dyn LocalClaims>) {
        *self.claims.lock() = Some(claims);
        self.voice.queue_all();
    }

    fn claims(&self) -> Option<Arc<dyn LocalClaims>> {
        self.claims.lock().clone()
    }

    /// Notes a forwarder of this hub; no stand-in has or gets its addresses from now on. The first
    /// one is without its identity. Returns their keys.
    pub(super) fn hold(&self, id: ForwarderId, addresses: &[Address]) -> Vec<ForwarderKey> {
        let keys = self.held.hold(id, addresses);
        self.stand_ins.give_way(addresses);
        keys
    }

    /// A forwarder has ended; the others are told, unless it was registered again.
    pub(super) fn let_go(&self, keys: &[ForwarderKey]) {
        // The first one stands for all of its addresses.
        if let Some(key) = self.held.let_go(keys) {
            self.voice.say(Said::Gone { key });
        }
    }

    /// The forwarder of this hub that has an address with that key.
    pub(super) fn held(&self, key: &ForwarderKey) -> Option<ForwarderId> {
        self.held.id_at(key)
    }

    /// Whether a forwarder of this hub has exactly that address.
    pub(super) fn is_here(&self, address: &Address) -> bool {
        ForwarderKey::exactly(address).is_some_and(|key| self.held(&key).is_some())
    }

    /// Whether a hub with that identity is heard on the bus.
    pub(super) fn hears(&self, identity: &Identifier) -> bool {
        self.hubs.lock().has(identity, self.now())
    }

    /// A tenure for a registration now, higher than all that were heard of.
    pub(super) fn next_tenure(&self) -> Tenure {
        self.clock.next(since_1970())
    }

    /// Another hub says which tenure it would give.
    fn hear_clock(&self, reading: u64, hub: &Speaker) {
        if !self.clock.follow(reading, since_1970()) {
            let what = format_args!(
                "the clock of the hub {} is more than an hour ahead: programs that register there \
                 may keep their addresses from later ones",
                hub.at
            );
            self.node.refusals().warn("cluster-clock", what);
        }
    }

    /// Handles what another hub says; returns the answer, if there is one.
    pub(super) fn handle(&self, bytes: &[u8]) -> Option<Bytes> {
        let HubMessage { speaker, said } = match HubMessage::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                let what = format_args!("a hub of the cluster said what it must not: {error}");
                self.node.refusals().warn("cluster-protocol", what);
                return None;
            }
        };
        // Some buses let a hub hear itself.
        if speaker == *self.own() {
            return None;
        }
        if self.hubs.lock().hear(&speaker, &said, self.now()) {
            self.voice.queue_all();
        }
        match said {
            Said::Find { key, nonce } => {
                let forwarder = self.held(&key)?.address();
                let voucher = self
                    .own()
                    .with_voucher_input(&answer_to(nonce), |input| Voucher::new(&forwarder, input));
                return Some(self.voice.message(Said::Has { voucher }));
            }
            Said::Gone { key } => self.stand_ins.end(&key, &speaker.at),
            Said::There { clock, .. } => self.hear_clock(clock, &speaker),
            Said::Claims(claims) => {
                let tenures = claims.iter().map(|claim| claim.standing.tenure);
                self.clock.follow_registrations(tenures, since_1970());
                claims.iter().for_each(|claim| self.compare(&speaker, claim));
            }
            Said::Displaced { key, proof } => self.displace(&key, &proof),
            Said::Has { .. } => {}
        }
        None
    }

    /// Compares another hub's claim with this one's, if there is one to the same address.
    fn compare(&self, hub: &Speaker, theirs: &SharedClaim) {
        let Some((claims, id)) = self.claims().zip(self.held(&theirs.key)) else { return };
        let Some(own) = claims.standing(&id) else { return };
        // One program may register at several hubs.
        if own.instance == theirs.standing.instance {
            return;
        }
        if !theirs.is_vouched(hub, &id.address()) {
            let what = format_args!("the hub {} claims an address that it does not know", hub.at);
            return self.node.refusals().warn("cluster-claim", what);
        }
        if own < theirs.standing {
            // So that the other one knows whom to displace.
            return self.voice.queue(id);
        }
        if let Some(proof) = claims.contest(&id, theirs.standing.instance) {
            self.voice.say(Said::Displaced { key: theirs.key, proof: proof.encode_proof() });
        }
    }

    /// Another hub shows that a claim there displaces one here.
    fn displace(&self, key: &ForwarderKey, proof: &[u8]) {
        let Some((claims, id)) = self.claims().zip(self.held(key)) else { return };
        match Displacement::decode_proof(id, proof) {
            Ok(proof) => claims.displace(Box::new(proof)),
            Err(error) => {
                let what = format_args!("a hub of the cluster said what it must not: {error}");
                self.node.refusals().warn("cluster-protocol", what);
            }
        }
    }

    /// Says what is due, until the node stops.
    pub(super) async fn speak(member: Weak<Self>) {
        loop {
            let Some(own) = member.upgrade() else { return };
            let (pause, wake) = (own.say_what_is_due(), own.voice.wake());
            drop(own);
            tokio::select! {
                biased;
                () = sleep(pause) => {}
                // What follows at once goes into the same message.
                () = wake.notified() => sleep(CLAIMS_PAUSE).await,
            }
        }
    }

    /// Says what is due now; returns how long there is nothing more to say.
    fn say_what_is_due(&self) -> Duration {
        let claims = self.claims();
        let all = || claims.as_ref().map(|claims| claims.all()).unwrap_or_default();
        let due = self.voice.due(self.now(), all);
        if due.there {
            self.voice.say_there(self.clock.reading(since_1970()));
        }
        let claim = |id: &ForwarderId| {
            let standing = claims.as_ref()?.standing(id)?;
            SharedClaim::new(self.own(), &id.address(), standing)
        };
        self.voice.say_claims(due.claims.iter().filter_map(claim).collect());
        due.pause
    }
}
