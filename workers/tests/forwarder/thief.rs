//! Who has a key that an identity has replaced, at hubs that were restarted and at others.

use std::path::Path;

use ockam_actix_runtime::{route, Address, Class, Node};
use ockam_actix_workers::{
    forwarder::{
        protocol::{
            claim::{ForwarderId, Salt},
            refusal::RegistrationRefusal,
            Answer, Request,
        },
        ForwardingOptions,
    },
    identity::{
        known_identities::{HistoryFile, KnownHistory},
        local_identity::LocalIdentity,
        vault::Vault,
    },
};

use crate::support::*;

const SALT: Salt = Salt([7; 16]);

/// A hub that keeps what it knows.
async fn keeping_hub(arbiters: usize, file: &Path) -> (Node, Address) {
    let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
    HistoryFile::open(file).unwrap().keep_for(&hub);
    (hub, at)
}

/// Somebody who claims the same address again and again, each time over a new connection.
async fn claim(
    arbiters: usize,
    at: &Address,
    identity: &LocalIdentity,
) -> (Raw, Result<ForwarderId, RegistrationRefusal>) {
    let raw = Raw { node: node(arbiters).await, hub: route![at] };
    let claimed = raw.claim("listener", identity, SALT, identity).await;
    (raw, claimed)
}

/// An identity with its first key, and two that each continued it in a vault of its own.
fn stolen() -> (LocalIdentity, LocalIdentity, LocalIdentity) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let key = ockam_actix_workers::identity::vault::file::Secret::key_file(path("key"));
    let identifier = Vault::open(path("own"), &key).unwrap().create_identity("web").unwrap();
    std::fs::copy(path("own"), path("copy")).unwrap();
    let vaults = ["own", "copy"].map(|name| Vault::open(path(name), &key).unwrap());
    let first = vaults[0].local_identity(&identifier).unwrap();
    let [own, fork] = vaults.map(|vault| {
        vault.rotate(&identifier).unwrap();
        vault.local_identity(&identifier).unwrap()
    });
    (first, own, fork)
}

async fn kept(file: &Path, is_kept: impl Fn(&KnownHistory) -> bool) {
    until("it is in the file", || HistoryFile::open(file).unwrap().entries().any(&is_kept)).await;
}

#[test]
fn a_replaced_key_gets_no_address_meanwhile() {
    with_arbiters(|arbiters| async move {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("known");
        let (hub, at) = keeping_hub(arbiters, &file).await;
        let (old, new, _) = stolen();
        // The thief was there first, and is not renewed once the owner has come.
        let (thief, claimed) = claim(arbiters, &at, &old).await;
        let id = claimed.unwrap();
        let (owner, claimed) = claim(arbiters, &at, &new).await;
        assert_eq!(claimed, Ok(id));
        let elsewhere = Salt([8; 16]);
        let refused = thief.claim("listener", &old, elsewhere, &old).await;
        assert_eq!(refused, Err(RegistrationRefusal::KeyReplaced));
        // The owner's connection is gone.
        owner.node.stop().await;
        until("the forwarder is gone", || of_class(&hub, Class::Forwarder).is_empty()).await;
        let (_thief, claimed) = claim(arbiters, &at, &old).await;
        assert_eq!(claimed, Err(RegistrationRefusal::KeyReplaced));
        // So is the hub, and another one with the same file has met nobody yet.
        kept(&file, |known| known.identifier() == old.identifier()).await;
        hub.stop().await;
        let (_hub, at) = keeping_hub(arbiters, &file).await;
        let (_thief, claimed) = claim(arbiters, &at, &old).await;
        assert_eq!(claimed, Err(RegistrationRefusal::KeyReplaced));
        let (_owner, claimed) = claim(arbiters, &at, &new).await;
        assert_eq!(claimed, Ok(id));
    });
}

#[test]
fn forwarders_of_a_replaced_key_are_not_renewed() {
    with_arbiters(|arbiters| async move {
        let (_hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (old, new, _) = stolen();
        let (thief, claimed) = claim(arbiters, &at, &old).await;
        let owner = Raw { node: node(arbiters).await, hub: route![&at] };
        // At another address, so that it replaces nothing.
        owner.claim("listener", &new, Salt([8; 16]), &new).await.unwrap();
        let renewed = thief.ask(Request::Renew(claimed.unwrap())).await;
        assert_eq!(granted(renewed), Err(RegistrationRefusal::KeyReplaced));
        let gone = thief.ask(Request::Renew(claimed.unwrap())).await;
        assert!(matches!(gone, Answer::Refused { refusal: RegistrationRefusal::NoForwarder, .. }));
    });
}

#[test]
fn forked_branches_are_refused_until_one_is_accepted() {
    with_arbiters(|arbiters| async move {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("known");
        let (hub, at) = keeping_hub(arbiters, &file).await;
        let (_, own, fork) = stolen();
        // The thief's fork is met first.
        let (thief, claimed) = claim(arbiters, &at, &fork).await;
        let (_owner, refused) = claim(arbiters, &at, &own).await;
        assert_eq!(refused, Err(RegistrationRefusal::Forked));
        let renewed = thief.ask(Request::Renew(claimed.unwrap())).await;
        assert_eq!(granted(renewed), Err(RegistrationRefusal::Forked));
        kept(&file, |known| matches!(known, KnownHistory::Forked(..))).await;
        hub.stop().await;
        let (hub, at) = keeping_hub(arbiters, &file).await;
        for branch in [&own, &fork] {
            let (_claimant, claimed) = claim(arbiters, &at, branch).await;
            assert_eq!(claimed, Err(RegistrationRefusal::Forked));
        }
        assert_eq!(hub.refusals().by(RegistrationRefusal::Forked.rule()), 2);
        HistoryFile::accept(&file, own.identity()).unwrap();
        hub.stop().await;
        let (_hub, at) = keeping_hub(arbiters, &file).await;
        let (_thief, claimed) = claim(arbiters, &at, &fork).await;
        assert_eq!(claimed, Err(RegistrationRefusal::Forked));
        let (_owner, claimed) = claim(arbiters, &at, &own).await;
        assert!(claimed.is_ok());
    });
}
