//! Which histories are refused, how room is made, and what lasts.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{table::Table, *};
use crate::identity::{
    key_history::KeyHistory, local_identity::LocalIdentity, policy::TrustEveryonePolicy,
};
use ockam_actix_runtime::{trust::source::SourceAddress, NodeBuilder};
use ring::rand::SystemRandom;

fn new() -> LocalIdentity {
    LocalIdentity::generate(&SystemRandom::new()).unwrap()
}

fn rotated(identity: &LocalIdentity) -> LocalIdentity {
    identity.rotated(&SystemRandom::new()).unwrap().unwrap()
}

fn meet(known: &KnownIdentities, identity: &LocalIdentity) -> Result<(), KeyRefused> {
    known.meet(identity.identity())
}

fn source(number: u8) -> MetBy {
    MetBy::Source(SourceAddress::of(std::net::Ipv4Addr::new(192, 0, 2, number).into()))
}

#[test]
fn longer_histories_are_remembered_and_shorter_ones_refused() {
    let known = KnownIdentities::default();
    let first = new();
    let second = rotated(&first);
    let third = rotated(&second);
    for identity in [&first, &first, &second, &second, &third] {
        assert_eq!(meet(&known, identity), Ok(()));
    }
    for (shown, identity) in [(1, &first), (2, &second)] {
        let refused = Err(KeyRefused::Replaced { shown, known: 3 });
        assert_eq!(meet(&known, identity), refused);
        assert_eq!(known.check(identity.identity()), refused);
    }
    assert_eq!(meet(&known, &third), Ok(()));
    assert_eq!(known.refusals(), 2);
}

#[test]
fn histories_that_fork_are_both_refused() {
    let known = KnownIdentities::default();
    let first = new();
    let (one, other) = (rotated(&first), rotated(&first));
    meet(&known, &one).unwrap();
    let told = Arc::new(Lock::new(0));
    let telling = told.clone();
    known.on_change(move |_| *telling.lock() += 1);
    for refused in [&other, &one, &first, &rotated(&other), &rotated(&one)] {
        assert_eq!(meet(&known, refused), Err(KeyRefused::Forked));
    }
    assert_eq!(*told.lock(), 1, "more is known once");
    assert!(matches!(known.known(&first.identifier()), Some(KnownHistory::Forked(..))));
}

#[test]
fn an_accepted_history_is_continued_but_not_forked() {
    let first = new();
    let (one, other) = (rotated(&first), rotated(&first));
    let mut table = Table::default();
    let accepted = KnownHistory::Accepted(KeyHistory::of(one.identity()));
    table.add(vec![(accepted, MetBy::Name)], true);
    let mut meet = |identity: &LocalIdentity| table.meet(identity.identity(), MetBy::Anyone);
    let next = rotated(&one);
    assert_eq!(meet(&other).result, Err(KeyRefused::Forked));
    let met = [&one, &next].map(|identity| meet(identity).result);
    assert_eq!(met, [Ok(()), Ok(())]);
    assert_eq!(meet(&one).result, Err(KeyRefused::Replaced { shown: 2, known: 3 }));
    assert_eq!(meet(&rotated(&other)).result, Err(KeyRefused::Forked));
    assert!(!meet(&next).is_news);
}

#[test]
fn a_stranger_pushes_out_his_own_only() {
    let mut table = Table::default();
    let (named, quiet) = (rotated(&new()), rotated(&new()));
    table.meet(named.identity(), MetBy::Name);
    table.meet(quiet.identity(), source(1));
    table.meet(new().identity(), source(2));
    assert_eq!(table.len(), 2, "an identity of one key takes no room");
    for _ in 0..MAX_KNOWN + 10 {
        table.meet(rotated(&new()).identity(), source(2));
    }
    assert_eq!(table.len(), MAX_KNOWN);
    for kept in [&named, &quiet] {
        assert!(table.known(&kept.identifier()).is_some());
    }
}

#[test]
fn the_file_reads_as_it_was_written() {
    let first = new();
    let (one, other) = (rotated(&first), rotated(&first));
    let [a, b, c] = [&one, &other, &first].map(|one| KeyHistory::of(one.identity()));
    let entries = vec![
        (KnownHistory::Forked(a.clone(), b), MetBy::Name),
        (KnownHistory::Longest(KeyHistory::of(rotated(&new()).identity())), MetBy::Kept),
        (KnownHistory::Accepted(c), MetBy::Name),
    ];
    let bytes = codec::encode(&entries);
    assert_eq!(codec::decode(&bytes), Some(entries));
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert_eq!(codec::decode(&damaged), None, "byte {at}");
        assert_eq!(codec::decode(&bytes[..at]), None, "cut to {at}");
    }
}

/// Another run of a program with the same file.
struct Run {
    node: Node,
    known: Arc<KnownIdentities>,
}

async fn run(path: &Path) -> Run {
    let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
    HistoryFile::open(path).unwrap().keep_for(&node);
    let known = node.extension(KnownIdentities::default);
    Run { node, known }
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("known");
    (directory, path)
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "waited until {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn in_file(path: &Path, identity: &LocalIdentity) -> Option<KnownHistory> {
    let file = HistoryFile::open(path).unwrap();
    let mut entries = file.entries().cloned();
    entries.find(|known| known.identifier() == identity.identifier())
}

#[test]
fn replaced_and_forked_histories_stay_refused_after_restarts() {
    let (_directory, path) = scratch();
    let (old, first) = (new(), new());
    let replacing = rotated(&old);
    let (one, other) = (rotated(&first), rotated(&first));
    actix_rt::System::new().block_on(async {
        let Run { node, known } = run(&path).await;
        for identity in [&replacing, &one] {
            meet(&known, identity).unwrap();
        }
        assert_eq!(meet(&known, &other), Err(KeyRefused::Forked));
        let forked = || matches!(in_file(&path, &first), Some(KnownHistory::Forked(..)));
        until("the fork is in the file", forked);
        node.stop().await;
        let Run { known, .. } = run(&path).await;
        let refused = Err(KeyRefused::Replaced { shown: 1, known: 2 });
        assert_eq!(meet(&known, &old), refused);
        assert_eq!(meet(&known, &replacing), Ok(()));
        for branch in [&one, &other] {
            assert_eq!(meet(&known, branch), Err(KeyRefused::Forked));
        }
    });
}

#[test]
fn the_operators_decision_reaches_running_programs() {
    let (_directory, path) = scratch();
    let (first, forgotten) = (new(), new());
    let (one, other) = (rotated(&first), rotated(&first));
    let longer = rotated(&forgotten);
    actix_rt::System::new().block_on(async {
        let Run { known, .. } = run(&path).await;
        for identity in [&one, &longer] {
            meet(&known, identity).unwrap();
        }
        meet(&known, &other).unwrap_err();
        let forked = || matches!(in_file(&path, &first), Some(KnownHistory::Forked(..)));
        until("the fork is in the file", forked);
        HistoryFile::accept(&path, other.identity()).unwrap();
        assert!(HistoryFile::forget(&path, &forgotten.identifier()).unwrap());
        assert!(!HistoryFile::forget(&path, &forgotten.identifier()).unwrap());
        until("the program knows", || known.check(other.identity()).is_ok());
        assert_eq!(meet(&known, &one), Err(KeyRefused::Forked));
        assert_eq!(meet(&known, &other), Ok(()));
        assert_eq!(meet(&known, &forgotten), Ok(()));
    });
}

#[test]
fn two_programs_add_to_one_file() {
    let (_directory, path) = scratch();
    let (of_one, of_other, first) = (rotated(&new()), rotated(&new()), new());
    let (branch, fork) = (rotated(&first), rotated(&first));
    actix_rt::System::new().block_on(async {
        let (one, other) = (run(&path).await, run(&path).await);
        for identity in [&of_one, &branch] {
            meet(&one.known, identity).unwrap();
        }
        for identity in [&of_other, &fork] {
            meet(&other.known, identity).unwrap();
        }
        for run in [&one, &other] {
            let knows = || {
                let met = [&of_one, &of_other].map(|of| run.known.known(&of.identifier()));
                met.iter().all(Option::is_some)
                    && run.known.check(branch.identity()) == Err(KeyRefused::Forked)
            };
            until("each knows what the other has met", knows);
        }
    });
}

#[test]
fn a_damaged_file_is_put_aside() {
    let (directory, path) = scratch();
    let identity = rotated(&new());
    actix_rt::System::new().block_on(async {
        let Run { node, known } = run(&path).await;
        meet(&known, &identity).unwrap();
        until("it is in the file", || in_file(&path, &identity).is_some());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, &bytes).unwrap();
        // A running program writes what it knows again, and a new one begins anew.
        until("it is in the file again", || in_file(&path, &identity).is_some());
        node.stop().await;
    });
    fs::write(&path, b"damaged").unwrap();
    assert_eq!(HistoryFile::open(&path).unwrap().entries().count(), 0);
    assert!(directory.path().join("known.damaged").exists());
}

#[test]
fn who_looks_leaves_a_damaged_file() {
    let (_directory, path) = scratch();
    assert!(!HistoryFile::is_damaged(&path).unwrap(), "there is none");
    let file = fs::File::create(&path).unwrap();
    file.set_permissions(Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, b"damaged").unwrap();
    assert!(HistoryFile::is_damaged(&path).unwrap() && path.exists());
}

#[test]
fn who_the_policy_refuses_is_not_remembered() {
    let known = Arc::new(KnownIdentities::default());
    let identity = rotated(&new());
    let context = TrustContext::of(new().identifier(), identity.identity().clone());
    let nobody = |_: &TrustContext| false;
    let refusing = WithHistory::new(Arc::new(nobody), known.clone());
    assert!(!refusing.check(&context).is_trusted());
    assert_eq!(known.history_of(&identity.identifier()), None);
    let trusting = WithHistory::new(Arc::new(TrustEveryonePolicy), known.clone());
    assert!(trusting.check(&context).is_trusted() && trusting.trusts_everyone());
    assert!(known.history_of(&identity.identifier()).is_some());
}
