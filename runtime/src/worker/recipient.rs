//! The worker that a message was delivered to, as the message knows it.

use std::sync::Arc;

use crate::{
    address::Address,
    node::{entry::Description, life::Life, Node},
};

/// One for each worker, which all its messages share.
#[derive(Debug)]
pub struct Recipient {
    pub(crate) address: Address,
    pub(crate) life: Arc<Life>,
    /// Does not keep the node running, as the node keeps the worker.
    pub(crate) node: Node,
}

impl Recipient {
    /// The worker that is to be registered on `node` as described.
    pub(crate) fn new(node: &Node, description: &Description) -> Arc<Self> {
        let address = description.address.clone();
        Arc::new(Self { address, life: description.life.clone(), node: node.unheld() })
    }

    /// How many messages of the worker there are: those that wait, and those that it holds. The
    /// others who know the worker are `beside`.
    pub(crate) fn queue_length(self: &Arc<Self>, beside: usize) -> usize {
        Arc::strong_count(self).saturating_sub(beside)
    }

    /// Who asked the one question that is described: the answer outlives the question's address.
    pub(crate) fn of_answer(node: &Node, description: &Description) -> Arc<Self> {
        let address = description.address.clone();
        Arc::new(Self { address, life: Arc::default(), node: node.unheld() })
    }
}
