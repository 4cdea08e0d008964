//! Middleware: two workers, one on each node, compress what passes between them, both ways.

use actix::{Actor, Handler};
use miniz_oxide::{deflate::compress_to_vec, inflate::decompress_to_vec_with_limit};
use ockam::{
    route, Context, Direction, Echoer, MessageKind, NodeBuilder, Payload, Result, Routed,
    WorkerContext,
};
use ockam::{TcpTransport, TCP};

/// The most bytes that a message may become when it is unpacked.
const LARGEST: usize = 256 * 1024;

struct Packer {
    /// It packs what goes this way, and unpacks what comes the other way.
    packs: Direction,
}

impl Actor for Packer {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<Payload>> for Packer {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut WorkerContext<Self>) {
        let plain = message.body().len();
        let forwarded = if message.kind() == MessageKind::Notice {
            message.forward()
        } else if message.direction() == self.packs {
            let packed = compress_to_vec(message.body(), 6);
            println!("{}: {plain} bytes go as {}", message.address(), packed.len());
            message.with_body(Payload::from(packed)).forward()
        } else {
            // Where this fails the message is dropped, and whoever asks is told.
            let Ok(body) = decompress_to_vec_with_limit(message.body(), LARGEST) else { return };
            message.with_body(Payload::from(body)).forward()
        };
        forwarded.unwrap_or_else(|error| eprintln!("could not forward: {error}"));
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let there = NodeBuilder::new().start_with_context().await?;
    Echoer::start(&there, "echoer")?;
    there.worker("unpack", Packer { packs: Direction::Return }).start()?;
    let address = TcpTransport::create(&there).await?.listen("127.0.0.1:0").await?.address();

    TcpTransport::create(&ctx).await?;
    ctx.worker("pack", Packer { packs: Direction::Onward }).start()?;
    let route = route!["pack", (TCP, address.to_string()), "unpack", "echoer"];
    let answer: String = ctx.ask(route, "x".repeat(10_000)).reply_as().await?;
    println!("{} letters came back", answer.len());
    there.stop().await?;
    ctx.stop().await
}
