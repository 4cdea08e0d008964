//! The trust matrix: every policy against every kind of peer, with its reason.

use super::*;

const OWN: Identifier = Identifier::from_bytes([0; 32]);
const ALICE: Identifier = Identifier::from_bytes([1; 32]);
const BOB: Identifier = Identifier::from_bytes([2; 32]);
const EVE: Identifier = Identifier::from_bytes([3; 32]);

fn trusted_by(policy: &dyn TrustPolicy) -> [bool; 3] {
    [ALICE, BOB, EVE].map(|peer| policy.check(&TrustContext::new(OWN, peer)).is_trusted())
}

fn only(id: Identifier) -> TrustIdentifierPolicy {
    TrustIdentifierPolicy::new(id)
}

#[test]
fn trust_matrix() {
    let both = || TrustMultiIdentifiersPolicy::new([ALICE, BOB]);
    let nobody = || TrustMultiIdentifiersPolicy::new([]);
    let shared: Arc<dyn TrustPolicy> = Arc::new(only(ALICE));
    let boxed: Box<dyn TrustPolicy> = Box::new(only(ALICE));
    let table: [(&str, Box<dyn TrustPolicy>, [bool; 3]); 14] = [
        ("everyone", Box::new(TrustEveryonePolicy), [true, true, true]),
        ("one", Box::new(only(ALICE)), [true, false, false]),
        ("several", Box::new(both()), [true, true, false]),
        ("nobody", Box::new(nobody()), [false, false, false]),
        ("and", Box::new(both().and(only(BOB))), [false, true, false]),
        ("and of strangers", Box::new(only(ALICE).and(only(BOB))), [false, false, false]),
        ("or", Box::new(only(ALICE).or(only(EVE))), [true, false, true]),
        ("everyone and one", Box::new(TrustEveryonePolicy.and(only(EVE))), [false, false, true]),
        ("pinned", Box::new(TrustEveryonePolicy.pinned(BOB)), [false, true, false]),
        ("pinned but not trusted", Box::new(only(ALICE).pinned(BOB)), [false, false, false]),
        ("arc", Box::new(shared.and(TrustEveryonePolicy)), [true, false, false]),
        ("box", Box::new(boxed.or(only(EVE))), [true, false, true]),
        ("closure", Box::new(|context: &TrustContext| context.peer == EVE), [false, false, true]),
        (
            "closure with a reason",
            Box::new(|_: &TrustContext| Decision::reject("closed today")),
            [false; 3],
        ),
    ];
    for (name, policy, expected) in table {
        assert_eq!(trusted_by(&policy), expected, "{name}");
    }
}

#[test]
fn reasons_name_who_was_wanted_and_who_came() {
    let reason = |policy: &dyn TrustPolicy| policy.check(&TrustContext::new(OWN, EVE)).to_string();
    assert_eq!(reason(&only(ALICE)), format!("{EVE} is not the trusted identity {ALICE}"));
    let pinned = reason(&TrustEveryonePolicy.pinned(ALICE));
    assert!(pinned.contains(&format!("pins {ALICE} but {EVE} answered")), "{pinned}");
    let either = reason(&only(ALICE).or(only(BOB)));
    assert!(either.contains(&ALICE.to_string()) && either.contains(&BOB.to_string()), "{either}");
    assert_eq!(reason(&(|_: &TrustContext| false)), "the policy said no");
    assert_eq!(reason(&TrustEveryonePolicy), "trusted");
}

#[test]
fn combinators_do_not_leak_a_rejection_as_trust() {
    let strict = only(ALICE).or(only(BOB)).and(only(BOB).or(only(EVE)));
    assert_eq!(trusted_by(&strict), [false, true, false]);
}
