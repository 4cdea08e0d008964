//! Channels that are lost and established again.

use std::{
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        Arc,
    },
    time::Duration,
};

use ockam_actix_runtime::{edge::first_hop::FirstHop, route, Host, Message};
use ockam_actix_workers::{
    secure_channel::packet::{Packet, PacketError},
    Entity, SecureChannel, SecureChannels, TrustEveryonePolicy,
};

use crate::support::{quick, run, tcp, to, until, Echo, Meddling, Middle, Peer, DEADLINE, SERVICE};

/// The channel as a stream sees it.
fn first_hop_of(peer: &Peer, channel: &SecureChannel) -> FirstHop {
    peer.node.first_hop(&route![channel, "echo"]).unwrap()
}

async fn lost_and_up(mut first_hop: FirstHop, epoch: u64) {
    let waiting = async {
        first_hop.lost(epoch).await;
        first_hop.up().await;
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("it is lost and established again");
    assert!(first_hop.state().epoch > epoch && first_hop.state().up, "{:?}", first_hop.state());
}

async fn answers(client: &Peer, channel: &SecureChannel) {
    let to_echo = route![channel, "echo"];
    let answer: String = client.ctx.ask(to_echo, String::from("again")).reply_as().await.unwrap();
    assert_eq!(answer, "again");
}

async fn serve(peer: &mut Peer, port: u16) -> u16 {
    peer.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
    Echo::start(&peer.node, "echo");
    peer.listen(port).await
}

async fn a_restarted_server_is_found_again(arbiters: usize) {
    let (mut client, mut server) = (Peer::start(arbiters).await, Peer::start(arbiters).await);
    let port = serve(&mut server, 0).await;
    let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
    assert_eq!(channel.established_within(DEADLINE).await.unwrap(), server.identifier());
    let first_hop = first_hop_of(&client, &channel);
    for _ in 0..3 {
        let epoch = first_hop.state().epoch;
        server.node.stop().await;
        let local = server.entity.local_identity();
        server = Peer::start(arbiters).await;
        server.entity = Entity::new(&server.node, local).with_limits(quick());
        serve(&mut server, port).await;
        lost_and_up(first_hop.clone(), epoch).await;
        answers(&client, &channel).await;
        assert_eq!(channel.peer(), Some(server.identifier()));
    }
}

#[test]
fn restarted_servers_are_found_again_on_one_arbiter() {
    run(a_restarted_server_is_found_again(1));
}

#[test]
fn restarted_servers_are_found_again_on_two_arbiters() {
    run(a_restarted_server_is_found_again(2));
}

/// Client, a hub that meddles with the messages that pass it, and a server.
struct Chain {
    client: Peer,
    _hub: Peer,
    server: Peer,
    _middle: Middle,
    channel: SecureChannel,
}

impl Chain {
    async fn start(meddle: Meddling, limits: ockam_actix_workers::secure_channel::Limits) -> Self {
        let mut client = Peer::with_limits(2, limits.clone()).await;
        let (hub, mut server) = (Peer::start(2).await, Peer::with_limits(2, limits).await);
        let next = tcp(serve(&mut server, 0).await);
        let middle = Middle::start(&hub.node, "middle", next, meddle);
        let route = route![tcp(hub.listen(0).await), "middle", SERVICE];
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        Self { client, _hub: hub, server, _middle: middle, channel }
    }
}

/// Applies `what` to the next record once the switch is on.
fn once(switch: &Arc<AtomicBool>, what: fn(Message) -> Vec<Message>) -> Meddling {
    let switch = switch.clone();
    Arc::new(move |_, message| match switch.swap(false, Ordering::SeqCst) {
        true => what(message),
        false => vec![message],
    })
}

fn copy(message: &Message) -> Message {
    let (onward, back) = (message.onward_route.clone(), message.return_route.clone());
    Message::new(onward, back, message.payload.clone())
}

fn a_hostile_hub(what: fn(Message) -> Vec<Message>) {
    run(async move {
        let switch = Arc::new(AtomicBool::new(false));
        let chain = Chain::start(once(&switch, what), quick()).await;
        chain.channel.established_within(DEADLINE).await.unwrap();
        let first_hop = first_hop_of(&chain.client, &chain.channel);
        for _ in 0..5 {
            let epoch = first_hop.state().epoch;
            switch.store(true, Ordering::SeqCst);
            // The first message, or its answer, may be lost with the session; the second reveals
            // the gap.
            for _ in 0..2 {
                let to_echo = route![&chain.channel, "echo"];
                let _ = chain.client.ctx.send(to_echo, String::from("doomed")).await;
            }
            lost_and_up(first_hop.clone(), epoch).await;
            answers(&chain.client, &chain.channel).await;
        }
        // One session is left on the server: with it, at most the listener, the echo, the context
        // and two connections' ends.
        until("old sessions are gone", || chain.server.node.worker_count() <= 6).await;
    });
}

#[test]
fn flipped_records_end_the_session_and_another_begins() {
    a_hostile_hub(|mut message| {
        let last = message.payload.len() - 1;
        message.payload[last] ^= 1;
        vec![message]
    });
}

#[test]
fn repeated_records_end_the_session_and_another_begins() {
    a_hostile_hub(|message| vec![copy(&message), message]);
}

#[test]
fn dropped_records_end_the_session_and_another_begins() {
    a_hostile_hub(|_| Vec::new());
}

#[test]
fn injected_records_end_the_session_and_another_begins() {
    a_hostile_hub(|message| {
        let mut forged = copy(&message);
        forged.payload = vec![0_u8; 40].into();
        vec![forged, message]
    });
}

/// Passes everything on, but message 1 as `what` makes it, which gets how often it has passed.
fn first_messages(what: fn(usize, Message) -> Vec<Message>) -> (Meddling, Arc<AtomicUsize>) {
    let passed = Arc::new(AtomicUsize::new(0));
    let count = passed.clone();
    let meddle: Meddling = Arc::new(move |_, message| match Packet::decode(&message.payload) {
        Ok(Packet::One { .. }) => what(count.fetch_add(1, Ordering::SeqCst), message),
        _ => vec![message],
    });
    (meddle, passed)
}

/// The channel's one attempt succeeds, although message 1 passes as `what` says; gives how often it
/// was sent.
fn attempted_once(what: fn(usize, Message) -> Vec<Message>) -> usize {
    let (meddle, passed) = first_messages(what);
    run(async {
        let mut limits = quick();
        limits.resend_after = Duration::from_millis(20);
        limits.handshake_deadline = DEADLINE;
        let chain = Chain::start(meddle, limits).await;
        chain.channel.established_within(DEADLINE).await.unwrap();
        for _ in 0..3 {
            answers(&chain.client, &chain.channel).await;
        }
        assert_eq!(first_hop_of(&chain.client, &chain.channel).state().epoch, 0, "no session lost");
    });
    passed.load(Ordering::SeqCst)
}

#[test]
fn a_lost_first_message_is_sent_again() {
    assert!(attempted_once(|number, message| if number < 2 { vec![] } else { vec![message] }) > 2);
}

#[test]
fn second_answers_to_the_first_message_are_ignored() {
    attempted_once(|_, message| vec![copy(&message), message]);
}

/// Drops the first message that `is_meant`.
fn drop_first(is_meant: fn(&Result<Packet<'_>, PacketError>) -> bool) -> Meddling {
    let dropped = AtomicBool::new(false);
    Arc::new(move |_, message| {
        let drops = is_meant(&Packet::decode(&message.payload));
        match drops && !dropped.swap(true, Ordering::SeqCst) {
            true => vec![],
            false => vec![message],
        }
    })
}

#[test]
fn lost_last_messages_cost_no_deadline() {
    // The first that is not of the handshake confirms it.
    for meddle in [
        drop_first(|packet| matches!(packet, Ok(Packet::Three(_)))),
        drop_first(|packet| packet.is_err()),
    ] {
        run(async {
            let mut limits = quick();
            limits.resend_after = Duration::from_millis(20);
            limits.handshake_deadline = DEADLINE;
            let chain = Chain::start(meddle, limits).await;
            chain.channel.established_within(DEADLINE / 2).await.unwrap();
            answers(&chain.client, &chain.channel).await;
        });
    }
}

#[test]
fn a_hub_that_swallows_everything_is_noticed() {
    run(async {
        let mut limits = quick();
        limits.ping_after = Duration::from_millis(50);
        limits.answer_within = Duration::from_millis(150);
        limits.handshake_deadline = Duration::from_millis(100);
        let silent = Arc::new(AtomicBool::new(false));
        let swallow = silent.clone();
        let meddle: Meddling = Arc::new(move |_, message| match swallow.load(Ordering::SeqCst) {
            true => Vec::new(),
            false => vec![message],
        });
        let chain = Chain::start(meddle, limits).await;
        chain.channel.established_within(DEADLINE).await.unwrap();
        let first_hop = first_hop_of(&chain.client, &chain.channel);
        silent.store(true, Ordering::SeqCst);
        let mut losing = first_hop.clone();
        tokio::time::timeout(DEADLINE, losing.lost(0)).await.unwrap();
        let failure = losing.state().failure.unwrap();
        assert!(failure.contains("nothing came from the peer"), "{failure}");
        silent.store(false, Ordering::SeqCst);
        tokio::time::timeout(DEADLINE, losing.up()).await.unwrap();
        answers(&chain.client, &chain.channel).await;
    });
}

#[test]
fn an_idle_channel_is_kept_by_pings() {
    run(async {
        let mut limits = quick();
        limits.ping_after = Duration::from_millis(20);
        limits.answer_within = Duration::from_millis(500);
        let passed = Arc::new(AtomicUsize::new(0));
        let count = passed.clone();
        let meddle: Meddling = Arc::new(move |_, message| {
            count.fetch_add(1, Ordering::SeqCst);
            vec![message]
        });
        let chain = Chain::start(meddle, limits).await;
        chain.channel.established_within(DEADLINE).await.unwrap();
        let first_hop = first_hop_of(&chain.client, &chain.channel);
        let before = passed.load(Ordering::SeqCst);
        until("pings and pongs pass", || passed.load(Ordering::SeqCst) >= before + 20).await;
        assert_eq!(first_hop.state().epoch, 0);
    });
}

#[test]
fn a_peer_that_stops_says_so_at_once() {
    run(async {
        let chain = Chain::start(crate::support::honest(), quick()).await;
        chain.channel.established_within(DEADLINE).await.unwrap();
        let mut first_hop = first_hop_of(&chain.client, &chain.channel);
        chain.server.node.stop().await;
        // Long before silence would be noticed, and through a hub that goes on.
        let noticed = tokio::time::timeout(Duration::from_secs(10), first_hop.lost(0)).await;
        assert!(noticed.is_ok(), "{:?}", first_hop.state());
    });
}

#[test]
fn a_closed_channel_is_gone_at_both_ends() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        let route = to(serve(&mut server, 0).await);
        let before = server.node.worker_count();
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        let mut first_hop = first_hop_of(&client, &channel);
        channel.close();
        tokio::time::timeout(DEADLINE, first_hop.lost(0)).await.unwrap();
        until("the address is free", || !client.node.is_registered(channel.address())).await;
        until("the peer is told", || server.node.worker_count() == before + 1).await;
        assert!(channel.established().await.is_err());
    });
}
