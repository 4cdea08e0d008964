//! How the two ends of a connection agree that the peer of a node that stops moves to another one.
//!
//! The node that stops asks by [`Signal::Drain`] on each connection that a listener of it accepted.
//! A peer that dialled a list of nodes says that it moves, and closes the connection when it has
//! done so; any other says that it stays, and is not waited for.

use std::cell::{Cell, RefCell};

use ockam_actix_runtime::{node::Busy, trust::origin::Door, Host, Node};
use tokio::time::sleep;

use crate::{connection::queue::WriteQueue, frame::Signal, limits::MOVE_ANSWER_WITHIN};

/// What one end of a connection knows of the evacuation of either node.
pub(super) struct Evacuation {
    node: Node,
    /// Starts the move of this end, if it can move; returns whether it does.
    start_move: Box<dyn Fn() -> bool>,
    is_asked: Cell<bool>,
    /// Makes this node wait, when it stops, for the peer.
    awaited: RefCell<Option<Busy>>,
}

impl Evacuation {
    /// For a connection that came in by `door`.
    pub(super) fn new(node: &Node, door: &Door, start_move: impl Fn() -> bool + 'static) -> Self {
        let asks = matches!(door, Door::Listener { .. });
        let awaited = RefCell::new(asks.then(|| node.moving()));
        let (node, start_move) = (node.clone(), Box::new(start_move));
        Self { node, start_move, is_asked: Cell::new(false), awaited }
    }

    /// Asks the peer to move once this node is evacuated. It ends when the peer has had its time to
    /// answer; at once, where nobody is asked.
    pub(super) async fn ask(&self, queue: &WriteQueue) {
        // Streams to what is on a node that is no hub are to end there.
        if self.awaited.borrow().is_none() || !self.node.will_evacuate() {
            return;
        }
        self.node.evacuating().await;
        queue.signal(Signal::Drain);
        self.is_asked.set(true);
        tokio::select! {
            biased;
            () = sleep(MOVE_ANSWER_WITHIN) => self.stays(),
            () = self.node.leaving() => {}
        }
    }

    /// The peer has sent a pong: it stays, if that answers the question.
    pub(super) fn stays(&self) {
        if self.is_asked.take() {
            self.awaited.take();
        }
    }

    /// The peer moves.
    pub(super) fn moves(&self) {
        // Also where a pong that was under way has been taken for the answer.
        if self.node.is_evacuating() {
            self.is_asked.set(false);
            self.awaited.replace(Some(self.node.moving()));
        }
    }

    /// The answer of this end to a peer that asks.
    pub(super) fn answer(&self) -> Signal {
        match (self.start_move)() {
            true => Signal::Move,
            false => Signal::Pong,
        }
    }
}
