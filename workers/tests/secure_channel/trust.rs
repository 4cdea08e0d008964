//! Trust: who gets a channel, and what can be reached without one.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Duration,
};

use ockam_actix_runtime::{route, Address, Error, ReachabilityRule};
use ockam_actix_workers::{
    identity::policy::TrustContext, secure_channel::Limits, ForwardingAddress, SecureChannel,
    SecureChannels, TrustEveryonePolicy, TrustIdentifierPolicy, TrustPolicy,
};

use crate::support::{
    honest, quick, run, tcp, to, until, Echo, Meddling, Middle, Peer, DEADLINE, SERVICE,
};

/// Checks that a rejected channel returns messages, and that its error contains `named`.
async fn expect_rejected(client: &Peer, channel: SecureChannel, named: &[String]) {
    let rejected = channel.established_within(DEADLINE).await.unwrap_err();
    assert!(matches!(rejected, Error::Peer { .. }), "{rejected}");
    for name in named {
        assert!(rejected.to_string().contains(name), "{rejected} names {name}");
    }
    let bounced =
        client.ctx.ask(route![&channel, "echo"], String::from("x")).reply_as::<String>().await;
    assert!(matches!(bounced, Err(Error::Undeliverable(_))), "{bounced:?}");
    assert_eq!(channel.peer(), None);
}

#[test]
fn an_initiator_shows_nothing_to_an_untrusted_responder() {
    run(async {
        let (mut client, mut server) = (Peer::start(2).await, Peer::start(2).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let echo = Echo::start(&server.node, "echo");
        let hub = Peer::start(1).await;
        let next = tcp(server.listen(0).await);
        let middle = Middle::start(&hub.node, "middle", next, honest());
        let route = route![tcp(hub.listen(0).await), "middle", SERVICE];
        let only_itself = TrustIdentifierPolicy::new(client.identifier());
        let channel = client.entity.create_secure_channel(route, only_itself).unwrap();
        let names = [client.identifier().to_string(), server.identifier().to_string()];
        expect_rejected(&client, channel, &names).await;
        assert!(echo.texts().is_empty());
        // Message 1 and message 2; the message with the initiator's identity was never sent.
        assert_eq!(middle.seen.lock().unwrap().len(), 2);
    });
}

/// Checks that a channel is refused until `mend` is called, and then established by itself.
async fn is_established_once_mended(client: &Peer, channel: &SecureChannel, mend: impl FnOnce()) {
    expect_rejected(client, channel.clone(), &[]).await;
    mend();
    until("the channel is established", || channel.peer().is_some()).await;
    let route = route![channel, "echo"];
    let answer: String = client.ctx.ask(route, String::from("hello")).reply_as().await.unwrap();
    assert_eq!(answer, "hello");
}

/// A policy that trusts nobody until it is told to trust everybody.
fn mendable() -> (Arc<AtomicBool>, impl TrustPolicy) {
    let trusts = Arc::new(AtomicBool::new(false));
    let policy = trusts.clone();
    (trusts, move |_: &TrustContext| policy.load(Ordering::SeqCst))
}

/// Limits with short pauses after refusals.
fn eager() -> Limits {
    let pause = Duration::from_millis(10);
    Limits { first_refusal_pause: pause, longest_refusal_pause: pause, ..quick() }
}

#[test]
fn a_responders_mended_policy_ends_its_refusal() {
    run(async {
        let mut client = Peer::with_limits(2, eager()).await;
        let mut server = Peer::start(2).await;
        let (trusts, policy) = mendable();
        server.entity.create_secure_channel_listener(SERVICE, policy).unwrap();
        let _echo = Echo::start(&server.node, "echo");
        let route = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let mend = || trusts.store(true, Ordering::SeqCst);
        is_established_once_mended(&client, &channel, mend).await;
    });
}

#[test]
fn an_initiators_mended_policy_ends_its_refusal() {
    run(async {
        let mut client = Peer::with_limits(2, eager()).await;
        let mut server = Peer::start(2).await;
        let (trusts, policy) = mendable();
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let _echo = Echo::start(&server.node, "echo");
        let route = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(route, policy).unwrap();
        let mend = || trusts.store(true, Ordering::SeqCst);
        is_established_once_mended(&client, &channel, mend).await;
    });
}

#[test]
fn a_responder_delivers_nothing_from_an_untrusted_initiator() {
    run(async {
        let (mut client, mut server) = (Peer::start(2).await, Peer::start(2).await);
        let only_itself = TrustIdentifierPolicy::new(server.identifier());
        server.entity.create_secure_channel_listener(SERVICE, only_itself).unwrap();
        let echo = Echo::start(&server.node, "echo");
        let before = server.node.worker_count();
        let route = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        client.ctx.send(route![&channel, "echo"], String::from("early")).await.unwrap();
        let names = [client.identifier().to_string(), server.identifier().to_string()];
        expect_rejected(&client, channel, &names).await;
        assert!(echo.texts().is_empty());
        // The connection alone is left.
        until("the responder is gone", || server.node.worker_count() == before + 1).await;
    });
}

#[test]
fn wrong_pins_are_final_and_name_both_identities() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let hub = Peer::start(1).await;
        let expected = Peer::start(1).await.identifier();
        let address = ForwardingAddress::new_random(expected);
        let next = tcp(server.listen(0).await);
        let _middle = Middle::start(&hub.node, address.forwarder.as_str(), next, to_service());
        let route = route![tcp(hub.listen(0).await), address.to_string()];
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let names = [expected.to_string(), server.identifier().to_string()];
        expect_rejected(&client, channel, &names).await;
    });
}

#[test]
fn a_matching_pin_works_unseen_by_the_hub() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let hub = Peer::start(1).await;
        let address = ForwardingAddress::new_random(server.identifier());
        let next = tcp(server.listen(0).await);
        // Registered without the fingerprint: a route that still had it would lead nowhere.
        let _middle = Middle::start(&hub.node, address.forwarder.as_str(), next, to_service());
        let route = route![tcp(hub.listen(0).await), Address::from(address)];
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        assert_eq!(channel.established_within(DEADLINE).await.unwrap(), server.identifier());
    });
}

/// A forwarder: a message that comes to its address alone goes to the listener.
fn to_service() -> Meddling {
    Arc::new(|number, mut message| {
        if number == 0 {
            let connection = message.onward_route.pop_front().unwrap();
            message.onward_route = route![connection, SERVICE];
        }
        vec![message]
    })
}

#[test]
fn plain_messages_reach_no_worker_on_guarded_nodes() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let echo = Echo::start(&server.node, "echo");
        let port = server.listen(0).await;
        let plain = client
            .ctx
            .ask(route![tcp(port), "echo"], String::from("hi"))
            .reply_as::<String>()
            .await;
        assert!(matches!(plain, Err(Error::Undeliverable(_))), "{plain:?}");
        assert_eq!(server.node.refusals().by(ReachabilityRule::NotExposed.name()), 1);
        let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        let answer: String =
            client.ctx.ask(route![channel, "echo"], String::from("hi")).reply_as().await.unwrap();
        assert_eq!((answer.as_str(), echo.texts().len()), ("hi", 1));
    });
}

#[test]
fn outsiders_cannot_enter_a_channel_by_its_address() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let echo = Echo::start(&server.node, "echo");
        let route = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        let stranger = Peer::start(1).await;
        let through = route![tcp(client.listen(0).await), channel.address(), "echo"];
        let refused = stranger.ctx.ask(through, String::from("in")).reply_as::<String>().await;
        assert!(matches!(refused, Err(Error::Undeliverable(_))), "{refused:?}");
        assert_eq!(client.node.refusals().by(ReachabilityRule::InternalIsLocal.name()), 1);
        assert!(echo.texts().is_empty());
    });
}

#[test]
fn a_policy_that_panics_ends_its_handshake_alone() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        let honest = client.identifier();
        let policy = move |context: &ockam_actix_workers::identity::policy::TrustContext| {
            assert_eq!(context.peer, honest, "a policy with a bug");
            true
        };
        server.entity.create_secure_channel_listener(SERVICE, policy).unwrap();
        let before = server.node.worker_count();
        let port = server.listen(0).await;
        let mut other = Peer::start(1).await;
        let unlucky = other.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        assert_eq!(channel.established_within(DEADLINE).await.unwrap(), server.identifier());
        assert_eq!(unlucky.peer(), None);
        unlucky.close();
        channel.close();
        // Two connections are left.
        until("no zombie is left", || server.node.worker_count() == before + 2).await;
    });
}
