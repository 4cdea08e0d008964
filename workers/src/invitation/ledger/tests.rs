//! The ledger: one invitation is good for one identity, once, and until it expires.

use proptest::prelude::*;

use super::*;

const ALICE: Identifier = Identifier::from_bytes([1; 32]);
const BOB: Identifier = Identifier::from_bytes([2; 32]);
const FIRST: InvitationSecret = InvitationSecret([1; SECRET]);
const SECOND: InvitationSecret = InvitationSecret([2; SECRET]);

fn granted() -> Claim {
    Claim::Granted("laptop".into())
}

fn invited() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.invite(FIRST, 100, "laptop", 0).unwrap();
    ledger
}

fn outlet(name: &str, byte: u8) -> InvitingOutlet {
    let service = ServiceAddress::new(Identifier::from_bytes([byte; 32]), name).unwrap();
    let clients = Clients::ALL[usize::from(byte) % 3];
    InvitingOutlet { service, place: Place::Hub("tcp#hub:4000".into()), clients }
}

#[test]
fn the_first_identity_has_an_invitation() {
    let mut ledger = invited();
    assert_eq!(ledger.claim(&FIRST, &ALICE, 1), granted());
    assert_eq!(ledger.claim(&FIRST, &BOB, 1), Claim::Taken(ALICE));
    // It may come again as long as it is not trusted.
    assert_eq!(ledger.claim(&FIRST, &ALICE, 2), granted());
    ledger.admitted(&FIRST, &ALICE);
    assert_eq!(ledger.claim(&FIRST, &ALICE, 3), Claim::WasAdmitted);
    assert_eq!(ledger.claim(&FIRST, &BOB, 3), Claim::Taken(ALICE));
    assert_eq!(ledger.claim(&SECOND, &ALICE, 3), Claim::Unknown);
}

#[test]
fn nothing_is_granted_after_the_expiry() {
    let mut ledger = invited();
    assert_eq!(ledger.clone().claim(&FIRST, &ALICE, 99), granted());
    assert_eq!(ledger.claim(&FIRST, &ALICE, 100), Claim::Expired);
    let is_expired = |now| ledger.find(now, |key| *key == FIRST.key()).unwrap().2;
    assert!(!is_expired(99) && is_expired(100));
    assert!(ledger.find(0, |key| *key == SECOND.key()).is_none());
}

#[test]
fn old_invitations_make_room_for_new_ones() {
    let mut ledger = invited();
    for number in 1..MAX_INVITATIONS {
        let secret = InvitationSecret([u8::try_from(number).unwrap() + 1; SECRET]);
        ledger.invite(secret, 200, "other", 50).unwrap();
    }
    let last = InvitationSecret([0xff; SECRET]);
    assert_eq!(ledger.invite(last.clone(), 300, "last", 99), Err(LedgerError::Full));
    ledger.invite(last.clone(), 300, "last", 100).unwrap();
    assert_eq!(ledger.claim(&FIRST, &ALICE, 100), Claim::Unknown);
    ledger.claim(&last, &ALICE, 101);
    assert_eq!(ledger.withdraw(), MAX_INVITATIONS - 1);
    assert_eq!(ledger.claim(&last, &BOB, 101), Claim::Taken(ALICE));
}

#[test]
fn the_outlet_is_the_only_one_or_chosen() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.outlet(None), Err(LedgerError::NoOutlet));
    let (web, database) = (outlet("web", 1), outlet("database", 1));
    assert!(ledger.note(&web) && !ledger.note(&web));
    assert_eq!(ledger.outlet(None), Ok(&web));
    assert!(matches!(ledger.outlet(Some("none")), Err(LedgerError::NoSuchService(..))));
    ledger.note(&database);
    assert!(matches!(ledger.outlet(None), Err(LedgerError::Several(_))));
    assert_eq!(ledger.outlet(Some("web")), Ok(&web));
    let moved = InvitingOutlet { place: Place::Node("tcp#here:1".into()), ..web };
    assert!(ledger.note(&moved));
    assert_eq!(ledger.outlet(Some("web")), Ok(&moved));
}

#[test]
fn what_clients_speak_is_kept() {
    for clients in Clients::ALL {
        for place in [Place::Hub("tcp#hub:4000".into()), Place::Node("tcp#here:1".into())] {
            let mut ledger = Ledger::default();
            ledger.note(&InvitingOutlet { place, clients, ..outlet("web", 1) });
            assert_eq!(Ledger::parse(&ledger.to_string()), Ok(ledger));
        }
    }
}

#[test]
fn lines_that_are_none_are_named() {
    for (text, line) in [
        ("# x\n\nguest", 3),
        ("invitation 12 100 laptop open", 1),
        ("outlet I12 hub tcp#hub:4000 web", 1),
        (&format!("\noutlet {ALICE} hub outlet web"), 2),
        (&format!("invitation {} 100 laptop claimed", "5e".repeat(SECRET)), 1),
    ] {
        assert_eq!(Ledger::parse(text), Err(LedgerError::Line(line)), "{text}");
    }
}

/// What can happen to a ledger.
#[derive(Clone, Debug)]
enum Step {
    Invite(u64),
    Claim(u8, u8),
    Admit,
    Withdraw,
    Restart,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1_u64..50).prop_map(Step::Invite),
        (0_u8..3, 0_u8..4).prop_map(|(secret, by)| Step::Claim(secret, by)),
        (0_u8..3, 0_u8..4).prop_map(|(secret, by)| Step::Claim(secret, by)),
        Just(Step::Admit),
        Just(Step::Withdraw),
        Just(Step::Restart),
        (0_u64..30).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn an_invitation_is_granted_to_one_identity(steps in steps()) {
        let (mut ledger, mut now) = (Ledger::default(), 0);
        let mut made: Vec<(InvitationSecret, u64)> = Vec::new();
        // Who was granted each of them, and for whom that is to be written down.
        let mut owners: Vec<Option<Identifier>> = Vec::new();
        let mut last = None;
        for step in steps {
            match step {
                Step::Invite(lasts) => {
                    let number = u8::try_from(made.len()).unwrap();
                    let secret = InvitationSecret([number; SECRET]);
                    ledger.invite(secret.clone(), now + lasts, "laptop", now).unwrap();
                    made.push((secret, now + lasts));
                    owners.push(None);
                }
                Step::Claim(which, by) if usize::from(which) < made.len() => {
                    let which = made.len() - 1 - usize::from(which);
                    let ((secret, expires), by) = (&made[which], Identifier::from_bytes([by; 32]));
                    if ledger.claim(secret, &by, now) == granted() {
                        prop_assert!(now < *expires);
                        prop_assert_eq!(*owners[which].get_or_insert(by), by);
                        last = Some((secret.clone(), by));
                    }
                }
                Step::Admit => if let Some((secret, by)) = last.take() {
                    ledger.admitted(&secret, &by);
                    prop_assert_ne!(ledger.claim(&secret, &by, now), granted());
                }
                Step::Restart => ledger = Ledger::parse(&ledger.to_string()).unwrap(),
                Step::Withdraw => drop(ledger.withdraw()),
                Step::Wait(time) => now += time,
                Step::Claim(..) => {}
            }
        }
        prop_assert_eq!(Ledger::parse(&ledger.to_string()), Ok(ledger));
    }

    #[test]
    fn any_text_is_a_ledger_or_an_error(
        text in "((outlet|invitation|#|open) ?[a-z0-9#: ]{0,40}\n?){0,4}"
    ) {
        if let Ok(ledger) = Ledger::parse(&text) {
            prop_assert_eq!(Ledger::parse(&ledger.to_string()), Ok(ledger));
        }
    }
}
