//! Keys that are replaced: the new one is accepted at once, the old one never again.

use std::time::Duration;

use ockam_actix_runtime::{route, Error, Host};
use ockam_actix_workers::{
    identity::{
        known_identities::{HistoryFile, KnownIdentities},
        policy::TrustContext,
        vault::file::Secret,
        MAX_CHANGES,
    },
    Entity, SecureChannel, SecureChannels, TrustEveryonePolicy, TrustIdentifierPolicy, Vault,
};

use crate::support::{quick, run, to, Echo, Peer, DEADLINE, SERVICE};

/// The error of a rejected channel.
async fn rejection(channel: &SecureChannel) -> String {
    let rejected = channel.established_within(DEADLINE).await.unwrap_err();
    assert!(matches!(rejected, Error::Peer { .. }), "{rejected}");
    rejected.to_string()
}

/// The entity as it was before a rotation, on a node of its own: a thief of the old key.
async fn thief(of: &Peer) -> Peer {
    let mut thief = Peer::start(1).await;
    thief.entity = Entity::new(&thief.ctx, of.entity.local_identity()).with_limits(quick());
    thief
}

#[test]
fn pinned_channels_survive_the_rotation_of_either_end() {
    run(async {
        let (mut client, mut server) = (Peer::start(2).await, Peer::start(2).await);
        let (own, other) = (client.identifier(), server.identifier());
        let policy = TrustIdentifierPolicy::new(own);
        server.entity.create_secure_channel_listener(SERVICE, policy).unwrap();
        Echo::start(&server.node, "echo");
        let port = server.listen(0).await;
        let pinned = || TrustIdentifierPolicy::new(other);
        let first = client.entity.create_secure_channel(to(port), pinned()).unwrap();
        assert_eq!(first.established_within(DEADLINE).await.unwrap(), other);
        let mut first_hop = client.node.first_hop(&route![&first, "echo"]).unwrap();
        for keys in 2..4 {
            assert_eq!(server.entity.rotate().unwrap().key_count(), keys);
            assert_eq!(client.entity.rotate().unwrap().key_count(), keys);
            let channel = client.entity.create_secure_channel(to(port), pinned()).unwrap();
            assert_eq!(channel.established_within(DEADLINE).await.unwrap(), other);
            // The session with the old keys ends, and another one takes its place.
            first_hop.lost(keys as u64 - 2).await;
            first_hop.up().await;
            for channel in [&first, &channel] {
                let text = String::from("hi");
                let answer =
                    client.ctx.ask(route![channel, "echo"], text).reply_as::<String>().await;
                assert_eq!(answer.unwrap(), String::from("hi"));
            }
            let known = |peer: &Peer, of| {
                peer.node.extension(KnownIdentities::default).history_of(&of).unwrap().key_count()
            };
            assert_eq!((known(&server, own), known(&client, other)), (keys, keys));
        }
        assert_eq!((client.identifier(), server.identifier()), (own, other));
    });
}

#[test]
fn a_responder_refuses_an_initiators_replaced_key() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        let policy = TrustIdentifierPolicy::new(client.identifier());
        server.entity.create_secure_channel_listener(SERVICE, policy).unwrap();
        let echo = Echo::start(&server.node, "echo");
        let port = server.listen(0).await;
        let mut thief = thief(&client).await;
        client.entity.rotate().unwrap();
        let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        let stolen = thief.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        rejection(&stolen).await;
        assert_eq!(server.node.extension(KnownIdentities::default).refusals(), 1);
        let refused =
            thief.ctx.ask(route![&stolen, "echo"], String::from("x")).reply_as::<String>().await;
        assert!(matches!(refused, Err(Error::Undeliverable(_))), "{refused:?}");
        assert!(echo.texts().is_empty());
    });
}

#[test]
fn an_initiator_refuses_a_responders_replaced_key() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        let mut thief = thief(&server).await;
        server.entity.rotate().unwrap();
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        thief.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let pinned = || TrustIdentifierPolicy::new(server.identifier());
        let honest = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(honest, pinned()).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        let false_route = to(thief.listen(0).await);
        let channel = client.entity.create_secure_channel(false_route, pinned()).unwrap();
        let why = rejection(&channel).await;
        assert!(why.contains("its key was replaced") && why.contains("1 keys, and 2"), "{why}");
    });
}

#[test]
fn a_fork_of_a_known_history_is_refused() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let key = Secret::key_file(directory.path().join("key"));
        let path = |name: &str| directory.path().join(name);
        let vault = Vault::open(path("one"), &key).unwrap();
        let id = vault.create_identity("web").unwrap();
        std::fs::copy(path("one"), path("other")).unwrap();
        let stolen = Vault::open(path("other"), &key).unwrap();
        let server = Peer::start(1).await;
        let mut one = Entity::open(&server.ctx, &vault, "web").unwrap().with_limits(quick());
        let thief = Peer::start(1).await;
        let mut other = Entity::open(&thief.ctx, &stolen, "web").unwrap().with_limits(quick());
        one.rotate().unwrap();
        other.rotate().unwrap();
        one.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        other.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let mut client = Peer::start(1).await;
        let pinned = || TrustIdentifierPolicy::new(id);
        let honest = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(honest.clone(), pinned()).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        let forked = to(thief.listen(0).await);
        let channel = client.entity.create_secure_channel(forked, pinned()).unwrap();
        let why = rejection(&channel).await;
        assert!(why.contains("exclude each other"), "{why}");
        // Which of them is the thief's is not known, so the other one stays out, too.
        let again = client.entity.create_secure_channel(honest, pinned()).unwrap();
        let why = rejection(&again).await;
        assert!(why.contains("exclude each other"), "{why}");
    });
}

#[test]
fn vaults_keep_what_is_known_over_restarts() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let key = Secret::key_file(directory.path().join("key"));
        let path = directory.path().join("vault");
        let restarted = || async {
            let vault = Vault::open(&path, &key).unwrap();
            let server = Peer::start(1).await;
            let mut entity = Entity::open_or_create(&server.ctx, &vault, "web").unwrap();
            entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
            let port = server.listen(0).await;
            (server, port)
        };
        let (server, port) = restarted().await;
        let mut client = Peer::start(1).await;
        let mut thief = thief(&client).await;
        client.entity.rotate().unwrap();
        let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        let end = std::time::Instant::now() + DEADLINE;
        let kept = || HistoryFile::open(HistoryFile::path_beside(&path)).unwrap();
        while kept().entries().count() == 0 {
            assert!(std::time::Instant::now() < end, "the history is in the file");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.node.stop().await;
        let (_server, port) = restarted().await;
        let stolen = thief.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        let why = rejection(&stolen).await;
        assert!(why.contains("does not trust"), "{why}");
        let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
    });
}

#[test]
fn channels_work_with_an_identity_of_sixteen_keys() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        let id = server.identifier();
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        for keys in 2..=MAX_CHANGES {
            assert_eq!(server.entity.rotate().unwrap().key_count(), keys);
        }
        let full = server.entity.rotate().unwrap_err().to_string();
        assert!(full.contains("create a new identity"), "{full}");
        let route = to(server.listen(0).await);
        let all_keys = move |context: &TrustContext| {
            context.identity.as_ref().is_some_and(|identity| identity.key_count() == MAX_CHANGES)
        };
        let channel = client.entity.create_secure_channel(route, all_keys).unwrap();
        assert_eq!(channel.established_within(DEADLINE).await.unwrap(), id);
    });
}

#[test]
fn renewing_an_open_channel_shows_the_new_key() {
    run(async {
        let mut limits = quick();
        limits.keys_due_after = Duration::from_millis(200);
        limits.renewal_pause = Duration::ZERO;
        let mut client = Peer::with_limits(1, limits.clone()).await;
        let mut server = Peer::with_limits(1, limits).await;
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let echo = Echo::start(&server.node, "echo");
        let route = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        let first_hop = client.node.first_hop(&route![&channel, "echo"]).unwrap();
        server.entity.rotate().unwrap();
        client.entity.rotate().unwrap();
        let known = || {
            let known = server.node.extension(KnownIdentities::default);
            known.history_of(&client.identifier()).is_some()
        };
        let end = std::time::Instant::now() + DEADLINE;
        while !known() {
            assert!(std::time::Instant::now() < end, "the channel was renewed");
            let text = String::from("still here");
            let _: String =
                client.ctx.ask(route![&channel, "echo"], text).reply_as().await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(echo.peers().iter().all(|peer| *peer == Some(client.identifier())));
        assert_eq!(first_hop.state().epoch, 0, "its session went on with the new key");
    });
}

#[test]
fn an_entity_without_a_vault_does_not_rotate() {
    run(async {
        let peer = Peer::start(1).await;
        let mut entity = Entity::new(&peer.ctx, peer.entity.local_identity());
        assert!(entity.rotate().unwrap_err().to_string().contains("no vault"));
    });
}
