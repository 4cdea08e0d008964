//! A source sends as much as there is room for.

use std::time::Duration;

use actix::{Actor, AsyncContext, Handler};
use ockam::{Address, Context, Error, Result, Routed, WorkerContext};

/// Sends a reading every few milliseconds, and skips those that nobody has room for.
struct Sensor {
    outbox: Context,
    to: Address,
    reading: u32,
}

impl Actor for Sensor {
    type Context = WorkerContext<Self>;

    fn started(&mut self, context: &mut WorkerContext<Self>) {
        context.run_interval(Duration::from_millis(5), |sensor, _| {
            sensor.reading += 1;
            match sensor.outbox.try_send(sensor.to.clone(), sensor.reading) {
                Ok(()) | Err(Error::NoRoom { .. }) => {}
                Err(error) => log::warn!("reading {} is lost: {error}", sensor.reading),
            }
        });
    }
}

/// Every worker takes some messages; this one ignores them.
impl Handler<Routed<()>> for Sensor {
    type Result = ();

    fn handle(&mut self, _: Routed<()>, _: &mut WorkerContext<Self>) {}
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let mut display = Context::named(&ctx, "display")?;
    let to = display.address().clone();
    let sensor = Sensor { outbox: Context::new(&ctx)?, to, reading: 0 };
    let sensor = ctx.worker("sensor", sensor).start()?;
    for _ in 0..3 {
        println!("reading {}", display.receive::<u32>().await?.body());
    }
    sensor.stop()?;
    sensor.ended().await;
    println!("the sensor has stopped");
    ctx.stop().await
}
