//! A channel that is lost and meets another identity: whom it takes, and what becomes of answers
//! for the first one.

use std::time::Duration;

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{route, Address, Context, Error, Host, Routed, UndeliverableReason};
use ockam_actix_workers::{
    identity::policy::{Decision, TrustContext},
    secure_channel::{Limits, SecureChannelOptions},
    Entity, SecureChannel, SecureChannels, TrustEveryonePolicy,
};
use tokio::sync::mpsc;

use crate::support::{quick, run, to, until, Echo, Peer, DEADLINE, SERVICE};

/// A server with an identity of its own, at any port or at that of one before.
async fn server(port: u16) -> (Peer, u16) {
    let mut server = Peer::start(1).await;
    server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
    Echo::start(&server.node, "echo");
    let port = server.listen(port).await;
    (server, port)
}

async fn is_with(channel: &SecureChannel, server: &Peer) {
    until("the channel is established", || channel.peer() == Some(server.identifier())).await;
}

/// Gives what it is asked to the test, which answers later.
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

/// The address of the channel at the server's end.
async fn far_end(client: &Peer, channel: &SecureChannel, server: &Peer) -> Address {
    let mut spy = Context::named(&server.node, "spy").unwrap();
    client.ctx.send(route![channel, "spy"], String::from("?")).await.unwrap();
    let heard = spy.receive_within::<String>(DEADLINE).await.unwrap();
    heard.return_route().first().unwrap().clone()
}

#[test]
fn an_answer_for_one_peer_never_reaches_another() {
    run(async {
        let mut client = Peer::start(2).await;
        let (asked, mut questions) = mpsc::unbounded_channel();
        client.node.worker("thinker", Thinker(asked)).start().unwrap();
        let (first, port) = server(0).await;
        let options = SecureChannelOptions::to(to(port)).any_trusted_peer();
        let channel = client.entity.create_secure_channel(options, TrustEveryonePolicy).unwrap();
        is_with(&channel, &first).await;

        // The two servers use the same name, which is not concealed as nobody has it yet.
        let asker = Address::from("asker");
        let to_thinker = route![far_end(&client, &channel, &first).await, "thinker"];
        first.node.send_from(&asker, to_thinker, String::from("who?")).await.unwrap();
        let question = questions.recv().await.unwrap();
        first.node.stop().await;
        let (second, _) = server(port).await;
        let mut asker = Context::named(&second.node, asker).unwrap();
        is_with(&channel, &second).await;

        let late = question.reply(String::from("for the first alone"));
        let Err(Error::Undeliverable(notice)) = late else { panic!("expected an error: {late:?}") };
        assert_eq!(notice.reason, UndeliverableReason::Unreachable);
        let text = String::from("hello");
        let echo: String =
            client.ctx.ask(route![&channel, "echo"], text.clone()).reply_as().await.unwrap();
        assert_eq!(echo, text);
        let heard = asker.receive_within::<String>(Duration::ZERO).await;
        assert!(matches!(heard, Err(Error::TimedOut { .. })), "{heard:?}");
    });
}

#[test]
fn answers_pass_while_their_session_lasts() {
    run(async {
        let mut client = Peer::start(2).await;
        let echo = Echo::start(&client.node, "client-echo");
        let (server, port) = server(0).await;
        let channel = client.entity.create_secure_channel(to(port), TrustEveryonePolicy).unwrap();
        is_with(&channel, &server).await;
        let back = far_end(&client, &channel, &server).await;
        for _ in 0..100 {
            let text = String::from("hello");
            let answer: Routed<String> =
                server.ctx.ask(route![&back, "client-echo"], text).reply_as().await.unwrap();
            assert_eq!(
                (answer.body().as_str(), answer.peer()),
                ("hello", Some(client.identifier()))
            );
        }
        assert_eq!(echo.peers(), vec![Some(server.identifier()); 100]);
    });
}

#[test]
fn a_channel_keeps_to_its_first_identity() {
    run(async {
        let pause = Duration::from_millis(10);
        let limits = Limits { first_refusal_pause: pause, longest_refusal_pause: pause, ..quick() };
        let mut client = Peer::with_limits(2, limits).await;
        let (first, port) = server(0).await;
        // Not the policy that says so: this one may decide otherwise the next time.
        let anybody = |_: &TrustContext| Decision::Trusted;
        let channel = client.entity.create_secure_channel(to(port), anybody).unwrap();
        is_with(&channel, &first).await;
        let local = first.entity.local_identity();
        first.node.stop().await;

        let (second, _) = server(port).await;
        until("the channel is lost", || channel.peer().is_none()).await;
        let refused = channel.established_within(DEADLINE).await.unwrap_err().to_string();
        for peer in [local.identifier(), second.identifier()] {
            assert!(refused.contains(&peer.to_string()), "{refused} names {peer}");
        }
        second.node.stop().await;

        // The first identity is taken again, wherever it lives now.
        let mut third = Peer::start(1).await;
        third.entity = Entity::new(&third.node, local);
        third.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        third.listen(port).await;
        is_with(&channel, &third).await;
    });
}
