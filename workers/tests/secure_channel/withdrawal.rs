//! Trust that is withdrawn ends the sessions that it admitted, at both ends. Their streams go on
//! only in a session that is admitted anew.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Duration,
};

use ockam_actix_runtime::{edge::first_hop::FirstHop, route, Error, Host, Identifier};
use ockam_actix_workers::{
    identity::policy::TrustContext,
    portal::{limits::RESUME_FOR, Inlet, InletOptions, Outlet, OutletOptions},
    Entity, SecureChannel, SecureChannels, TrustEveryonePolicy, TrustIdentifierPolicy,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::support::{quick, run, to, until, Echo, Peer, DEADLINE, SERVICE};

const NOBODY: Identifier = Identifier::from_bytes([0; 32]);

/// A channel from one node to another, without any message under way.
struct Pair {
    client: Peer,
    server: Peer,
    channel: SecureChannel,
    first_hop: FirstHop,
    port: u16,
    /// The server's workers before the first connection.
    before: usize,
}

impl Pair {
    async fn open() -> Self {
        let (mut client, mut server) = (Peer::start(2).await, Peer::start(2).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let port = server.listen(0).await;
        let before = server.node.worker_count();
        let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        let first_hop = client.node.first_hop(&route![&channel, "echo"]).unwrap();
        Self { client, server, channel, first_hop, port, before }
    }

    async fn is_lost(&mut self) {
        timeout(DEADLINE, self.first_hop.lost(0)).await.expect("the session ends");
    }

    /// Waits until both ends have refused or closed everything but the connection.
    async fn is_refused(&self) {
        let refused = self.channel.established_within(DEADLINE).await.unwrap_err();
        assert!(matches!(refused, Error::Peer { .. }), "{refused}");
        until("the server keeps the connection alone", || {
            self.server.node.worker_count() == self.before + 1
        })
        .await;
    }
}

/// The entity as it was before a rotation, on a node of its own: a thief of the old key.
async fn thief(of: &Peer) -> Peer {
    let mut thief = Peer::start(1).await;
    thief.entity = Entity::new(&thief.ctx, of.entity.local_identity()).with_limits(quick());
    thief
}

#[test]
fn a_listeners_new_policy_ends_refused_sessions() {
    run(async {
        let (mut client, mut other) = (Peer::start(1).await, Peer::start(1).await);
        let mut server = Peer::start(2).await;
        let listener =
            server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        Echo::start(&server.node, "echo");
        let route = to(server.listen(0).await);
        let kept = other.entity.create_secure_channel(route.clone(), TrustEveryonePolicy).unwrap();
        let ended = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        kept.established_within(DEADLINE).await.unwrap();
        ended.established_within(DEADLINE).await.unwrap();
        let mut first_hop = client.node.first_hop(&route![&ended, "echo"]).unwrap();
        let kept_hop = other.node.first_hop(&route![&kept, "echo"]).unwrap();
        listener.replace_policy(TrustIdentifierPolicy::new(other.identifier()));
        timeout(DEADLINE, first_hop.lost(0)).await.expect("the refused session ends");
        let refused = ended.established_within(DEADLINE).await.unwrap_err();
        assert!(refused.to_string().contains("does not trust"), "{refused}");
        let text = String::from("still trusted");
        let answer: String =
            other.ctx.ask(route![&kept, "echo"], text.clone()).reply_as().await.unwrap();
        assert_eq!((answer, kept_hop.state().epoch), (text, 0));
    });
}

#[test]
fn a_channels_new_policy_ends_its_session() {
    run(async {
        let mut pair = Pair::open().await;
        pair.channel.replace_policy(TrustIdentifierPolicy::new(NOBODY));
        pair.is_lost().await;
        pair.is_refused().await;
    });
}

#[test]
fn rechecking_ends_what_a_changed_policy_refuses() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        let is_trusted = Arc::new(AtomicBool::new(true));
        let asked = is_trusted.clone();
        let policy = move |_: &TrustContext| asked.load(Ordering::SeqCst);
        server.entity.create_secure_channel_listener(SERVICE, policy).unwrap();
        let route = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        assert_eq!(server.entity.recheck_channels(), 0);
        is_trusted.store(false, Ordering::SeqCst);
        assert_eq!(server.entity.recheck_channels(), 1);
        assert_eq!(server.entity.recheck_channels(), 0, "it has ended");
        until("the client is refused", || channel.peer().is_none()).await;
        channel.established_within(DEADLINE).await.unwrap_err();
    });
}

#[test]
fn close_channels_ends_one_identitys_sessions_alone() {
    run(async {
        let mut pair = Pair::open().await;
        let peer = pair.client.identifier();
        assert_eq!(pair.server.entity.close_channels(&NOBODY), 0);
        assert_eq!(pair.first_hop.state().epoch, 0);
        assert_eq!(pair.server.entity.close_channels(&peer), 1);
        pair.is_lost().await;
        // Nothing but the session was withdrawn.
        pair.channel.established_within(DEADLINE).await.unwrap();
        let peer = pair.server.identifier();
        assert_eq!(pair.client.entity.close_channels(&peer), 1);
        timeout(DEADLINE, pair.first_hop.lost(1)).await.expect("the second session ends too");
    });
}

#[test]
fn a_longer_history_ends_a_thiefs_idle_session() {
    run(async {
        let mut pair = Pair::open().await;
        let mut thief = thief(&pair.client).await;
        let stolen = thief.entity.create_secure_channel(to(pair.port), TrustEveryonePolicy);
        let stolen = stolen.unwrap();
        stolen.established_within(DEADLINE).await.unwrap();
        let mut first_hop = thief.node.first_hop(&route![&stolen, "echo"]).unwrap();
        pair.client.entity.rotate().unwrap();
        let renewed =
            pair.client.entity.create_secure_channel(to(pair.port), TrustEveryonePolicy).unwrap();
        renewed.established_within(DEADLINE).await.unwrap();
        timeout(DEADLINE, first_hop.lost(0)).await.expect("the thief's session ends");
        let refused = stolen.established_within(DEADLINE).await.unwrap_err();
        assert!(matches!(refused, Error::Peer { .. }), "{refused}");
    });
}

#[test]
fn a_longer_history_ends_sessions_with_false_responders() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        let mut thief = thief(&server).await;
        thief.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let stolen = to(thief.listen(0).await);
        let stolen = client.entity.create_secure_channel(stolen, TrustEveryonePolicy).unwrap();
        stolen.established_within(DEADLINE).await.unwrap();
        let mut first_hop = client.node.first_hop(&route![&stolen, "echo"]).unwrap();
        server.entity.rotate().unwrap();
        let honest = to(server.listen(0).await);
        let honest = client.entity.create_secure_channel(honest, TrustEveryonePolicy).unwrap();
        honest.established_within(DEADLINE).await.unwrap();
        timeout(DEADLINE, first_hop.lost(0)).await.expect("the thief's session ends");
        let refused = stolen.established_within(DEADLINE).await.unwrap_err().to_string();
        assert!(refused.contains("its key was replaced"), "{refused}");
    });
}

/// A stream of a pair, which outlives its path for `limit`: its client, and the target's end.
async fn stream(pair: &Pair, limit: Duration) -> (TcpStream, TcpStream) {
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to_target = target.local_addr().unwrap().to_string();
    let options = OutletOptions::to(to_target).resume_for(limit);
    Outlet::start(&pair.server.node, "outlet", options).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = InletOptions::along(route![&pair.channel, "outlet"]).resume_for(limit);
    let inlet = Inlet::start(&pair.client.node, listener, options).unwrap();
    let client = TcpStream::connect(inlet.address()).await.unwrap();
    let accepted = timeout(DEADLINE, target.accept()).await.expect("the target is connected");
    (client, accepted.unwrap().0)
}

/// A byte from the client arrives.
async fn carries((client, served): &mut (TcpStream, TcpStream)) {
    client.write_all(b"x").await.unwrap();
    let read = timeout(DEADLINE, served.read(&mut [0])).await.expect("the byte arrives");
    assert_eq!(read.unwrap(), 1);
}

#[test]
fn streams_end_with_the_trust_in_their_peer() {
    run(async {
        for limit in [Duration::ZERO, Duration::from_millis(500)] {
            let pair = Pair::open().await;
            let mut ends = stream(&pair, limit).await;
            carries(&mut ends).await;
            pair.channel.replace_policy(TrustIdentifierPolicy::new(NOBODY));
            for end in [&mut ends.0, &mut ends.1] {
                let read = timeout(DEADLINE, end.read(&mut [0])).await.expect("the stream ends");
                assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
            }
        }
    });
}

#[test]
fn streams_go_on_in_a_session_admitted_anew() {
    run(async {
        let mut pair = Pair::open().await;
        let mut ends = stream(&pair, RESUME_FOR).await;
        carries(&mut ends).await;
        pair.server.entity.close_channels(&pair.client.identifier());
        pair.is_lost().await;
        carries(&mut ends).await;
    });
}
