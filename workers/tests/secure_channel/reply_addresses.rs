//! What a peer learns from questions and answers: the addresses in them end with the channel that
//! they came through, and admit nobody else meanwhile.

use std::{
    future::IntoFuture,
    io::ErrorKind,
    net::TcpListener,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
};

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{route, MessageKind, Payload, ReachabilityRule, Route, Routed};
use ockam_actix_workers::{
    identity::policy::TrustContext, portal::Outlet, relay::Relay, SecureChannels,
    TrustEveryonePolicy,
};
use tokio::sync::mpsc;

use crate::support::{run, tcp, to, until, Peer, DEADLINE, SERVICE};

/// Open of version 1, which an outlet takes, and of version 9, which it refuses with an answer of
/// its own.
const OPEN: [u8; 8] = [0x93, 0, 1, 0xce, 0, 4, 0, 0];
const OPEN_9: [u8; 8] = [0x93, 0, 9, 0xce, 0, 4, 0, 0];

/// Sends `payload` along `route` and returns the kind and the return route of what comes back.
async fn exchange(peer: &mut Peer, route: Route, payload: [u8; 8]) -> (MessageKind, Route) {
    peer.ctx.send(route, Payload::from(&payload[..])).await.unwrap();
    let answer = peer.ctx.receive_within::<Payload>(DEADLINE).await.unwrap();
    (answer.kind(), answer.return_route().clone())
}

/// A node with a listener that trusts while it is told to, an outlet, and the outlet's target.
struct Guarded {
    peer: Peer,
    trusts: Arc<AtomicBool>,
    target: TcpListener,
    port: u16,
}

impl Guarded {
    async fn start() -> Self {
        let mut peer = Peer::start(2).await;
        let trusts = Arc::new(AtomicBool::new(true));
        let policy = trusts.clone();
        let policy = move |_: &TrustContext| policy.load(Ordering::SeqCst);
        peer.entity.create_secure_channel_listener(SERVICE, policy).unwrap();
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        target.set_nonblocking(true).unwrap();
        Outlet::start(&peer.node, "outlet", target.local_addr().unwrap().to_string()).unwrap();
        let port = peer.listen(0).await;
        Self { peer, trusts, target, port }
    }

    fn was_connected(&self) -> bool {
        match self.target.accept() {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn an_outlets_alias_admits_no_other_ingress() {
    run(async {
        let server = Guarded::start().await;
        let mut client = Peer::start(1).await;
        let channel =
            client.entity.create_secure_channel(to(server.port), TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        let (kind, learned) = exchange(&mut client, route![&channel, "outlet"], OPEN_9).await;
        assert_eq!(kind, MessageKind::Reply);
        let alias = learned.iter().last().unwrap().clone();
        assert!(alias.is_random(), "{learned}");

        // While the channel is open, and after the identity was revoked.
        let mut stranger = Peer::start(1).await;
        let refused = || server.peer.node.refusals().by(ReachabilityRule::OtherIngress.name());
        let plain = route![tcp(server.port), &alias];
        let (kind, _) = exchange(&mut stranger, plain.clone(), OPEN).await;
        assert_eq!((kind, refused()), (MessageKind::Notice, 1));
        let (kind, _) = exchange(&mut client, plain.clone(), OPEN).await;
        assert_eq!((kind, refused()), (MessageKind::Notice, 2));
        assert!(server.peer.node.reachability().reply_addresses > 0);

        server.trusts.store(false, Ordering::SeqCst);
        channel.close();
        let aliases = || server.peer.node.reachability().reply_addresses;
        until("the aliases are gone with the channel", || aliases() == 0).await;
        let (kind, _) = exchange(&mut stranger, plain, OPEN).await;
        assert_eq!((kind, refused()), (MessageKind::Notice, 2));
        assert!(!server.was_connected());
    });
}

/// Gives what it is asked to the test, which answers.
struct Thinker(mpsc::UnboundedSender<Routed<String>>);

impl Actor for Thinker {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for Thinker {
    type Result = ();

    fn handle(&mut self, question: Routed<String>, _: &mut ActorContext<Self>) {
        self.0.send(question).unwrap();
    }
}

#[test]
fn only_the_questions_channel_brings_its_answer() {
    run(async {
        let (mut client, mut server) = (Peer::start(2).await, Peer::start(2).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let (asked, mut questions) = mpsc::unbounded_channel();
        server.node.worker("thinker", Thinker(asked)).start().unwrap();
        let route = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        Relay::start(&client.node, "relay", route![&channel, "thinker"]).unwrap();
        let door = tcp(client.listen(0).await);

        // The second question leaves by the same channel, but that is known to the relay alone.
        for (number, route) in [(1, route![&channel, "thinker"]), (2, route!["relay"])] {
            let stranger = Peer::start(1).await;
            let asking = client.ctx.ask(route, String::from("who?")).within(DEADLINE).reply_as();
            let answering = async {
                let question = questions.recv().await.unwrap();
                let asker = question.return_route().iter().last().unwrap().clone();
                let lie =
                    stranger.ctx.ask(route![&door, asker], "me!".to_string()).reply_as::<String>();
                lie.await.expect_err("the stranger's answer comes back");
                assert_eq!(
                    client.node.refusals().by(ReachabilityRule::OtherIngress.name()),
                    number
                );
                question.reply(String::from("the server")).unwrap();
            };
            let (answer, ()) = futures::join!(asking.into_future(), answering);
            let answer: Routed<String> = answer.unwrap();
            assert_eq!(answer.body(), "the server");
            assert_eq!(answer.peer(), Some(server.identifier()));
        }
        let left = || client.node.reachability().reply_addresses;
        assert_eq!(left(), 0, "a question's address ends with it");
    });
}

#[test]
fn a_mailbox_takes_only_answers_from_outside() {
    run(async {
        let (mut client, mut server) = (Peer::start(2).await, Peer::start(2).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let (asked, mut questions) = mpsc::unbounded_channel();
        server.node.worker("thinker", Thinker(asked)).start().unwrap();
        let route = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let door = tcp(client.listen(0).await);
        client.ctx.send(route![&channel, "thinker"], String::from("who?")).await.unwrap();
        let question = questions.recv().await.unwrap();
        let alias = question.return_route().iter().last().unwrap().clone();
        let stranger = Peer::start(1).await;
        for address in [&alias, client.ctx.address()] {
            let lie =
                stranger.ctx.ask(route![&door, address], "me!".to_string()).reply_as::<String>();
            lie.await.expect_err("the stranger's message comes back");
        }
        let refused = |rule: ReachabilityRule| client.node.refusals().by(rule.name());
        assert_eq!(refused(ReachabilityRule::OtherIngress), 1);
        assert_eq!(refused(ReachabilityRule::InternalIsLocal), 1);
        question.reply(String::from("the server")).unwrap();
        let answer = client.ctx.receive_within::<String>(DEADLINE).await.unwrap();
        assert_eq!(answer.body(), "the server");
    });
}
