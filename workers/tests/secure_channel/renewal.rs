//! New keys for a session in use.

use std::time::Duration;

use ockam_runtime::route;
use ockam_workers::{SecureChannels, TrustEveryonePolicy};

use crate::support::{honest, quick, run, tcp, Echo, Middle, Peer, DEADLINE, SERVICE};

/// Sends `count` messages through a channel whose keys are renewed all the time; returns how many messages
/// passed the hub.
async fn exchange(limits: ockam_workers::secure_channel::Limits, count: usize) -> usize {
    let mut client = Peer::with_limits(2, limits.clone()).await;
    let mut server = Peer::with_limits(2, limits).await;
    let hub = Peer::start(1).await;
    server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
    let echo = Echo::start(&server.node, "echo");
    let next = tcp(server.listen(0).await);
    let middle = Middle::start(&hub.node, "middle", next, honest());
    let route = route![tcp(hub.listen(0).await), "middle", SERVICE];
    let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
    let path = client.node.path(&route![&channel, "echo"]).unwrap();
    for number in 0..count {
        client.ctx.send(route![&channel, "echo"], number.to_string()).await.unwrap();
        // Some are under way together, some alone.
        if number % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    for number in 0..count {
        let answer = client.ctx.receive_within::<String>(DEADLINE).await.unwrap();
        assert_eq!(*answer.body(), number.to_string());
    }
    let expected: Vec<_> = (0..count).map(|number| number.to_string()).collect();
    assert_eq!(echo.texts(), expected);
    assert_eq!(path.state().epoch, 0, "no session was lost");
    let passed = middle.seen.lock().unwrap().len();
    passed
}

#[test]
fn keys_are_renewed_by_count_and_no_message_is_lost() {
    run(async {
        let mut limits = quick();
        limits.session_records = 50;
        let passed = exchange(limits, 3_000).await;
        // Two for each message, four for the handshake, five for each renewal.
        let renewals = (passed - 6_004) / 5;
        assert!(renewals >= 10, "{renewals} renewals");
        println!("3,000 messages and their answers, {renewals} renewals");
    });
}

#[test]
fn keys_are_renewed_by_age_and_no_message_is_lost() {
    run(async {
        let mut limits = quick();
        limits.ping_after = Duration::from_millis(4);
        limits.answer_within = Duration::from_secs(10);
        limits.longest_session = Duration::from_millis(10);
        let passed = exchange(limits, 20_000).await;
        assert!(passed > 40_004, "{passed} messages passed the hub");
    });
}

#[test]
fn an_application_keeps_using_its_channel_over_many_renewals() {
    run(async {
        let mut limits = quick();
        limits.session_records = 8;
        let (mut client, mut server) =
            (Peer::with_limits(1, limits.clone()).await, Peer::with_limits(1, limits).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        Echo::start(&server.node, "echo");
        let port = server.listen(0).await;
        let channel =
            client.entity.create_secure_channel(crate::support::to(port), TrustEveryonePolicy);
        let channel = channel.unwrap();
        for number in 0..200 {
            let text = number.to_string();
            let answer: String =
                client.ctx.ask(route![&channel, "echo"], text.clone()).await.unwrap();
            assert_eq!(answer, text);
        }
    });
}
