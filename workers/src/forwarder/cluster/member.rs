//! One hub of a cluster: the forwarders that it has, what it says and what it answers.

use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Weak,
    },
    time::Duration,
};

use bytes::Bytes;
use ockam_actix_runtime::{
    clock::{since_1970, Instant},
    lock::Lock,
    Address, Identifier, Node,
};
use tokio::{
    sync::{Mutex, Notify},
    time::sleep,
};

use crate::{
    forwarder::{
        cluster::{
            bus::{Bus, Receive},
            claims::{Registrations, SharedClaim, Speaker},
            hubs::Hubs,
            key::{ForwarderKey, Voucher},
            message::{answer_to, HubMessage, Said},
            rounds::Rounds,
            stand_in::StandIns,
            strays::Waiting,
        },
        limits::{CLAIMS_PAUSE, MAX_CLOCK_AHEAD, MAX_TENURE_AHEAD},
        protocol::{
            claim::{ForwarderId, Tenure},
            displacement::Displacement,
        },
    },
    identity::local_identity::LocalIdentity,
};

/// Bits of a tenure, the last ones, that are a hub's own.
const TAG_BITS: u32 = 16;

/// The epoch of the connection to another hub on which this one is a member there.
pub(super) type Introduced = Arc<Mutex<Option<u64>>>;

/// What the parts of one hub's membership share.
pub(super) struct Member {
    pub(super) node: Node,
    /// This hub.
    own: Speaker,
    pub(super) identity: LocalIdentity,
    /// Where this hub is a member, by the address at which the other one is dialled.
    pub(super) introduced: Lock<HashMap<Address, Introduced>>,
    pub(super) bus: Box<dyn Bus>,
    held: Lock<HashMap<ForwarderKey, Held>>,
    pub(super) waiting: Lock<Waiting>,
    pub(super) stand_ins: StandIns,
    /// Those of the forwarding service that was started last.
    registrations: Lock<Option<Arc<dyn Registrations>>>,
    hubs: Lock<Hubs>,
    rounds: Lock<Rounds>,
    wake: Arc<Notify>,
    began: Instant,
    /// The highest tenure that this hub has given or heard of.
    clock: AtomicU64,
    /// Messages with claims that this hub has sent.
    told: AtomicU64,
}

/// A forwarder of this hub. One that is registered again is here twice for a moment.
struct Held {
    id: ForwarderId,
    count: usize,
}

impl Member {
    /// The hub that others dial at `at`.
    pub(super) fn new(node: Node, at: Address, identity: LocalIdentity, bus: Box<dyn Bus>) -> Self {
        Self {
            node,
            own: Speaker { at, identity: identity.identifier() },
            identity,
            introduced: Lock::default(),
            bus,
            held: Lock::default(),
            waiting: Lock::default(),
            stand_ins: StandIns::default(),
            registrations: Lock::default(),
            hubs: Lock::default(),
            rounds: Lock::default(),
            wake: Arc::default(),
            began: Instant::now(),
            clock: AtomicU64::new(0),
            told: AtomicU64::new(0),
        }
    }

    /// The node, which this does not keep running.
    pub(super) const fn node(&self) -> &Node {
        &self.node
    }

    /// This hub.
    pub(super) const fn own(&self) -> &Speaker {
        &self.own
    }

    /// The time since this hub joined.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Has `receive` get what the other hubs say.
    pub(super) fn listen(&self, receive: Receive) {
        self.bus.listen(receive);
    }

    /// From now on, these claims are compared with those of other hubs, which are told of those
    /// that there are already.
    pub(super) fn share(&self, registrations: Arc<dyn Registrations>) {
        *self.registrations.lock() = Some(registrations);
        self.tell_all();
    }

    fn registrations(&self) -> Option<Arc<dyn Registrations>> {
        self.registrations.lock().clone()
    }

    fn tell_all(&self) {
        self.rounds.lock().tell_all();
        self.wake.notify_one();
    }

    /// Notes a forwarder of this hub, whose addresses no stand-in has or gets from now on; the first
    /// one is without its identity. Returns the keys of them.
    pub(super) fn hold(&self, id: ForwarderId, addresses: &[Address]) -> Vec<ForwarderKey> {
        let keys: Vec<_> = addresses.iter().filter_map(ForwarderKey::exactly).collect();
        let mut all = self.held.lock();
        for key in &keys {
            all.entry(*key).or_insert(Held { id, count: 0 }).count += 1;
        }
        drop(all);
        self.stand_ins.give_way(addresses);
        keys
    }

    /// A forwarder has ended; the others are told, unless it was registered again.
    pub(super) fn let_go(&self, keys: &[ForwarderKey]) {
        let mut all = self.held.lock();
        let mut ends = |key: &&ForwarderKey| {
            let Some(held) = all.get_mut(*key) else { return false };
            held.count -= 1;
            held.count == 0 && all.remove(*key).is_some()
        };
        let gone: Vec<_> = keys.iter().filter(|key| ends(key)).collect();
        drop(all);
        // The first one stands for all of its addresses.
        if let Some(key) = gone.first() {
            self.say(Said::Gone { key: **key });
        }
    }

    /// The forwarder of this hub that has an address with that key.
    pub(super) fn held(&self, key: &ForwarderKey) -> Option<ForwarderId> {
        self.held.lock().get(key).map(|held| held.id)
    }

    /// Whether a forwarder of this hub has exactly that address.
    pub(super) fn is_here(&self, address: &Address) -> bool {
        ForwarderKey::exactly(address).is_some_and(|key| self.held(&key).is_some())
    }

    /// Whether a hub with that identity is heard on the bus.
    pub(super) fn hears(&self, identity: &Identifier) -> bool {
        self.hubs.lock().has(identity, self.now())
    }

    /// An identity has claimed an address here: the other hubs are to know.
    pub(super) fn claimed(&self, id: ForwarderId) {
        if self.rounds.lock().tell(id) {
            self.wake.notify_one();
        }
    }

    /// A tenure for a registration now, higher than all that were heard of: so whatever the clocks
    /// of two hubs show, of two registrations that one of them has heard of, the later one has the
    /// higher.
    pub(super) fn next_tenure(&self) -> Tenure {
        let [high, low, ..] = *self.own.identity.as_bytes();
        let now = milliseconds(since_1970());
        let next = |heard| next_tick(heard, now, [high, low]);
        let before =
            self.clock.fetch_update(Ordering::AcqRel, Ordering::Acquire, |heard| Some(next(heard)));
        // It is never an error, as there is always a next one.
        Tenure(next(before.unwrap_or_default()))
    }

    /// Another hub says which tenure it would give.
    fn hear_clock(&self, clock: u64, hub: &Speaker) {
        if clock > tick_in(MAX_CLOCK_AHEAD) {
            let what = format_args!(
                "the clock of the hub {} is more than an hour ahead: programs that register there \
                 may keep their addresses from later ones",
                hub.at
            );
            return self.node.refusals().warn("cluster-clock", what);
        }
        self.clock.fetch_max(clock, Ordering::AcqRel);
    }

    /// Another hub has registered programs with such tenures. Some hub has given each of them, or a
    /// program has made it up: so one that no clock shows says nothing about the hub.
    fn hear_tenures(&self, claims: &[SharedClaim]) {
        let most = tick_in(MAX_TENURE_AHEAD);
        let tenures = claims.iter().map(|claim| claim.standing.tenure.0);
        if let Some(highest) = tenures.filter(|tenure| *tenure <= most).max() {
            self.clock.fetch_max(highest, Ordering::AcqRel);
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
        if speaker == self.own {
            return None;
        }
        if self.hubs.lock().hear(&speaker, &said, self.now()) {
            self.tell_all();
        }
        match said {
            Said::Find { key, nonce } => {
                let forwarder = self.held(&key)?.address();
                let voucher =
                    self.own.saying(&answer_to(nonce), |said| Voucher::new(&forwarder, said));
                return Some(self.message(Said::Has { voucher }));
            }
            Said::Gone { key } => self.stand_ins.end(&key, &speaker.at),
            Said::There { clock, .. } => self.hear_clock(clock, &speaker),
            Said::Claims(claims) => {
                self.hear_tenures(&claims);
                claims.iter().for_each(|claim| self.compare(&speaker, claim));
            }
            Said::Displaced { key, proof } => self.displace(&key, &proof),
            Said::Has { .. } => {}
        }
        None
    }

    /// Compares another hub's claim with this one's, if there is one to the same address.
    fn compare(&self, hub: &Speaker, theirs: &SharedClaim) {
        let Some((registrations, id)) = self.registrations().zip(self.held(&theirs.key)) else {
            return;
        };
        let Some(own) = registrations.standing(&id) else { return };
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
            return self.claimed(id);
        }
        if let Some(proof) = registrations.contest(&id, theirs.standing.instance) {
            self.say(Said::Displaced { key: theirs.key, proof: proof.encode_proof() });
        }
    }

    /// Another hub shows that a claim there displaces one here.
    fn displace(&self, key: &ForwarderKey, proof: &[u8]) {
        let Some((registrations, id)) = self.registrations().zip(self.held(key)) else {
            return;
        };
        match Displacement::decode_proof(id, proof) {
            Ok(proof) => registrations.displace(Box::new(proof)),
            Err(error) => {
                let what = format_args!("a hub of the cluster said what it must not: {error}");
                self.node.refusals().warn("cluster-protocol", what);
            }
        }
    }

    /// Says something to all other hubs.
    pub(super) fn say(&self, said: Said) {
        self.bus.publish(self.message(said));
    }

    /// What this hub says.
    pub(super) fn message(&self, said: Said) -> Bytes {
        HubMessage { speaker: self.own.clone(), said }.encode()
    }

    /// Says what is due, until the node stops.
    pub(super) async fn speak(member: Weak<Self>) {
        loop {
            let Some(own) = member.upgrade() else { return };
            let registrations = own.registrations();
            let due = own.rounds.lock().due(own.now(), || {
                registrations.as_ref().map(|all| all.claimed()).unwrap_or_default()
            });
            if due.there {
                let now = milliseconds(since_1970()) << TAG_BITS;
                let clock = own.clock.load(Ordering::Acquire).max(now);
                own.say(Said::There { clock, told: own.told.load(Ordering::Acquire) });
            }
            let claim = |id: &ForwarderId| {
                let standing = registrations.as_ref()?.standing(id)?;
                SharedClaim::new(&own.own, &id.address(), standing)
            };
            let claims: Vec<_> = due.claims.iter().filter_map(claim).collect();
            if !claims.is_empty() {
                own.told.fetch_add(1, Ordering::AcqRel);
                own.say(Said::Claims(claims));
            }
            let wake = own.wake.clone();
            drop((own, registrations));
            tokio::select! {
                biased;
                () = sleep(due.pause) => {}
                // What follows at once goes into the same message.
                () = wake.notified() => sleep(CLAIMS_PAUSE).await,
            }
        }
    }
}

/// The first number above `heard` that ends with `tag`, and begins with `now` in milliseconds or
/// later. So no two hubs give the same, and a proof can tell which is higher.
fn next_tick(heard: u64, now: u64, tag: [u8; 2]) -> u64 {
    let tag = u64::from(u16::from_be_bytes(tag));
    let ending = |milliseconds: u64| milliseconds << TAG_BITS | tag;
    let above = heard >> TAG_BITS;
    let after = if ending(above) > heard { above } else { above + 1 };
    ending(now.max(after))
}

/// The first tenure of a hub whose clock is so far ahead of this one's.
fn tick_in(ahead: Duration) -> u64 {
    milliseconds(since_1970() + ahead) << TAG_BITS
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_grow_and_are_a_hubs_own() {
        let (one, other) = ([0, 1], [2, 0]);
        let first = next_tick(0, 100, one);
        assert_eq!(first, 100 << TAG_BITS | 1);
        assert_eq!(next_tick(first, 100, one), 101 << TAG_BITS | 1);
        assert_eq!(next_tick(first, 100, other), 100 << TAG_BITS | 0x200);
        assert_eq!(next_tick(next_tick(first, 90, other), 90, one), 101 << TAG_BITS | 1);
    }
}
