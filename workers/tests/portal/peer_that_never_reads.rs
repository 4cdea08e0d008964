//! A peer that never reads costs no more than its edge, and messages that wait for that edge take
//! nothing from others.

use std::sync::{Arc, Mutex};

use ockam_actix_runtime::{
    limits::{EDGE_BUDGET_BYTES, MESSAGE_OVERHEAD_BYTES},
    message::undelivered::Undelivered,
    node::entry::{Deliver, Description, Entry},
    route, Address, Budget, Class, Host, Message, Payload, Route,
};
use ockam_actix_workers::portal::{
    pool::StreamPool,
    protocol::{message::Control, offset::Limit, reason::ResetReason},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::yield_now,
};

use crate::support::{in_time, node, outlet, run};

/// The first hop of the return route, to a peer that does not read: what comes stays.
#[derive(Clone, Default)]
struct Stuck(Arc<Mutex<Vec<Message>>>);

impl Deliver for Stuck {
    fn deliver(&self, _: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        self.0.lock().unwrap().push(message);
        Ok(())
    }
}

fn message(control: Control<'_>, back: &Route) -> Message {
    Message::new(route!["outlet"], back.clone(), Payload::from(&control.encode()[..]))
}

/// Accepts a stream's connection, and waits for its end.
async fn accept_and_end(target: &TcpListener, reset: impl FnOnce()) {
    let (mut socket, _) = in_time("a connection to the target", target.accept()).await.unwrap();
    reset();
    let end = in_time("the end of the connection", socket.read(&mut [0])).await;
    assert!(end.is_err(), "it was reset");
}

#[test]
fn reset_streams_leave_no_more_than_the_edge() {
    const MOST: usize = EDGE_BUDGET_BYTES / 4 / MESSAGE_OVERHEAD_BYTES;
    run(async {
        let ctx = node().await;
        let target = outlet(ctx.node()).await;
        let stuck = Stuck::default();
        let description = Description::new("stuck", Class::User);
        ctx.node().register_delivery(description, stuck.clone()).unwrap().detach();
        for _ in 0..MOST + 100 {
            let back = route!["stuck", Address::random()];
            let open = Control::Open {
                limit: Limit::new(1),
                secret: None,
                introduction: Default::default(),
            };
            ctx.node().route(message(open, &back));
            let reset = Control::Reset { reason: ResetReason::ByApplication };
            accept_and_end(&target, || ctx.node().route(message(reset, &back))).await;
        }
        assert_eq!(stuck.0.lock().unwrap().len(), MOST);
        in_time("the last stream's end", async {
            while StreamPool::of(ctx.node()).open() > 0 {
                yield_now().await;
            }
        })
        .await;
        ctx.stop().await.unwrap();
    });
}

#[test]
fn messages_sent_with_bytes_wait_for_no_permit() {
    run(async {
        let ctx = node().await;
        let target = outlet(ctx.node()).await;
        let (stuck, budget) = (Stuck::default(), Budget::new(EDGE_BUDGET_BYTES));
        let description = Description::new("stuck", Class::User).with_budget(budget.clone());
        ctx.node().register_delivery(description, stuck.clone()).unwrap().detach();
        let all: Vec<_> = std::iter::from_fn(|| budget.try_acquire_urgent()).collect();
        ctx.node().route(message(
            Control::Open { limit: Limit::new(1), secret: None, introduction: Default::default() },
            &route!["stuck", "s1"],
        ));
        let (mut socket, _) = in_time("the target", target.accept()).await.unwrap();
        // Opened has no permit to go alone, and goes with this.
        socket.write_all(b"!").await.unwrap();
        in_time("Opened with a byte", async {
            while stuck.0.lock().unwrap().is_empty() {
                yield_now().await;
            }
        })
        .await;
        let count = all.len();
        drop(all);
        let mut again = Vec::new();
        while again.len() < count {
            again.push(in_time("a permit of each", budget.acquire_urgent()).await.unwrap());
        }
        ctx.stop().await.unwrap();
    });
}
