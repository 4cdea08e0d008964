//! Caps, rates and takeovers of a hub.

use super::*;
use crate::identity::local_identity::LocalIdentity;
use ockam_actix_runtime::{route, Route};
use ring::rand::SystemRandom;

const NOW: Duration = Duration::ZERO;

const CLOCK: Tenure = Tenure(100);

fn registrant(connection: &str) -> Registrant {
    let via = Via::Connection(connection.into());
    Registrant { via, source: None, route: route![connection] }
}

/// A registrant over an accepted connection.
fn accepted(connection: &str, source: u8) -> Registrant {
    let address = std::net::Ipv4Addr::new(192, 0, 2, source);
    let source = Some(SourceAddress::of(address.into()));
    Registrant { source, ..registrant(connection) }
}

fn ledger(all: usize, per_connection: usize) -> Ledger<()> {
    Ledger::new(Caps { all, per_connection, per_source: all })
}

/// The first claim of one instance, always the same.
fn tenant(identity: &LocalIdentity) -> Tenant {
    Tenant {
        identity: identity.identity().clone(),
        instance: Instance([1; 16]),
        tenure: Tenure::NONE,
        proof: None,
        inbox: Route::new(),
    }
}

fn id(number: u8) -> ForwarderId {
    ForwarderId([number; 16])
}

#[test]
fn caps_hold_for_each_connection_and_in_all() {
    let mut ledger = ledger(3, 2);
    ledger.enter(id(1), registrant("a"), None, CLOCK, ()).unwrap();
    let second = ledger.enter(id(2), registrant("a"), None, CLOCK, ()).unwrap();
    let third = ledger.enter(id(3), registrant("a"), None, CLOCK, ());
    assert_eq!(third, Err(RegistrationRefusal::ConnectionFull.into()));
    ledger.enter(id(3), registrant("b"), None, CLOCK, ()).unwrap();
    assert_eq!(
        ledger.enter(id(4), registrant("b"), None, CLOCK, ()),
        Err(RegistrationRefusal::HubFull.into())
    );
    ledger.leave(&id(2), second.generation);
    ledger.enter(id(4), registrant("b"), None, CLOCK, ()).unwrap();
    assert_eq!(ledger.len(), 3);
}

#[test]
fn an_identity_replaces_its_forwarder_even_at_caps() {
    let mut ledger = ledger(1, 1);
    let rng = SystemRandom::new();
    let old = LocalIdentity::generate(&rng).unwrap();
    let new = old.rotated(&rng).unwrap().unwrap();
    let claim = |identity: &LocalIdentity| Some(tenant(identity));
    let first = ledger.enter(id(1), registrant("a"), claim(&old), CLOCK, ()).unwrap();
    ledger.enter(id(1), registrant("a"), claim(&old), CLOCK, ()).unwrap();
    ledger.enter(id(1), registrant("b"), claim(&new), CLOCK, ()).unwrap();
    // The end of the old forwarder does not end the new one.
    ledger.leave(&id(1), first.generation);
    assert_eq!(ledger.len(), 1);
    let back = ledger.enter(id(1), registrant("a"), claim(&old), CLOCK, ());
    assert_eq!(back, Err(RegistrationRefusal::KeyReplaced.into()));
    assert_eq!(ledger.held(&id(1), &registrant("b")), Ok(&()));
}

#[test]
fn a_random_address_is_never_replaced() {
    let mut ledger = ledger(2, 2);
    let identity = LocalIdentity::generate(&SystemRandom::new()).unwrap();
    ledger.enter(id(1), registrant("a"), None, CLOCK, ()).unwrap();
    let taken = ledger.enter(id(1), registrant("b"), Some(tenant(&identity)), CLOCK, ());
    assert_eq!(taken, Err(RegistrationRefusal::ProofWrong.into()));
}

#[test]
fn only_its_registrant_renews_or_releases_a_forwarder() {
    let mut ledger = ledger(2, 2);
    ledger.enter(id(1), registrant("a"), None, CLOCK, ()).unwrap();
    let other_route = Registrant { route: route!["a", "b"], ..registrant("a") };
    for other in [registrant("b"), other_route] {
        assert_eq!(ledger.held(&id(1), &other), Err(RegistrationRefusal::NoForwarder));
        assert_eq!(ledger.release(&id(1), &other), Err(RegistrationRefusal::NoForwarder));
    }
    assert_eq!(ledger.release(&id(1), &registrant("a")), Ok(true));
    // What is asked for has come about already.
    assert_eq!(ledger.release(&id(1), &registrant("a")), Ok(false));
    assert_eq!(ledger.held(&id(1), &registrant("a")), Err(RegistrationRefusal::NoForwarder));
}

#[test]
fn only_the_connection_asking_too_often_waits() {
    let mut ledger = ledger(1, 1);
    let (a, b) = (registrant("a"), registrant("b"));
    for _ in 0..CONNECTION_REQUESTS.burst {
        ledger.spend(&a, NOW).unwrap();
    }
    assert_eq!(ledger.spend(&a, NOW), Err(RegistrationRefusal::TooOften));
    assert_eq!(ledger.spend(&b, NOW), Ok(()));
    let later = NOW + Duration::from_secs(1);
    let passed = (0..100).filter(|_| ledger.spend(&a, later).is_ok()).count();
    assert_eq!(passed, CONNECTION_REQUESTS.per_second as usize);
}

#[test]
fn connections_of_one_source_share_its_request_rate() {
    let mut ledger = ledger(1, 1);
    let connections = SOURCE_REQUESTS.burst + 100;
    let ask = |ledger: &mut Ledger<()>, number: u32, now| {
        ledger.spend(&accepted(&number.to_string(), 1), now)
    };
    let passed = (0..connections).filter(|number| ask(&mut ledger, *number, NOW).is_ok());
    assert_eq!(passed.count(), SOURCE_REQUESTS.burst as usize);
    assert_eq!(ask(&mut ledger, connections, NOW), Err(RegistrationRefusal::SourceTooOften));
    // Two sources may share a bucket by chance, but three others do not all share it.
    assert!((2..5).any(|source| ledger.spend(&accepted("other", source), NOW).is_ok()));
    let later = NOW + Duration::from_secs(1);
    let passed = (0..connections).filter(|number| ask(&mut ledger, *number, later).is_ok());
    assert_eq!(passed.count(), SOURCE_REQUESTS.per_second as usize);
}

#[test]
fn connections_of_one_source_share_its_forwarder_cap() {
    let mut ledger = Ledger::new(Caps { all: 10, per_connection: 2, per_source: 3 });
    for number in 1..4 {
        let connection = accepted(&number.to_string(), 1);
        ledger.enter(id(number), connection, None, CLOCK, ()).unwrap();
    }
    let fourth = ledger.enter(id(4), accepted("4", 1), None, CLOCK, ());
    assert_eq!(fourth, Err(RegistrationRefusal::SourceFull.into()));
    ledger.enter(id(4), accepted("5", 2), None, CLOCK, ()).unwrap();
    ledger.release(&id(1), &accepted("1", 1)).unwrap();
    ledger.enter(id(5), accepted("6", 1), None, CLOCK, ()).unwrap();
    for number in 2..6 {
        let holder = ledger.holdings[&id(number)].registrant.clone();
        ledger.release(&id(number), &holder).unwrap();
    }
    assert!(ledger.by_source.is_empty());
}

#[test]
fn quiet_connections_without_a_forwarder_are_forgotten() {
    let mut ledger = ledger(1, 1);
    ledger.enter(id(1), registrant("holder"), None, CLOCK, ()).unwrap();
    for number in 0..10 * CONNECTIONS_BEFORE_SWEEP {
        let now = Duration::from_secs(number as u64);
        ledger.spend(&registrant(&number.to_string()), now).unwrap();
    }
    assert!(ledger.connections.len() <= CONNECTIONS_BEFORE_SWEEP);
    assert_eq!(ledger.held(&id(1), &registrant("holder")), Ok(&()));
}

#[test]
fn instances_elsewhere_are_displaced_in_turn() {
    let identity = LocalIdentity::generate(&SystemRandom::new()).unwrap();
    let (mut ledger, at) = (ledger(1, 1), registrant("a"));
    ledger.enter(id(1), at.clone(), Some(tenant(&identity)), CLOCK, ()).unwrap();
    let [first, made_up] = [7, 8].map(|number| Instance([number; 16]));
    for other in [first, made_up, made_up] {
        assert_eq!(ledger.contest(&id(1), other), None);
    }
    assert_eq!(ledger.contested(&id(1)), Some(first));
    let tenure = ledger.tenure_of(&id(1)).unwrap();
    let proof = Box::new(Displacement {
        id: id(1),
        displaced: first,
        tenure,
        nonce: [0; 32],
        destination: route!["listener"],
        signature: [0; 64],
        identity: Vec::new(),
    });
    let claimed = Tenant { tenure, proof: Some(proof.clone()), ..tenant(&identity) };
    assert!(ledger.confirm(&id(1), &at, &claimed));
    assert_eq!(ledger.contest(&id(1), first), Some(proof));
    assert_eq!(ledger.contest(&id(1), made_up), None);
    assert_eq!(ledger.contested(&id(1)), Some(made_up));
}
