//! A node with a TCP transport and an identity of its own, in this process.

use ockam::{Context, Entity, NodeBuilder, TcpTransport, Vault};

/// The parts that a test works with.
pub(crate) struct Node {
    pub(crate) ctx: Context,
    pub(crate) tcp: TcpTransport,
    pub(crate) entity: Entity,
}

impl Node {
    /// Starts it with `arbiters` arbiters.
    pub(crate) async fn start(arbiters: usize) -> Self {
        let ctx = NodeBuilder::new().arbiters(arbiters).start_with_context().await.unwrap();
        let tcp = TcpTransport::create(&ctx).await.unwrap();
        let entity = Entity::create(&ctx, &Vault::create(&ctx).unwrap()).unwrap();
        Self { ctx, tcp, entity }
    }
}
