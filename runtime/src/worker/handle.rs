//! The handle of a started worker.

use std::{fmt, future::Future, sync::Arc};

use crate::{
    address::Address,
    error::Result,
    node::{
        entry::Entry,
        life::{Ended, Life},
        Node,
    },
};

/// A started worker. Dropping this does not stop it; [`WorkerHandle::stop`] does.
///
/// ```
/// # use actix::{Actor, Context as ActorContext, Handler};
/// # use ockam_actix_runtime::Routed;
/// # struct Shop;
/// # impl Actor for Shop { type Context = ActorContext<Self>; }
/// # impl Handler<Routed<String>> for Shop {
/// #     type Result = ();
/// #     fn handle(&mut self, _: Routed<String>, _: &mut ActorContext<Self>) {}
/// # }
/// # async fn example(node: ockam_actix_runtime::Node) -> ockam_actix_runtime::Result<()> {
/// use ockam_actix_runtime::Ended;
///
/// let shop = node.worker("shop", Shop).start()?;
/// shop.stop()?;
/// assert_eq!(shop.ended().await, Ended::Stopped);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WorkerHandle {
    node: Node,
    address: Address,
    life: Arc<Life>,
}

impl WorkerHandle {
    pub(crate) fn new(node: &Node, entry: &Entry) -> Self {
        Self { node: node.clone(), address: entry.address.clone(), life: entry.life.clone() }
    }

    /// The worker's address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How many messages the worker has that it has not handled: those that wait, and those that it
    /// keeps to answer them later. None once it has stopped.
    pub fn queue_length(&self) -> usize {
        self.node.queue_length(&self.address)
    }

    /// Stops the worker and frees its address, but not that of another worker that has the address
    /// by now. The worker's actor ends soon after: see [`WorkerHandle::ended`].
    ///
    /// # Errors
    /// If it has already stopped.
    pub fn stop(&self) -> Result<()> {
        self.node.stop_life(&self.address, &self.life)
    }

    /// Waits until the worker has ended, and says how: its actor is dropped by then, after its
    /// `stopped` hook, and its address is free.
    ///
    /// A worker that is [started again](crate::RestartPolicy) after a panic has not ended. Of an
    /// actor that was started elsewhere and [registered](Node::register), only that it was
    /// stopped by its address is known.
    pub fn ended(&self) -> impl Future<Output = Ended> + Send + 'static {
        self.life.clone().ended()
    }
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHandle").field("address", &self.address).finish_non_exhaustive()
    }
}
