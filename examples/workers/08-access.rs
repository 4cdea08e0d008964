//! A worker that is reached through secure channels, by one identity.

use actix::{Actor, Handler};
use ockam::{
    access, route, Context, NodeBuilder, Result, Routed, TcpTransport, WorkerContext, TCP,
};
use ockam::{Entity, SecureChannels, TrustEveryonePolicy, TrustIdentifierPolicy, Vault};

struct Safe;

impl Actor for Safe {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<String>> for Safe {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut WorkerContext<Self>) {
        let answer = format!("the safe is open, {}", message.body());
        message.reply(answer).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let vault = Vault::create(&ctx)?;
    let (mut alice, mut mallory) = (Entity::create(&ctx, &vault)?, Entity::create(&ctx, &vault)?);

    // Another node: it has channels with everybody, but the safe is for Alice.
    let there = NodeBuilder::new().start().await?;
    let only_alice = access::from_identities([alice.identifier()]);
    there.worker("safe", Safe).access(only_alice).start()?;
    let mut bank = Entity::create(&there, &Vault::create(&there)?)?;
    bank.create_secure_channel_listener("door", TrustEveryonePolicy)?;
    let listener = TcpTransport::create(&there).await?.listen("127.0.0.1:0").await?;

    TcpTransport::create(&ctx).await?;
    let door = route![(TCP, listener.address().to_string()), "door"];
    for (name, entity) in [("Alice", &mut alice), ("Mallory", &mut mallory)] {
        // Both know the bank, and would notice another one.
        let bank = TrustIdentifierPolicy::new(bank.identifier());
        let channel = entity.create_secure_channel(&door, bank)?;
        match ctx.ask(route![channel, "safe"], name.to_owned()).reply_as::<String>().await {
            Ok(answer) => println!("{answer}"),
            Err(error) => println!("{name}: {error}"),
        }
    }
    there.stop().await;
    ctx.stop().await
}
