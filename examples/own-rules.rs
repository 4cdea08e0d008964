//! Rules of one's own: a policy for channels, an access rule for a worker, and limits.

use std::time::Duration;

use ockam::{
    route, ChannelLimits, Context, Decision, Echoer, Entity, Identifier, NodeBuilder, NodeLimits,
    Origin, OutletOptions, Result, SecureChannels, TcpTransport, TrustContext, TrustPolicy, Vault,
    TCP,
};

/// Trusts one peer, and only while the keys that it shows are its first ones.
struct NeverRotated(Identifier);

impl TrustPolicy for NeverRotated {
    fn check(&self, context: &TrustContext) -> Decision {
        let keys = context.identity.as_ref().map_or(0, |identity| identity.key_count());
        match (context.peer == self.0, keys) {
            (true, 1) => Decision::Trusted,
            (true, _) => Decision::reject("its keys were replaced"),
            (false, _) => Decision::reject("it is somebody else"),
        }
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let client = Entity::create(&ctx, &Vault::create(&ctx)?)?;

    let limits = NodeLimits { connections: 100, streams: 1_000, ..NodeLimits::default() };
    let there = NodeBuilder::new().limits(limits).start().await?;
    let deadline = Duration::from_secs(3);
    let limits = ChannelLimits { handshake_deadline: deadline, ..ChannelLimits::default() };
    let mut server = Entity::create(&there, &Vault::create(&there)?)?.with_limits(limits);
    server.create_secure_channel_listener("listener", NeverRotated(client.identifier()))?;
    let tcp = TcpTransport::create(&there).await?;
    let through_a_channel = |origin: &Origin| origin.peer().is_some();
    tcp.create_outlet("outlet", OutletOptions::to("127.0.0.1:5000").access(through_a_channel))
        .await?;
    Echoer::start(&there, "echoer")?;
    let address = tcp.listen("127.0.0.1:0").await?.address().to_string();

    TcpTransport::create(&ctx).await?;
    let server = NeverRotated(server.identifier());
    let channel =
        client.clone().create_secure_channel(route![(TCP, address), "listener"], server)?;
    let wait = Duration::from_secs(5);
    let answer: String =
        ctx.ask_within(route![channel, "echoer"], "hello".to_string(), wait).await?;
    println!("{answer}, from a peer that passed the policy");
    there.stop().await;
    ctx.stop().await
}
