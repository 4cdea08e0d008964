//! The virtual link: what passes through it, what it loses, and what a cut does.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{route, Context, Error, Host, NodeBuilder, Routed, UndeliverableReason};
use ockam_actix_transports::memory::{Link, LinkOptions};

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(10);

struct Echo;

impl Actor for Echo {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<u32>> for Echo {
    type Result = ();

    fn handle(&mut self, message: Routed<u32>, _: &mut ActorContext<Self>) {
        let number = *message.body();
        message.reply(number).unwrap();
    }
}

async fn linked(arbiters: usize, options: LinkOptions) -> (Context, Context, Link) {
    let builder = NodeBuilder::new().arbiters(arbiters);
    let near = builder.clone().start_with_context().await.unwrap();
    let far = builder.start_with_context().await.unwrap();
    far.worker("echo", Echo).start().unwrap();
    let link = Link::new(near.node(), far.node(), options).unwrap();
    (near, far, link)
}

fn run<F: std::future::Future<Output = ()>>(test: impl Fn(usize) -> F) {
    for arbiters in [1, 2] {
        actix_rt::System::new().block_on(test(arbiters));
    }
}

#[test]
fn messages_pass_in_order_and_answers_come_back() {
    run(|arbiters| async move {
        let (mut near, _far, link) = linked(arbiters, LinkOptions::default()).await;
        for number in 0..500_u32 {
            near.send(route![link.address(), "echo"], number).await.unwrap();
        }
        for number in 0..500 {
            assert_eq!(*near.receive_within::<u32>(DEADLINE).await.unwrap().body(), number);
        }
    });
}

#[test]
fn latency_counts_in_both_directions() {
    run(|arbiters| async move {
        let latency = Duration::from_millis(20);
        let options = LinkOptions { latency, ..LinkOptions::default() };
        let (near, _far, link) = linked(arbiters, options).await;
        let begun = Instant::now();
        let answer: u32 = near.ask(route![link.address(), "echo"], 7_u32).reply_as().await.unwrap();
        assert_eq!(answer, 7);
        assert!(begun.elapsed() >= 2 * latency, "{:?}", begun.elapsed());
    });
}

/// A number that is sent until it comes back.
const LAST: u32 = u32::MAX;

#[test]
fn the_seed_decides_what_is_lost() {
    run(|arbiters| async move {
        let options = LinkOptions { loss_per_mille: 300, seed: 42, ..LinkOptions::default() };
        let mut runs = Vec::new();
        for _ in 0..2 {
            let (mut near, far, link) = linked(arbiters, options).await;
            for number in 0..200_u32 {
                near.send(route![link.address(), "echo"], number).await.unwrap();
            }
            // What comes back, in order, before one of the last ones does.
            let mut came = Vec::new();
            while came.last() != Some(&LAST) {
                near.send(route![link.address(), "echo"], LAST).await.unwrap();
                while let Ok(answer) = near.receive_within::<u32>(Duration::from_millis(20)).await {
                    came.push(*answer.body());
                }
            }
            came.retain(|number| *number != LAST);
            far.stop().await.unwrap();
            assert!((40..160).contains(&came.len()), "{}", came.len());
            runs.push(came);
        }
        assert_eq!(runs[0], runs[1]);
    });
}

#[test]
fn a_cut_bounces_messages_until_it_is_mended() {
    run(|arbiters| async move {
        let (near, _far, link) = linked(arbiters, LinkOptions::default()).await;
        let route = route![link.address(), "echo"];
        let mut first_hop = near.node().first_hop(&route).unwrap();
        link.cut();
        first_hop.lost(0).await;
        let error = near.ask(&route, 1_u32).reply_as::<u32>().await.unwrap_err();
        let Error::Undeliverable(notice) = error else { panic!("{error}") };
        assert_eq!(notice.reason, UndeliverableReason::Disconnected);
        link.mend();
        assert_eq!(near.ask(&route, 2_u32).reply_as::<u32>().await.unwrap(), 2);
    });
}
