//! New keys for a session in use.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use ockam_actix_runtime::{route, Context, Host};
use ockam_actix_workers::{
    identity::policy::TrustContext, SecureChannels, TrustEveryonePolicy, TrustPolicy,
};

use crate::support::{honest, quick, run, tcp, to, until, Echo, Middle, Peer, DEADLINE, SERVICE};

/// Messages under way at a time, in both directions.
const WINDOW: usize = 20;

async fn expect(ctx: &mut Context, number: usize) {
    let answer = ctx.receive_within::<String>(DEADLINE).await.unwrap();
    assert_eq!(*answer.body(), number.to_string());
}

/// Sends `count` messages through a channel whose keys are renewed all the time; returns how many
/// messages passed the hub.
async fn exchange(limits: ockam_actix_workers::secure_channel::Limits, count: usize) -> usize {
    let mut client = Peer::with_limits(2, limits.clone()).await;
    let mut server = Peer::with_limits(2, limits).await;
    let hub = Peer::start(1).await;
    server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
    let echo = Echo::start(&server.node, "echo");
    let next = tcp(server.listen(0).await);
    let middle = Middle::start(&hub.node, "middle", next, honest());
    let route = route![tcp(hub.listen(0).await), "middle", SERVICE];
    let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
    let first_hop = client.node.first_hop(&route![&channel, "echo"]).unwrap();
    channel.established_within(DEADLINE).await.unwrap();
    for sent in 0..count {
        client.ctx.send(route![&channel, "echo"], sent.to_string()).await.unwrap();
        if let Some(answered) = sent.checked_sub(WINDOW) {
            expect(&mut client.ctx, answered).await;
        }
    }
    for answered in count - WINDOW..count {
        expect(&mut client.ctx, answered).await;
    }
    let expected: Vec<_> = (0..count).map(|number| number.to_string()).collect();
    assert_eq!(echo.texts(), expected);
    assert_eq!(first_hop.state().epoch, 0, "no session was lost");
    let passed = middle.seen.lock().unwrap().len();
    passed
}

#[test]
fn renewal_by_count_loses_no_message() {
    run(async {
        let mut limits = quick();
        limits.keys_due_records = 50;
        limits.renewal_pause = Duration::ZERO;
        let passed = exchange(limits, 3_000).await;
        // Two for each message, four for the handshake, five for each renewal.
        let renewals = (passed - 6_004) / 5;
        assert!(renewals >= 10, "{renewals} renewals");
        println!("3,000 messages and their answers, {renewals} renewals");
    });
}

#[test]
fn an_application_uses_its_channel_over_many_renewals() {
    run(async {
        let mut limits = quick();
        limits.keys_due_records = 8;
        limits.renewal_pause = Duration::ZERO;
        let (mut client, mut server) =
            (Peer::with_limits(1, limits.clone()).await, Peer::with_limits(1, limits).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        Echo::start(&server.node, "echo");
        let port = server.listen(0).await;
        let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy);
        let channel = channel.unwrap();
        for number in 0..200 {
            let text = number.to_string();
            let answer: String =
                client.ctx.ask(route![&channel, "echo"], text.clone()).reply_as().await.unwrap();
            assert_eq!(answer, text);
        }
    });
}

/// The epoch of a channel after the server, whose limits are these, has closed it once: its client
/// asks for no new keys, and sends `messages`.
async fn closed_by_the_responder(
    limits: ockam_actix_workers::secure_channel::Limits,
    messages: usize,
) {
    let mut client = Peer::start(1).await;
    let mut server = Peer::with_limits(1, limits).await;
    server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
    Echo::start(&server.node, "echo");
    let route = to(server.listen(0).await);
    let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
    let mut first_hop = client.node.first_hop(&route![&channel, "echo"]).unwrap();
    channel.established_within(DEADLINE).await.unwrap();
    for number in 0..messages {
        // The last ones may come after the end.
        let _ = client.ctx.send(route![&channel, "echo"], number.to_string()).await;
    }
    tokio::time::timeout(DEADLINE, first_hop.lost(0)).await.expect("the server closes the session");
    // Nothing forbids another one, whose handshake asks both policies again.
    channel.established_within(DEADLINE).await.unwrap();
}

#[test]
fn responders_close_sessions_with_spent_keys() {
    run(async {
        let mut limits = quick();
        limits.keys_expire_records = 20;
        closed_by_the_responder(limits, 40).await;
    });
}

#[test]
fn responders_close_channels_renewed_too_often() {
    run(async {
        let mut hasty = quick();
        hasty.keys_due_records = 4;
        hasty.renewal_pause = Duration::ZERO;
        let mut client = Peer::with_limits(1, hasty).await;
        let mut server = Peer::start(1).await;
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        Echo::start(&server.node, "echo");
        let route = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let mut first_hop = client.node.first_hop(&route![&channel, "echo"]).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        for number in 0..8 {
            let _ = client.ctx.send(route![&channel, "echo"], number.to_string()).await;
        }
        tokio::time::timeout(DEADLINE, first_hop.lost(0)).await.expect("the server closes it");
    });
}

/// Trusts everyone, and panics the second time that it is asked.
fn panics_once() -> impl TrustPolicy {
    let asked = AtomicUsize::new(0);
    move |_: &TrustContext| {
        assert_ne!(asked.fetch_add(1, Ordering::SeqCst), 1, "a policy with a bug");
        true
    }
}

/// A decryptor panics in the middle of an open session, when new keys are agreed on.
async fn panic_in_a_decryptor(theirs: impl TrustPolicy, ours: impl TrustPolicy) {
    let mut limits = quick();
    limits.keys_due_records = 20;
    limits.renewal_pause = Duration::ZERO;
    let mut client = Peer::with_limits(1, limits.clone()).await;
    let mut server = Peer::with_limits(1, limits).await;
    server.entity.create_secure_channel_listener(SERVICE, theirs).unwrap();
    Echo::start(&server.node, "echo");
    let before = server.node.worker_count();
    let route = to(server.listen(0).await);
    let channel = client.entity.create_secure_channel(route, ours).unwrap();
    channel.established_within(DEADLINE).await.unwrap();
    let mut first_hop = client.node.first_hop(&route![&channel, "echo"]).unwrap();
    while first_hop.state().epoch == 0 {
        // A message that is under way when the decryptor dies is lost; its sender hears of the
        // loss.
        let sent = client.ctx.send(route![&channel, "echo"], String::from("text")).await;
        let answer = client.ctx.receive_within::<String>(DEADLINE);
        if sent.is_ok() {
            tokio::select! {
                _ = answer => {}
                () = first_hop.lost(0) => {}
            }
        }
    }
    tokio::time::timeout(DEADLINE, first_hop.up()).await.unwrap();
    assert_eq!(channel.established_within(DEADLINE).await.unwrap(), server.identifier());
    // The connection, and both ends of the one session.
    until("no zombie is left", || server.node.worker_count() == before + 3).await;
    channel.close();
    until("nothing is left", || server.node.worker_count() == before + 1).await;
}

#[test]
fn a_responders_decryptor_panic_ends_its_session_alone() {
    run(panic_in_a_decryptor(panics_once(), TrustEveryonePolicy));
}

#[test]
fn an_initiators_decryptor_panic_ends_its_session_alone() {
    run(panic_in_a_decryptor(TrustEveryonePolicy, panics_once()));
}
