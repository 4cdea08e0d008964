//! A secure channel through a node that passes it on and prints what it sees: ciphertext.

use actix::{Actor, Handler};
use ockam::{
    route, Context, Echoer, NodeBuilder, Payload, Result, Routed, TcpTransport, WorkerContext, TCP,
};
use ockam::{Entity, Route, SecureChannels, TrustEveryonePolicy, Vault};

/// Prints what passes, and passes it on.
struct Curious {
    next: Route,
}

impl Actor for Curious {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<Payload>> for Curious {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut WorkerContext<Self>) {
        println!("middle node sees: {:02x?}", &message.body()[..message.body().len().min(24)]);
        let back = message.onward_route().first().is_some_and(|next| next.is_random());
        let sent = if back { message.forward() } else { message.forward_via(self.next.clone()) };
        sent.unwrap_or_else(|error| eprintln!("could not pass it on: {error}"));
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let last = NodeBuilder::new().start_with_context().await?;
    Echoer::start(last.node(), "echoer")?;
    Entity::create(&last, &Vault::create(&last)?)?
        .create_secure_channel_listener("listener", TrustEveryonePolicy)?;
    let last_address = TcpTransport::create(&last).await?.listen("127.0.0.1:0").await?.address();

    let middle = NodeBuilder::new().start_with_context().await?;
    let tcp = TcpTransport::create(&middle).await?;
    middle.worker("curious", Curious { next: route![(TCP, last_address.to_string())] }).start()?;
    let middle_address = tcp.listen("127.0.0.1:0").await?.address();

    TcpTransport::create(&ctx).await?;
    let route = route![(TCP, middle_address.to_string()), "curious", "listener"];
    let channel = Entity::create(&ctx, &Vault::create(&ctx)?)?
        .create_secure_channel(route, TrustEveryonePolicy)?;
    let answer: String =
        ctx.ask(route![channel, "echoer"], "a secret".to_string()).reply_as().await?;
    println!("answer: {answer}");
    ctx.stop().await
}
