//! A worker with a bug is started again after a panic, with the state that it began with.

use actix::{Actor, Handler};
use ockam::{Context, Ended, RestartPolicy, Result, Routed, WorkerContext};

/// Divides 100 by what it gets, and counts.
#[derive(Clone, Default)]
struct Divider {
    answers: u32,
}

impl Actor for Divider {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<u32>> for Divider {
    type Result = ();

    fn handle(&mut self, message: Routed<u32>, _: &mut WorkerContext<Self>) {
        let quotient = 100 / message.body();
        self.answers += 1;
        let answer = format!("{quotient} is answer {}", self.answers);
        message.reply(answer).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    // A clone of what is given here takes the place of one that has panicked, at most 3 times.
    let policy = RestartPolicy::at_most(3);
    let divider = ctx.worker("divider", Divider::default()).restart(policy).start()?;
    for number in [5, 10, 0, 20] {
        match ctx.ask("divider", number).reply_as::<String>().await {
            Ok(answer) => println!("100 / {number}: {answer}"),
            Err(error) => println!("100 / {number}: {error}"),
        }
    }
    divider.stop()?;
    assert_eq!(divider.ended().await, Ended::Stopped);
    println!("the divider has stopped");
    ctx.stop().await
}
