//! The file of invitations, and whom it has trusted.

use std::os::unix::fs::PermissionsExt;

use ockam_actix_runtime::lock::Lock;

use super::*;
use crate::{
    forwarder::ServiceAddress,
    invitation::{Clients, Place},
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const ALICE: Identifier = Identifier::from_bytes([1; 32]);
const BOB: Identifier = Identifier::from_bytes([2; 32]);

fn outlet() -> InvitingOutlet {
    let service = ServiceAddress::new(Identifier::from_bytes([9; 32]), "web").unwrap();
    let clients = Clients::default();
    InvitingOutlet { service, place: Place::Hub("tcp#hub:4000".into()), clients }
}

/// A trust file, and the invitations beside it without their thread.
struct Outlet {
    directory: tempfile::TempDir,
    invitations: Invitations,
    follower: Lock<Follower>,
}

impl Outlet {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::restart(directory)
    }

    fn restart(directory: tempfile::TempDir) -> Self {
        let trusted = TrustFile::open(directory.path().join("trusted")).unwrap();
        let file = InvitationFile::beside(trusted.path()).unwrap();
        let ledger = SharedLock::new(Arc::new(file.read().unwrap()));
        let (claims, waiting) = sync_channel(WAITING_CLAIMS);
        let state = Arc::new(State { file, trusted, ledger, claims });
        let state_of_thread = Arc::downgrade(&state);
        let follower = Lock::new(Follower { state: state_of_thread, waiting, seen: None });
        let invitations = Invitations(state);
        invitations.note(&outlet()).unwrap();
        let outlet = Self { directory, invitations, follower };
        outlet.look();
        outlet
    }

    fn look(&self) {
        self.follower.lock().look(&self.invitations.0);
    }

    fn invite(&self) -> Invitation {
        let file = InvitationFile::beside(self.directory.path().join("trusted")).unwrap();
        let invitation = file.invite(outlet(), "laptop", HOUR).unwrap();
        self.look();
        invitation
    }

    /// What a handshake of `peer` with this invitation ends with, and the thread's work after it.
    fn shows(&self, invitation: &Invitation, peer: Identifier) -> Decision {
        let key = invitation.key();
        let shown = self.invitations.shown_by(&key.tag(b"message"), b"message");
        let Some(Shown::Good(secret, found)) = shown else { return Decision::reject("none") };
        assert_eq!(found, key);
        let trusted = self.invitations.0.trusted.policy();
        let policy = self.invitations.policy(secret, trusted);
        let decision = policy.check(&TrustContext::new(BOB, peer));
        let claim = self.follower.lock().waiting.try_recv();
        if let Ok((secret, by)) = claim {
            self.invitations.0.admit(&secret, &by).unwrap();
            self.look();
        }
        decision
    }
}

#[test]
fn an_invited_identity_is_trusted_the_second_time() {
    let outlet = Outlet::start();
    let invitation: Invitation = outlet.invite().to_string().parse().unwrap();
    let is_admission = |decision| match decision {
        Decision::Rejected(rejection) => rejection.is_admission(),
        Decision::Trusted => false,
    };
    assert!(is_admission(outlet.shows(&invitation, ALICE)));
    assert!(outlet.shows(&invitation, ALICE).is_trusted());
    let other = outlet.shows(&invitation, BOB);
    assert!(!other.is_trusted() && !is_admission(other));
    let list = outlet.invitations.0.trusted.list();
    assert_eq!((list.len(), list.name_of(&ALICE)), (1, Some("laptop")));
}

#[test]
fn who_was_taken_out_does_not_come_back() {
    let outlet = Outlet::start();
    let invitation = outlet.invite();
    assert!(!outlet.shows(&invitation, ALICE).is_trusted());
    fs::write(outlet.directory.path().join("trusted"), "# nobody\n").unwrap();
    let outlet = Outlet::restart(outlet.directory);
    for _ in 0..3 {
        assert!(!outlet.shows(&invitation, ALICE).is_trusted());
    }
    assert!(outlet.invitations.0.trusted.list().is_empty());
}

#[test]
fn a_claim_lasts_over_a_crash() {
    let outlet = Outlet::start();
    let invitation = outlet.invite();
    let claim = |ledger: &mut Ledger| Ok(ledger.claim(&invitation.secret, &ALICE, now()));
    outlet.invitations.0.file.change(claim).unwrap();
    let outlet = Outlet::restart(outlet.directory);
    for _ in 0..2 {
        assert!(!outlet.shows(&invitation, BOB).is_trusted());
    }
    assert!(!outlet.shows(&invitation, ALICE).is_trusted());
    assert!(outlet.shows(&invitation, ALICE).is_trusted());
    assert!(!outlet.invitations.0.trusted.list().contains(&BOB));
}

#[test]
fn withdrawn_and_wrong_invitations_are_none() {
    let outlet = Outlet::start();
    let invitation = outlet.invite();
    let other = Outlet::start().invite();
    let shown = |invitation: &Invitation| {
        let tag = invitation.key().tag(b"message");
        outlet.invitations.shown_by(&tag, b"message").is_some()
    };
    assert!(shown(&invitation) && !shown(&other));
    assert_eq!(outlet.invitations.0.file.withdraw().unwrap(), 1);
    outlet.look();
    assert!(!shown(&invitation));
}

#[test]
fn the_file_is_for_its_owner_alone() {
    let outlet = Outlet::start();
    outlet.invite();
    let path = outlet.directory.path().join("trusted.invitations");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(outlet.invitations.0.file.read().is_err());
}

#[test]
fn invitations_need_an_outlet_name_and_time() {
    let directory = tempfile::tempdir().unwrap();
    let file = InvitationFile::beside(directory.path().join("trusted")).unwrap();
    assert!(file.outlet(None).unwrap_err().to_string().contains("ockam outlet"));
    let said = |name, lasting| file.invite(outlet(), name, lasting).unwrap_err().to_string();
    assert!(said("a b", HOUR).contains("cannot name"));
    assert!(said("laptop", Duration::ZERO).contains("a week"));
    assert!(said("laptop", 2 * LONGEST_VALIDITY).contains("a week"));
    assert!(!directory.path().join("trusted.invitations").exists());
}
