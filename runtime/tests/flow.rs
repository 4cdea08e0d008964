//! How sources and workers keep pace: room that is waited for, or not, and what waits.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{future::Future, time::Duration};

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{
    limits::{EDGE_BUDGET_BYTES, MAX_PAYLOAD_BYTES, MESSAGE_OVERHEAD_BYTES},
    Context, Error, NodeBuilder, Payload, Routed, UndeliverableReason,
};
use tokio::sync::mpsc;

const DEADLINE: Duration = Duration::from_secs(10);

fn run<F: Future<Output = ()>>(test: impl Fn(Context) -> F) {
    for arbiters in [1, 3] {
        actix_rt::System::new().block_on(async {
            let builder = NodeBuilder::new().arbiters(arbiters);
            let context = builder.start_with_context().await.unwrap();
            let node = context.node().clone();
            let ended = tokio::time::timeout(DEADLINE, test(context)).await;
            ended.expect("the test ends in time");
            node.stop().await;
        });
    }
}

/// Passes all that it gets on to the test.
struct Keeper(mpsc::UnboundedSender<Routed<Payload>>);

impl Actor for Keeper {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Payload>> for Keeper {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        self.0.send(message).unwrap();
    }
}

const CHUNK: usize = 60 * 1024;

fn chunk() -> Payload {
    Payload::from(vec![7; CHUNK])
}

#[test]
fn a_source_waits_for_room_or_is_told() {
    run(|context| async move {
        let (sender, mut kept) = mpsc::unbounded_channel();
        let worker = context.worker("keeper", Keeper(sender)).start().unwrap();
        let room = EDGE_BUDGET_BYTES / (CHUNK + MESSAGE_OVERHEAD_BYTES);
        for _ in 0..room {
            context.try_send("keeper", chunk()).unwrap();
        }
        let full = context.try_send("keeper", chunk()).unwrap_err();
        assert!(matches!(&full, Error::NoRoom { hop } if *hop == "keeper".into()), "{full}");
        let mut waiting = std::pin::pin!(context.send("keeper", chunk()));
        assert!(futures::poll!(waiting.as_mut()).is_pending());

        let mut all = Vec::new();
        while all.len() < room {
            all.push(kept.recv().await.unwrap());
        }
        assert_eq!(worker.queue_length(), room);
        drop(all.pop());
        waiting.await.unwrap();
        all.push(kept.recv().await.unwrap());
        assert_eq!(worker.queue_length(), room);
        drop(all);
        assert_eq!(worker.queue_length(), 0);
        worker.stop().unwrap();
        assert_eq!(worker.queue_length(), 0);
    });
}

#[test]
fn a_context_counts_what_it_has_not_received() {
    run(|context| async move {
        let mut program = Context::named(&context, "program").unwrap();
        assert_eq!(program.queue_length(), 0);
        for number in 0..3_u8 {
            context.send("program", number).await.unwrap();
        }
        assert_eq!(program.queue_length(), 3);
        drop(program.receive::<u8>().await.unwrap());
        assert_eq!(program.queue_length(), 2);
    });
}

#[test]
fn bodies_that_are_too_large_are_explained() {
    run(|context| async move {
        let large = || Payload::from(vec![0; MAX_PAYLOAD_BYTES + 1]);
        let (sender, mut kept) = mpsc::unbounded_channel();
        context.worker("keeper", Keeper(sender)).start().unwrap();
        let error = context.send("keeper", large()).await.unwrap_err().to_string();
        assert!(error.contains("63489 bytes") && error.contains("at most 63488"), "{error}");
        assert!(error.contains("send it in parts"), "{error}");
        // A worker that cannot answer with so much has the error, and who asks is told.
        let answering = async {
            let message = kept.recv().await.unwrap();
            assert!(matches!(message.reply(large()), Err(Error::TooLarge { .. })));
        };
        let question = context.ask("keeper", Payload::default());
        let (asked, ()) = futures::join!(async { question.await }, answering);
        let Err(Error::Undeliverable(told)) = asked else { panic!("{asked:?}") };
        assert_eq!(told.reason, UndeliverableReason::TooLarge);
        assert!(told.detail.contains("its answer has 63489 bytes"), "{told}");
    });
}
