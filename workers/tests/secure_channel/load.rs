//! Many channels, and strangers that never finish a handshake.

use std::time::Duration;

use ockam_actix_runtime::{
    node::routing::NextHop, route, Address, Context, Host, Message, Payload,
};
use ockam_actix_workers::{
    secure_channel::{packet::Packet, ChannelListeners},
    SecureChannels, TrustEveryonePolicy,
};

use crate::support::{quick, run, tcp, to, until, Echo, Peer, DEADLINE, SERVICE};

/// Channels opened and closed, in rounds of a tenth each.
const CHANNELS: usize = 2_000;

async fn churn(arbiters: usize) {
    let (mut client, mut server) = (Peer::start(arbiters).await, Peer::start(arbiters).await);
    server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
    Echo::start(&server.node, "echo");
    let route = to(server.listen(0).await);
    // The connection is made before anything is counted.
    let first = client.entity.create_secure_channel(&route, TrustEveryonePolicy).unwrap();
    first.established_within(DEADLINE).await.unwrap();
    let baseline = (client.node.worker_count(), server.node.worker_count());
    for _ in 0..10 {
        let channels: Vec<_> = (0..CHANNELS / 10)
            .map(|_| client.entity.create_secure_channel(&route, TrustEveryonePolicy).unwrap())
            .collect();
        for channel in &channels {
            let to_echo = route![channel, "echo"];
            let answer: String =
                client.ctx.ask(to_echo, String::from("one")).reply_as().await.unwrap();
            assert_eq!(answer, "one");
        }
        channels.iter().for_each(|channel| channel.close());
    }
    let counts = || (client.node.worker_count(), server.node.worker_count());
    until("all are gone at both ends", || counts() == baseline).await;
    let load = server.node.extension(ChannelListeners::default).load_of(&SERVICE.into());
    assert_eq!(load, Some((0, 1)));
    println!("{CHANNELS} channels, {arbiters} arbiters: {baseline:?} workers before and after");
}

#[test]
fn closed_channels_leave_nothing_on_one_arbiter() {
    run(churn(1));
}

#[test]
fn closed_channels_leave_nothing_on_two_arbiters() {
    run(churn(2));
}

/// Nested channels: many more than seal in one task.
const INSIDE: usize = 100;

#[test]
fn a_peer_may_open_channels_inside_each_other() {
    run(async {
        let (mut client, mut server) = (Peer::start(1).await, Peer::start(1).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        Echo::start(&server.node, "echo");
        let mut route = to(server.listen(0).await);
        for _ in 0..INSIDE {
            let channel = client.entity.create_secure_channel(&route, TrustEveryonePolicy).unwrap();
            channel.established_within(DEADLINE).await.unwrap();
            route = route![&channel, SERVICE];
        }
        route = route![route.first().unwrap().clone(), "echo"];
        for text in ["one", "two", "three"] {
            let answer: String =
                client.ctx.ask(route.clone(), String::from(text)).reply_as().await.unwrap();
            assert_eq!(answer, text);
        }
    });
}

/// Sends message 1 of a handshake that never goes on.
fn stranger(peer: &Peer, port: u16) {
    let payload = Payload::from(Packet::One { noise: &[9; 32], cookie: &[] }.encode());
    let back = route![Address::random()];
    let message = Message::new(route![tcp(port), SERVICE], back, payload);
    peer.node.try_route(message, NextHop::Checked).unwrap();
}

#[test]
fn unfinished_handshakes_end_with_their_deadline() {
    run(async {
        let mut limits = quick();
        // Long enough for all of them to be seen at once.
        limits.handshake_deadline = Duration::from_secs(2);
        let (mut server, client) = (Peer::with_limits(2, limits).await, Peer::start(1).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let port = server.listen(0).await;
        let before = server.node.worker_count();
        let listeners = server.node.extension(ChannelListeners::default);
        // A return address that exists, so that no notice ends them early.
        let mute = ockam_actix_runtime::Context::new(&client.node).unwrap();
        for _ in 0..20 {
            let payload = Payload::from(Packet::One { noise: &[9; 32], cookie: &[] }.encode());
            let message = Message::new(route![tcp(port), SERVICE], route![mute.address()], payload);
            client.node.try_route(message, NextHop::Checked).unwrap();
        }
        until("they have begun", || listeners.load_of(&SERVICE.into()) == Some((20, 0))).await;
        until("they have ended", || listeners.load_of(&SERVICE.into()) == Some((0, 0))).await;
        until("no actor is left", || server.node.worker_count() == before + 1).await;
    });
}

#[test]
fn honest_clients_pass_a_flood_with_a_cookie() {
    run(async {
        let mut limits = quick();
        limits.handshakes = 16;
        limits.handshake_deadline = Duration::from_secs(20);
        let mut server = Peer::with_limits(2, limits).await;
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let mut client = Peer::start(1).await;
        let port = server.listen(0).await;
        let listeners = server.node.extension(ChannelListeners::default);
        let (first, second) = (Attacker::start(port).await, Attacker::start(port).await);
        // Without a cookie, one connection gets half of its own half.
        first.send(250, &[]);
        until("a quarter is full", || listeners.load_of(&SERVICE.into()) == Some((4, 0))).await;
        second.send(250, &[]);
        until("half is full", || listeners.load_of(&SERVICE.into()) == Some((8, 0))).await;
        // Above half, a cookie is needed; the client shows it by itself.
        let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        assert_eq!(channel.established_within(DEADLINE).await.unwrap(), server.identifier());
        assert_eq!(listeners.load_of(&SERVICE.into()), Some((8, 1)));
    });
}

#[test]
fn one_strangers_connections_share_one_source_limit() {
    run(async {
        let mut limits = quick();
        limits.handshakes = 16;
        limits.handshake_deadline = Duration::from_secs(20);
        let mut server = Peer::with_limits(2, limits).await;
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let port = server.listen(0).await;
        let load = || server.node.extension(ChannelListeners::default).load_of(&SERVICE.into());
        let refusal_log = server.node.refusals();
        let third = Attacker::start(port).await;
        let (mut first, mut second) = (Attacker::start(port).await, Attacker::start(port).await);
        first.send(20, &[]);
        until("a quarter is full", || load() == Some((4, 0))).await;
        let cookie = first.cookie().await;
        first.send(4, &cookie);
        until("half is full", || load() == Some((8, 0))).await;
        second.send(1, &[]);
        let cookie = second.cookie().await;
        second.send(20, &cookie);
        until("three quarters are full", || load() == Some((12, 0))).await;
        third.send(20, &cookie);
        until("the others were refused", || refusal_log.by("handshakes-source-full") == 36).await;
        assert_eq!(load(), Some((12, 0)));
    });
}

/// A connection of its own, through which handshakes are begun and never finished.
struct Attacker {
    peer: Peer,
    mute: Context,
    port: u16,
}

impl Attacker {
    async fn start(port: u16) -> Self {
        let peer = Peer::start(1).await;
        let mute = Context::new(&peer.node).unwrap();
        Self { peer, mute, port }
    }

    fn send(&self, count: usize, cookie: &[u8]) {
        for _ in 0..count {
            let payload = Payload::from(Packet::One { noise: &[9; 32], cookie }.encode());
            let back = route![self.mute.address()];
            let message = Message::new(route![tcp(self.port), SERVICE], back, payload);
            self.peer.node.try_route(message, NextHop::Checked).unwrap();
        }
    }

    /// The cookie that it is asked for; answers to the handshakes that began may come before.
    async fn cookie(&mut self) -> Vec<u8> {
        loop {
            let answer = self.mute.receive_within::<Payload>(DEADLINE).await.unwrap();
            match Packet::decode(answer.body()).unwrap() {
                Packet::Cookie(cookie) => return cookie.to_vec(),
                Packet::Two(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn strangers_without_a_return_route_leave_at_once() {
    run(async {
        let (mut server, client) = (Peer::start(1).await, Peer::start(1).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let port = server.listen(0).await;
        let before = server.node.worker_count();
        (0..100).for_each(|_| stranger(&client, port));
        let listeners = server.node.extension(ChannelListeners::default);
        until("their connection is there", || server.node.worker_count() > before).await;
        until("none is left", || {
            listeners.load_of(&SERVICE.into()) == Some((0, 0))
                && server.node.worker_count() == before + 1
        })
        .await;
    });
}

#[test]
fn messages_awaiting_a_handshake_are_bounded_and_returned() {
    run(async {
        let mut limits = quick();
        limits.waiting_bytes = 10_000;
        limits.handshake_deadline = Duration::from_secs(4);
        let (mut client, server) = (Peer::with_limits(1, limits).await, Peer::start(1).await);
        // A worker that never answers has the listener's address.
        let silent = ockam_actix_runtime::Context::named(&server.node, SERVICE).unwrap();
        let channel = client
            .entity
            .create_secure_channel(to(server.listen(0).await), TrustEveryonePolicy)
            .unwrap();
        let mut reasons = Vec::new();
        for _ in 0..20 {
            client.ctx.send(route![&channel, "echo"], "x".repeat(1_000)).await.unwrap();
        }
        for _ in 0..20 {
            let error = client.ctx.receive_within::<String>(DEADLINE).await.unwrap_err();
            reasons.push(error.to_string());
        }
        let full = reasons.iter().filter(|text| text.contains("queue is full")).count();
        let late = reasons.iter().filter(|text| text.contains("no answer within")).count();
        assert_eq!((full, late), (14, 6), "{reasons:?}");
        drop(silent);
    });
}
