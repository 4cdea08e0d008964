//! Channels that are established, and the messages that go through them.

use ockam_actix_runtime::{route, Class, Error, Host, Route};
use ockam_actix_workers::{secure_channel::ChannelListeners, SecureChannels, TrustEveryonePolicy};

use crate::support::{honest, run, tcp, to, until, Echo, Middle, Peer, DEADLINE, SERVICE};

async fn echo_through_a_channel(arbiters: usize) {
    let (mut client, mut server) = (Peer::start(arbiters).await, Peer::start(arbiters).await);
    server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
    let echo = Echo::start(&server.node, "echo");
    let port = server.listen(0).await;
    let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
    for number in 0..100 {
        let text = format!("message {number}");
        let answer: String =
            client.ctx.ask(route![&channel, "echo"], text.clone()).reply_as().await.unwrap();
        assert_eq!(answer, text);
    }
    assert_eq!(channel.peer(), Some(server.identifier()));
    assert_eq!(channel.established().await.unwrap(), server.identifier());
    assert!(echo.peers().iter().all(|peer| *peer == Some(client.identifier())));
}

#[test]
fn an_echo_comes_back_on_one_arbiter() {
    run(echo_through_a_channel(1));
}

#[test]
fn an_echo_comes_back_on_two_arbiters() {
    run(echo_through_a_channel(2));
}

#[test]
fn early_messages_wait_in_order_and_go_encrypted() {
    run(async {
        let (mut client, mut server) = (Peer::start(2).await, Peer::start(2).await);
        let hub = Peer::start(1).await;
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let echo = Echo::start(&server.node, "echo");
        let next = tcp(server.listen(0).await);
        let middle = Middle::start(&hub.node, "middle", next, honest());
        let route = route![tcp(hub.listen(0).await), "middle", SERVICE];
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let texts: Vec<_> = (0..200).map(|number| format!("canary-{number}")).collect();
        for text in &texts {
            client.ctx.send(route![&channel, "echo"], text.clone()).await.unwrap();
        }
        for text in &texts {
            let answer = client.ctx.receive_within::<String>(DEADLINE).await.unwrap();
            assert_eq!(answer.body(), text);
            assert_eq!(answer.peer(), Some(server.identifier()));
        }
        assert_eq!(echo.texts(), texts);
        let seen = middle.seen.lock().unwrap();
        assert!(seen.len() >= 404, "{} messages passed the hub", seen.len());
        for payload in seen.iter() {
            assert!(!payload.windows(7).any(|window| window == b"canary-"));
        }
    });
}

#[test]
fn a_listener_that_starts_later_is_found() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        let port = server.listen(0).await;
        let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        let first_hop = client.node.first_hop(&route![&channel]).unwrap();
        let failure = || first_hop.state().failure.map(|why| why.to_string()).unwrap_or_default();
        until("the answer of its node", || failure().contains("no such worker")).await;
        let refused =
            client.ctx.ask(route![&channel, "echo"], String::new()).reply_as::<String>().await;
        assert!(refused.unwrap_err().to_string().contains("connection is down"));
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        assert_eq!(channel.established_within(DEADLINE).await.unwrap(), server.identifier());
    });
}

#[test]
fn a_channel_goes_through_a_channel() {
    run(async {
        let (mut client, mut hub) = (Peer::start(2).await, Peer::start(1).await);
        let mut server = Peer::start(2).await;
        for peer in [&mut hub, &mut server] {
            peer.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        }
        Echo::start(&server.node, "echo");
        let next = tcp(server.listen(0).await);
        let _middle = Middle::start(&hub.node, "middle", next, honest());
        let to_hub = to(hub.listen(0).await);
        let outer = client.entity.create_secure_channel(to_hub, TrustEveryonePolicy).unwrap();
        let inner: Route = route![&outer, "middle", SERVICE];
        let inner = client.entity.create_secure_channel(inner, TrustEveryonePolicy).unwrap();
        let answer: String =
            client.ctx.ask(route![&inner, "echo"], String::from("deep")).reply_as().await.unwrap();
        assert_eq!(answer, "deep");
        assert_eq!(
            (outer.peer(), inner.peer()),
            (Some(hub.identifier()), Some(server.identifier()))
        );
    });
}

#[test]
fn a_node_opens_a_channel_to_itself() {
    run(async {
        let mut peer = Peer::start(2).await;
        peer.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        Echo::start(&peer.node, "echo");
        let channel = peer.entity.create_secure_channel(SERVICE, TrustEveryonePolicy).unwrap();
        let answer: String =
            peer.ctx.ask(route![channel, "echo"], String::from("self")).reply_as().await.unwrap();
        assert_eq!(answer, "self");
    });
}

#[test]
fn oversized_messages_are_returned_and_channels_go_on() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        Echo::start(&server.node, "echo");
        let port = server.listen(0).await;
        let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        let to_echo = route![&channel, "echo"];
        for length in [60_000, 70_000, 10] {
            let answer = client.ctx.ask(&to_echo, "x".repeat(length)).reply_as::<String>().await;
            match answer {
                Ok(text) => assert_eq!(text.len(), length),
                Err(error) => {
                    assert_eq!(length, 70_000, "{error}");
                    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
                }
            }
        }
    });
}

#[test]
fn the_identity_behind_a_listener_is_known() {
    run(async {
        let mut server = Peer::start(1).await;
        let listeners = server.node.extension(ChannelListeners::default);
        assert!(listeners.identity_of(&SERVICE.into()).is_none());
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let found = listeners.identity_of(&SERVICE.into()).unwrap();
        assert_eq!(found.identifier(), server.identifier());
        assert!(server.node.workers().contains(&(SERVICE.into(), Class::ChannelListener)));
        let again = server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy);
        assert!(again.unwrap_err().to_string().contains("in use"));
    });
}

#[test]
fn stopped_listeners_are_forgotten_and_can_be_replaced() {
    run(async {
        let mut server = Peer::start(2).await;
        let listeners = server.node.extension(ChannelListeners::default);
        let known = || listeners.identity_of(&SERVICE.into()).is_some();
        for _ in 0..3 {
            server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
            assert!(known());
            server.node.stop_worker(SERVICE).unwrap();
            until("the listener is forgotten", || !known()).await;
        }
        // At once: the news about the old one comes late, and concerns only the old one.
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        server.node.stop_worker(SERVICE).unwrap();
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let (done, passed) = tokio::sync::oneshot::channel();
        server.node.spawn_on(0, async move { done.send(()).unwrap() });
        passed.await.unwrap();
        assert!(known() && server.node.is_registered(&SERVICE.into()));
    });
}

#[test]
fn a_missing_first_hop_is_the_callers_error() {
    run(async {
        let mut client = Peer::start(1).await;
        let error = client.entity.create_secure_channel("nobody", TrustEveryonePolicy);
        assert!(error.unwrap_err().to_string().contains("nobody"));
        until("nothing is left", || client.node.worker_count() == 1).await;
    });
}
