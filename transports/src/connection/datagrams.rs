//! Datagrams, which arrive beside the frames of a connection: each is one message that may be lost.
//!
//! They have no lane and take no credit, because nobody waits for them: those for which there is no
//! room are dropped and counted.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use ockam_actix_runtime::{
    edge::lane::Lanes,
    message::codec::{DecodeError, Decoder},
    trust::origin::Ingress,
    Host, Node, Origin,
};

use crate::{
    connection::{carrier::Carrier, queue::WriteQueue},
    limits::DATAGRAMS_IN_A_ROW,
};

/// Routes what arrives as datagrams on one connection.
pub(super) struct Datagrams<'a> {
    node: Node,
    ingress: Arc<Ingress>,
    queue: &'a WriteQueue,
    lanes: &'a Lanes,
    decoder: Decoder,
}

/// What the peer sent and the protocol does not allow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadDatagram {
    /// It is no message.
    #[error("it sent a datagram that breaks the protocol: {0}")]
    NoMessage(#[from] DecodeError),
    /// It is a message that has to arrive.
    #[error("it sent a message in a datagram that may not be lost")]
    NotExpendable,
}

impl<'a> Datagrams<'a> {
    /// For a connection that enters the node by `ingress`.
    pub(super) fn new(
        node: Node,
        ingress: Arc<Ingress>,
        queue: &'a WriteQueue,
        lanes: &'a Lanes,
    ) -> Self {
        Self { node, ingress, queue, lanes, decoder: Decoder::default() }
    }

    /// Routes what has arrived; ready when the peer has not kept to the protocol.
    pub(super) fn poll(
        &mut self,
        carrier: &impl Carrier,
        task: &mut Context<'_>,
    ) -> Poll<BadDatagram> {
        for _ in 0..DATAGRAMS_IN_A_ROW {
            let Poll::Ready(datagram) = carrier.poll_datagram(task) else { return Poll::Pending };
            if let Err(bad) = self.route(&datagram) {
                return Poll::Ready(bad);
            }
        }
        // Others have their turn first.
        task.waker().wake_by_ref();
        Poll::Pending
    }

    fn route(&mut self, datagram: &Bytes) -> Result<(), BadDatagram> {
        self.queue.traffic().count_received(datagram.len());
        self.queue.signs().hear();
        let Some(permit) = self.lanes.arrive_expendable(datagram.len()) else {
            let what = format_args!("dropped a datagram of {}: too much is held", self.ingress.via);
            self.node.refusals().info("expendable-no-room", what);
            return Ok(());
        };
        // A copy: the datagram may be a part of a larger buffer.
        let payload = BytesMut::from(&datagram[..]).into();
        let origin = Origin::Remote(self.ingress.clone());
        let mut message = self.decoder.decode(payload, origin)?;
        if !message.expendable {
            return Err(BadDatagram::NotExpendable);
        }
        message.return_route.push_front(self.ingress.via.clone());
        self.node.route(message.with_permit(permit.into()));
        Ok(())
    }
}
