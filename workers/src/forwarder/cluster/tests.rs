//! What a hub believes of others: a hub that knows no more than the hash of an address decides
//! nothing about it.

use std::{
    future::{ready, Future},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use ockam_actix_runtime::{
    clock::since_1970, lock::Lock, route, Address, Error, Host as _, NodeBuilder, Result,
};

use super::{
    bus::{Accept, Bus, Receive},
    claims::{LocalClaims, SharedClaim, Speaker, Standing},
    key::{ForwarderKey, Voucher},
    lookups::hub_of,
    member::Member,
    message::{answer_to, HubMessage, Said},
    stand_in::StandIn,
};
use crate::{
    echoer::Echoer,
    forwarder::protocol::{
        claim::{ForwarderId, Instance, Tenure},
        displacement::Displacement,
    },
    identity::local_identity::LocalIdentity,
};

const ID: ForwarderId = ForwarderId([1; 16]);

/// The examples of `docs/protocol.md`.
pub(crate) fn worked_example() -> Vec<(&'static str, Vec<u8>)> {
    let own = LocalIdentity::dangerous_from_fixed_secrets([3; 32], [4; 32]).identifier();
    let speaker = Speaker { at: "tcp#hub-a:4000".into(), identity: own };
    let id = ForwarderId([7; 16]);
    let (key, clock) = (ForwarderKey::from(&id), 1_795_000_000_000 << 16 | 0x60ed);
    let standing = Standing { keys: 1, tenure: Tenure(clock), instance: Instance([7; 16]) };
    let claim = SharedClaim::new(&speaker, &id.address(), standing).unwrap();
    let nonce = [6; 8];
    let voucher =
        speaker.with_voucher_input(&answer_to(nonce), |input| Voucher::new(&id.address(), input));
    let said = [
        ("cluster find", Said::Find { key, nonce }),
        ("cluster has", Said::Has { voucher }),
        ("cluster there", Said::There { clock, claims_sent: 5 }),
        ("cluster claims", Said::Claims(vec![claim])),
    ];
    let written = |(name, said)| {
        let message = HubMessage { speaker: speaker.clone(), said };
        (name, message.encode().to_vec())
    };
    said.into_iter().map(written).collect()
}

/// Keeps what was said.
#[derive(Clone, Default)]
struct Heard(Arc<Lock<Vec<Said>>>);

impl Bus for Heard {
    fn listen(&self, _: Receive) {}

    fn publish(&self, message: Bytes) {
        self.0.lock().push(HubMessage::decode(&message).unwrap().said);
    }

    fn ask(&self, _: Bytes, _: Accept) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send>> {
        Box::pin(ready(None))
    }
}

/// One registration, and whom it was to displace.
#[derive(Default)]
struct One(Lock<Vec<Instance>>);

impl LocalClaims for One {
    fn standing(&self, id: &ForwarderId) -> Option<Standing> {
        (*id == ID).then(|| standing(5, 5))
    }

    fn contest(&self, _: &ForwarderId, other: Instance) -> Option<Box<Displacement>> {
        self.0.lock().push(other);
        None
    }

    fn displace(&self, _: Box<Displacement>) {
        panic!("nobody has proved anything");
    }

    fn all(&self) -> Vec<ForwarderId> {
        vec![ID]
    }
}

fn standing(tenure: u64, instance: u8) -> Standing {
    Standing { keys: 1, tenure: Tenure(tenure), instance: Instance([instance; 16]) }
}

/// That of a hub whose clock is so many minutes ahead.
fn tenure(minutes: u64) -> Tenure {
    let time = since_1970() + Duration::from_secs(60 * minutes);
    Tenure(u64::try_from(time.as_millis()).unwrap() << 16)
}

fn identity(number: u8) -> LocalIdentity {
    LocalIdentity::dangerous_from_fixed_secrets([number; 32], [number; 32])
}

fn speaker(number: u8) -> Speaker {
    let identity = identity(number).identifier();
    Speaker { at: format!("tcp#hub-{number}:4000").into(), identity }
}

struct Tested {
    member: Member,
    one: Arc<One>,
    heard: Heard,
}

impl Tested {
    /// Another hub says something.
    fn hear(&self, said: Said) -> Option<Bytes> {
        self.member.handle(&HubMessage { speaker: speaker(2), said }.encode())
    }

    /// Another hub has a claim, and knows the address, or only its key.
    fn hear_claim(&self, standing: Standing, knows: bool) {
        let known = if knows { ID } else { ForwarderId([9; 16]) };
        let mut claim = SharedClaim::new(&speaker(2), &known.address(), standing).unwrap();
        claim.key = ForwarderKey::from(&ID);
        self.hear(Said::Claims(vec![claim]));
    }

    /// How often a hub's clock was said to be wrong.
    fn clocks_blamed(&self) -> u64 {
        self.member.node().refusals().by("cluster-clock")
    }

    fn contested(&self) -> Vec<Instance> {
        std::mem::take(&mut *self.one.0.lock())
    }
}

fn test(test: impl FnOnce(Tested)) {
    actix_rt::System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let (heard, one) = (Heard::default(), Arc::<One>::default());
        let own = speaker(1);
        let bus = Box::new(heard.clone());
        let member = Member::new(node.unheld(), own.at, identity(1), bus);
        member.share(one.clone());
        member.hold(ID, &[ID.address()]);
        test(Tested { member, one, heard });
        node.stop().await;
    });
}

#[test]
fn only_who_knows_the_address_contests_it() {
    test(|tested| {
        tested.hear_claim(standing(4, 4), false);
        assert!(tested.contested().is_empty());
        tested.hear_claim(standing(4, 4), true);
        assert_eq!(tested.contested(), [Instance([4; 16])]);
        // The same program, and a newer one: there is nothing to displace.
        tested.hear_claim(standing(4, 5), true);
        tested.hear_claim(standing(6, 6), true);
        assert!(tested.contested().is_empty());
        // What another hub has said, with a name that is not its own.
        let claim = SharedClaim::new(&speaker(3), &ID.address(), standing(4, 4)).unwrap();
        tested.hear(Said::Claims(vec![claim]));
        assert!(tested.contested().is_empty());
    });
}

#[test]
fn proofs_that_are_none_displace_nothing() {
    test(|tested| {
        for proof in [vec![1], vec![0x96; 40]] {
            tested.hear(Said::Displaced { key: ForwarderKey::from(&ID), proof });
        }
        assert!(tested.heard.0.lock().is_empty());
    });
}

#[test]
fn an_answer_needs_the_address() {
    test(|tested| {
        let (own, nonce) = (ID.address(), [6; 8]);
        let asked = tested.hear(Said::Find { key: ForwarderKey::from(&ID), nonce }).unwrap();
        assert_eq!(hub_of(&asked, &own, nonce), Some(speaker(1)));
        assert_eq!(hub_of(&asked, &ForwarderId([2; 16]).address(), nonce), None);
        assert_eq!(hub_of(&asked, &own, [7; 8]), None);
        let key = ForwarderKey([7; 16]);
        assert_eq!(tested.hear(Said::Find { key, nonce }), None);
        // The voucher of another hub, or for something else.
        let voucher =
            speaker(1).with_voucher_input(&answer_to(nonce), |input| Voucher::new(&own, input));
        let stolen = HubMessage { speaker: speaker(2), said: Said::Has { voucher } };
        assert_eq!(hub_of(&stolen.encode(), &own, nonce), None);
    });
}

#[test]
fn tenures_follow_the_clocks_of_others() {
    test(|tested| {
        let (first, second) = (tested.member.next_tenure(), tested.member.next_tenure());
        assert!(first < second && second < tenure(9));
        tested.hear(Said::There { clock: tenure(10).0, claims_sent: 0 });
        assert!((tenure(9)..tenure(11)).contains(&tested.member.next_tenure()));
        // A hub that lies about its clock moves nobody's.
        tested.hear(Said::There { clock: tenure(70).0, claims_sent: 0 });
        assert!((tenure(9)..tenure(11)).contains(&tested.member.next_tenure()));
        assert_eq!(tested.clocks_blamed(), 1);
        tested.hear_claim(standing(tenure(20).0, 6), true);
        assert!((tenure(19)..tenure(21)).contains(&tested.member.next_tenure()));
    });
}

#[test]
fn a_made_up_tenure_blames_no_clock() {
    test(|tested| {
        let made_up = [tenure(10).0, tenure(50).0, u64::MAX];
        let claims = made_up.map(|tenure| {
            SharedClaim::new(&speaker(2), &ID.address(), standing(tenure, 6)).unwrap()
        });
        tested.hear(Said::Claims(claims.to_vec()));
        assert_eq!(tested.clocks_blamed(), 0);
        // Of a hub that runs ahead, and none further than what others follow in turn.
        assert!((tenure(9)..tenure(11)).contains(&tested.member.next_tenure()));
    });
}

#[test]
fn a_hub_hears_nothing_from_itself() {
    test(|tested| {
        let own = speaker(1);
        let claim = SharedClaim::new(&own, &ID.address(), standing(4, 4)).unwrap();
        let said = Said::Claims(vec![claim]);
        tested.member.handle(&HubMessage { speaker: own, said }.encode());
        assert!(tested.contested().is_empty());
    });
}

/// Begins a stand-in at `address` of this hub, whose messages go to the worker `hub`.
fn stand_in(member: &Member, address: &Address) -> Result<()> {
    let key = ForwarderKey::exactly(address).unwrap();
    let first_hop = member.node().first_hop(&route!["hub"])?;
    let stand_in = StandIn::new(member.node().clone(), address, first_hop, 0);
    member.stand_ins.begin(key, address, stand_in, || member.is_here(address))
}

#[test]
fn no_stand_in_begins_where_a_forwarder_is() {
    test(|tested| {
        let member = &tested.member;
        Echoer::start(member.node(), "hub").unwrap();
        // It is noted, and not registered yet.
        stand_in(member, &ID.address()).unwrap_err();
        assert!(!member.node().is_registered(&ID.address()));
        member.let_go(&[ForwarderKey::from(&ID)]);
        stand_in(member, &ID.address()).unwrap();
        assert!(member.node().is_registered(&ID.address()));
        member.hold(ID, &[ID.address()]);
        assert!(!member.node().is_registered(&ID.address()));
    });
}

#[test]
fn addresses_of_stand_ins_are_free_at_once() {
    test(|tested| {
        let (member, own) = (&tested.member, ForwarderId([2; 16]));
        let (key, addresses) = (ForwarderKey::from(&own), [own.address()]);
        let address = &addresses[0];
        Echoer::start(member.node(), "hub").unwrap();
        stand_in(member, address).unwrap();
        let taken = Echoer::start(member.node(), address.clone()).unwrap_err();
        assert!(matches!(taken, Error::AddressInUse(_)), "{taken}");
        // No task has run in between.
        member.stand_ins.end(&key, &"hub".into());
        stand_in(member, address).unwrap();
        member.hold(own, &addresses);
        Echoer::start(member.node(), address.clone()).unwrap();
    });
}
