//! Your own rules: a trust policy for channels, an access rule for a worker, and limits.

use std::time::Duration;

use ockam::{
    route, ChannelLimits, Context, Decision, Echoer, Entity, Identifier, NodeBuilder, NodeLimits,
    Origin, OutletOptions, Result, SecureChannels, TcpTransport, TrustContext, TrustPolicy, Vault,
    TCP,
};

/// Trusts one peer, and only as long as its keys were never rotated.
struct NeverRotated(Identifier);

impl TrustPolicy for NeverRotated {
    fn check(&self, context: &TrustContext) -> Decision {
        let keys = context.identity.as_ref().map_or(0, |identity| identity.key_count());
        match (context.peer == self.0, keys) {
            (true, 1) => Decision::Trusted,
            (true, _) => Decision::reject("its keys were rotated"),
            (false, _) => Decision::reject("it is somebody else"),
        }
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let mut client = Entity::create(&ctx, &Vault::create(&ctx)?)?;

    // Limits of a node, and of its secure channels.
    let limits = NodeLimits { connections: 100, streams: 1_000, ..NodeLimits::default() };
    let there = NodeBuilder::new().limits(limits).start().await?;
    let deadline = Duration::from_secs(3);
    let limits = ChannelLimits { handshake_deadline: deadline, ..ChannelLimits::default() };
    let mut server = Entity::create(&there, &Vault::create(&there)?)?.with_limits(limits);

    // The policy says who gets a channel.
    server.create_secure_channel_listener("listener", NeverRotated(client.identifier()))?;

    // The access rule says whose messages the outlet takes.
    let through_a_channel = |origin: &Origin| origin.peer().is_some();
    let options = OutletOptions::to("127.0.0.1:5000").access(through_a_channel);
    let tcp = TcpTransport::create(&there).await?;
    tcp.create_outlet("outlet", options).await?;
    Echoer::start(&there, "echoer")?;
    let address = tcp.listen("127.0.0.1:0").await?.address().to_string();

    // The client has the same policy for the server, and waits at most five seconds.
    TcpTransport::create(&ctx).await?;
    let policy = NeverRotated(server.identifier());
    let channel = client.create_secure_channel(route![(TCP, address), "listener"], policy)?;
    let question = ctx.ask(route![channel, "echoer"], "hello".to_string());
    let answer: String = question.within(Duration::from_secs(5)).reply_as().await?;
    println!("{answer}, from a peer that passed the policy");
    there.stop().await;
    ctx.stop().await
}
