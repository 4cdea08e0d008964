//! Questions through channels that nobody answers: whoever asks is told at once.

use std::future::IntoFuture;

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{route, Error, Routed, UndeliverableReason};
use ockam_actix_workers::{SecureChannels, TrustEveryonePolicy};
use tokio::sync::mpsc;

use crate::support::{honest, run, tcp, to, Middle, Peer, SERVICE};

/// Passes all that it gets on to the test.
struct Keeper(mpsc::UnboundedSender<Routed<String>>);

impl Actor for Keeper {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for Keeper {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut ActorContext<Self>) {
        self.0.send(message).unwrap();
    }
}

/// Forwards texts, and so gets no notices.
struct TypedHop;

impl Actor for TypedHop {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for TypedHop {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut ActorContext<Self>) {
        let _ = message.forward();
    }
}

fn reason(error: Error) -> UndeliverableReason {
    match error {
        Error::Undeliverable(notice) => notice.reason,
        other => panic!("another error: {other}"),
    }
}

#[test]
fn a_dropped_question_is_told_through_the_channel() {
    run(async {
        let (mut client, mut server) = (Peer::start(2).await, Peer::start(2).await);
        let hub = Peer::start(1).await;
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let (sender, mut questions) = mpsc::unbounded_channel();
        server.node.worker("keeper", Keeper(sender)).start().unwrap();
        let next = tcp(server.listen(0).await);
        let _middle = Middle::start(&hub.node, "middle", next, honest());
        let route = route![tcp(hub.listen(0).await), "middle", SERVICE];
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let ask = || {
            let question = client.ctx.ask(route![&channel, "keeper"], String::from("hello"));
            tokio::spawn(question.reply_as::<String>().into_future())
        };

        let dropped = ask();
        drop(questions.recv().await.unwrap());
        assert_eq!(reason(dropped.await.unwrap().unwrap_err()), UndeliverableReason::Unanswered);

        let answered = ask();
        questions.recv().await.unwrap().reply(String::from("well")).unwrap();
        assert_eq!(answered.await.unwrap().unwrap(), "well");

        let stopped = ask();
        let question = questions.recv().await.unwrap();
        server.node.stop_worker("keeper").unwrap();
        drop(question);
        assert_eq!(reason(stopped.await.unwrap().unwrap_err()), UndeliverableReason::WorkerStopped);
    });
}

#[test]
fn a_question_ends_with_its_channel_or_connection() {
    run(async {
        for through_channel in [true, false] {
            let (mut client, mut server) = (Peer::start(2).await, Peer::start(2).await);
            let (sender, mut questions) = mpsc::unbounded_channel();
            server.node.worker("keeper", Keeper(sender)).start().unwrap();
            if through_channel {
                server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
            }
            let address = tcp(server.listen(0).await);
            let route = match through_channel {
                true => {
                    let to = route![address, SERVICE];
                    let policy = TrustEveryonePolicy;
                    route![client.entity.create_secure_channel(to, policy).unwrap(), "keeper"]
                }
                false => route![address, "keeper"],
            };
            let question = client.ctx.ask(route, String::from("hello")).reply_as::<String>();
            let asked = tokio::spawn(question.into_future());
            let question = questions.recv().await.unwrap();
            server.node.stop().await;
            assert_eq!(
                reason(asked.await.unwrap().unwrap_err()),
                UndeliverableReason::Disconnected
            );
            drop(question);
        }
    });
}

#[test]
fn notices_from_afar_pass_a_typed_worker() {
    run(async {
        let (mut client, mut server) = (Peer::start(2).await, Peer::start(2).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        client.node.worker("typed", TypedHop).start().unwrap();
        server.node.worker("typed", TypedHop).start().unwrap();
        let to = to(server.listen(0).await);
        let channel = client.entity.create_secure_channel(to, TrustEveryonePolicy).unwrap();
        let near = route!["typed", &channel, "nobody"];
        for route in [near, route!["typed", &channel, "typed", "nobody"]] {
            let asked = client.ctx.ask(route, String::from("hello")).reply_as::<String>().await;
            assert_eq!(reason(asked.unwrap_err()), UndeliverableReason::Unreachable);
        }
    });
}
