//! Users' workers, relays, and the routers that messages pass.

use actix::{Actor, Context, Handler};
use ockam::{route, Error, Message, Relay, Result, Routed, UndeliverableReason};
use ockam_actix_runtime::{
    message::undelivered::Undelivered,
    node::entry::{Deliver, Description, Entry},
    Class, Host,
};
use serde::{de, Deserialize, Deserializer, Serialize};

use crate::nodes::{run, stop, until, Peer};

fn reason<T: std::fmt::Debug>(result: Result<T>) -> UndeliverableReason {
    match result {
        Err(Error::Undeliverable(notice)) => notice.reason,
        other => panic!("expected a notice, got {other:?}"),
    }
}

/// A text whose decoder has a bug.
#[derive(Serialize)]
struct Fragile(String);

impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(decoder)?;
        assert!(text != "break", "a decoder with a bug");
        text.parse().map(Fragile).map_err(de::Error::custom)
    }
}

/// Answers with what it got.
struct Careless;

impl Actor for Careless {
    type Context = Context<Self>;
}

impl Handler<Routed<Fragile>> for Careless {
    type Result = ();

    fn handle(&mut self, message: Routed<Fragile>, _: &mut Context<Self>) {
        let text = message.body().0.clone();
        message.reply(text).unwrap();
    }
}

/// Panics at every message.
struct Broken;

impl Deliver for Broken {
    fn deliver(&self, _: &Entry, _: Message) -> Result<(), Box<Undelivered>> {
        panic!("a delivery with a bug")
    }
}

#[test]
fn panic_in_users_worker_frees_its_address() {
    run(|arbiters| async move {
        let peer = Peer::start(arbiters).await;
        let before = peer.workers();
        peer.node.worker("careless", Careless).start().unwrap();
        peer.panic_in("Careless");
        peer.is_as_before(&before).await;
        peer.lives().await;
        peer.node.worker("careless", Careless).start().unwrap();
        let answer: String =
            peer.node.ask(route!["careless"], String::from("hello")).reply_as().await.unwrap();
        assert_eq!(answer, "hello");
        stop([peer]).await;
    });
}

#[test]
fn panic_in_echoer_or_relay_frees_its_address() {
    run(|arbiters| async move {
        let peer = Peer::start(arbiters).await;
        Relay::start(&peer.node, "relay", route![]).unwrap_err();
        Relay::start(&peer.node, "relay", route!["echoer"]).unwrap();
        for (kind, name) in [("Relay", "relay"), ("Echoer", "echoer")] {
            peer.panic_in(kind);
            until("its address is free", || !peer.node.is_registered(&name.into())).await;
            let asked =
                peer.node.ask(route![name], String::from("hello")).reply_as::<String>().await;
            assert!(matches!(asked, Err(Error::NoWorker(_))), "{asked:?}");
        }
        ockam::Echoer::start(&peer.node, "echoer").unwrap();
        peer.lives().await;
        stop([peer]).await;
    });
}

#[test]
fn panic_in_decoder_is_reported_to_the_sender() {
    run(|arbiters| async move {
        let (here, there) = (Peer::start(arbiters).await, Peer::start(arbiters).await);
        let address = there.listen().await;
        for arbiter in 0..arbiters {
            there
                .node
                .worker(format!("careless{arbiter}"), Careless)
                .arbiter(arbiter)
                .start()
                .unwrap();
        }
        assert_eq!(here.echo(route![address.clone()]).await.unwrap(), "hello");
        let first_hop = here.first_hop(&address);
        for arbiter in 0..arbiters {
            let to = route![address.clone(), format!("careless{arbiter}")];
            let broken =
                here.node.ask(to.clone(), String::from("break")).reply_as::<String>().await;
            assert_eq!(reason(broken), UndeliverableReason::BodyNotUnderstood);
            let answer: String = here.node.ask(to, String::from("whole")).reply_as().await.unwrap();
            assert_eq!(answer, "whole");
        }
        assert_eq!(first_hop.state().epoch, 0, "the connection went on");
        there.lives().await;
        stop([here, there]).await;
    });
}

#[test]
fn panic_in_delivery_leaves_router_and_sender_running() {
    run(|arbiters| async move {
        let (here, there) = (Peer::start(arbiters).await, Peer::start(arbiters).await);
        let address = there.listen().await;
        let broken: Vec<_> = (0..arbiters)
            .map(|arbiter| {
                let name = format!("broken{arbiter}");
                let description = Description::new(name, Class::User).on(arbiter);
                there.node.register_delivery(description, Broken).unwrap()
            })
            .collect();
        let first_hop = here.first_hop(&address);
        for registration in &broken {
            let to = route![address.clone(), registration.address().clone()];
            here.ctx.send(to, String::from("hello")).await.unwrap();
            assert_eq!(here.echo(route![address.clone()]).await.unwrap(), "hello");
        }
        assert_eq!(first_hop.state().epoch, 0, "the connection went on");
        there.node.worker("careless", Careless).arbiter(arbiters - 1).start().unwrap();
        let answer: String =
            there.node.ask(route!["careless"], String::from("x")).reply_as().await.unwrap();
        assert_eq!(answer, "x");
        stop([here, there]).await;
    });
}
