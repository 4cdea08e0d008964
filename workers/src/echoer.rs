//! A worker that answers each message with the message's own payload.
//!
//! * Owns: nothing.
//! * Inbox: raw payloads; notices are not answered.
//! * Started by [`Echoer::start`]; stops with `Node::stop_worker`, or with its node.
//! * A panic would end it and free its address; there is nothing in it that could.

use actix::{Actor, Context, Handler};
use ockam_actix_runtime::{
    message::MessageKind, Address, Host, Node, Payload, Result, Routed, WorkerHandle,
};

/// Sends every payload back to its sender, byte for byte.
///
/// ```
/// # actix_rt::System::new().block_on(async {
/// use ockam_actix_runtime::{route, NodeBuilder};
/// use ockam_actix_workers::echoer::Echoer;
///
/// let node = NodeBuilder::new().arbiters(1).start().await?;
/// Echoer::start(&node, "echoer")?;
/// let answer: String = node.ask(route!["echoer"], String::from("hello")).reply_as().await?;
/// assert_eq!(answer, "hello");
/// # node.stop().await;
/// # Ok::<(), ockam_actix_runtime::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Echoer {
    node: Node,
}

impl Echoer {
    /// Starts an echoer at `address`.
    ///
    /// # Errors
    /// If the address is invalid or already in use.
    pub fn start(node: &impl AsRef<Node>, address: impl Into<Address>) -> Result<WorkerHandle> {
        let node = node.as_ref();
        node.worker(address, Self { node: node.unheld() }).start()
    }
}

impl Actor for Echoer {
    type Context = Context<Self>;
}

impl Handler<Routed<Payload>> for Echoer {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        if message.kind() == MessageKind::Notice {
            return;
        }
        let own = message.address().clone();
        let mut question = message.into_message();
        let payload = std::mem::take(&mut question.payload);
        if let Err(undelivered) = self.node.answer(question, own, payload) {
            log::debug!("an echo could not be returned: {}", undelivered.notice);
        }
    }
}
