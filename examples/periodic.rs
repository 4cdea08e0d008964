//! A source: an actor that sends a reading at intervals, and skips those that nobody has room for.

use std::time::Duration;

use actix::{Actor, AsyncContext};
use ockam::{Address, Context, Error, Result, WorkerContext};

struct Sensor {
    outbox: Context,
    display: Address,
    reading: u32,
}

impl Actor for Sensor {
    type Context = WorkerContext<Self>;

    fn started(&mut self, context: &mut WorkerContext<Self>) {
        context.run_interval(Duration::from_millis(20), |sensor, _| sensor.read());
    }
}

impl Sensor {
    fn read(&mut self) {
        self.reading += 1;
        match self.outbox.try_send(self.display.clone(), self.reading) {
            Ok(()) => {}
            Err(Error::NoRoom { .. }) => eprintln!("reading {} is skipped", self.reading),
            Err(error) => eprintln!("no reading sent: {error}"),
        }
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let mut display = Context::named(&ctx, "display")?;
    let outbox = Context::new(&ctx)?;
    Sensor { outbox, display: display.address().clone(), reading: 0 }.start();
    for _ in 0..3 {
        println!("reading {}", display.receive::<u32>().await?.body());
    }
    ctx.stop().await
}
