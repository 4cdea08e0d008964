//! An accepted connection.
//!
//! * Owns: its socket, its write queue, the registration of its random address.
//! * Inbox: messages to the peer, which it queues for the socket.
//! * Started by the [`listener`](super::listener) after the greeting, on an arbiter of its own
//!   turn; stops with the socket. Its address is unregistered then, and its paths end.
//! * A panic ends it like a lost socket: the peer connects again.

use std::{net::SocketAddr, sync::Arc};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use ockam_actix_runtime::{
    edge::first_hop::PathState,
    node::{directory::Registration, entry::Description},
    trust::{
        origin::{Door, Ingress},
        refusal_log::Complaints,
        source::SourceAddress,
    },
    worker::mailbox::Adopt,
    Address, Class, Culprit, Node, Payload, Routed,
};
use tokio::{net::TcpStream, sync::watch};

use crate::tcp::{places::Place, queue::WriteQueue, session::Session};

pub(crate) struct Accepted {
    node: Node,
    via: Address,
    queue: WriteQueue,
    /// The remote end, for caps and rates.
    source: SourceAddress,
    /// What runs from the actor's start on.
    session: Option<(Session, Door)>,
    /// Dropped with the actor: the paths through this connection end.
    _state: watch::Sender<PathState>,
    registration: Option<Registration>,
    /// Counts this connection against its listener's limit.
    _place: Place,
}

/// Greets the peer of an accepted socket and serves it until it is gone. Runs on the arbiter
/// that the connection stays on.
pub(crate) async fn serve(
    node: Node,
    stream: TcpStream,
    peer: SocketAddr,
    door: Door,
    place: Place,
) {
    let session = match Session::greet(stream, peer.to_string()).await {
        Ok(session) => session,
        Err(error) => {
            let complaints = node.extension::<Complaints>();
            return complaints.warn("no-greeting", format_args!("{}", error.one_line()));
        }
    };
    let state = watch::Sender::new(PathState { epoch: 0, up: true, failure: None });
    let via = Address::random();
    let description = Description::new(via.clone(), Class::Reply).with_state(state.subscribe());
    let accepted = Accepted {
        node: node.unheld(),
        via,
        queue: session.queue(),
        source: SourceAddress::of(peer.ip()),
        session: Some((session, door)),
        _state: state,
        registration: None,
        _place: place,
    };
    if let Err(error) = node.launch_here(description, accepted) {
        log::debug!("{error}");
    }
}

impl Actor for Accepted {
    type Context = Context<Self>;
}

impl Handler<Adopt> for Accepted {
    type Result = ();

    fn handle(&mut self, Adopt(registration): Adopt, context: &mut Context<Self>) {
        self.registration = Some(registration);
        let Some((session, door)) = self.session.take() else { return };
        let ingress = Arc::new(Ingress { via: self.via.clone(), door, source: Some(self.source) });
        let running = session.run(self.node.clone(), ingress, self.queue.clone());
        context.spawn(running.into_actor(self).map(|error, actor, context| {
            // Peers come and go; one that breaks the protocol is news.
            match error.culprit() {
                Culprit::Peer => {
                    let complaints = actor.node.extension::<Complaints>();
                    complaints.warn("protocol-broken", format_args!("{}", error.one_line()));
                }
                Culprit::Caller | Culprit::Transport | Culprit::Bug => {
                    log::debug!("{}", error.one_line());
                }
            }
            context.stop();
        }));
    }
}

impl Handler<Routed<Payload>> for Accepted {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        let mut message = message.into_message();
        self.node.conceal_names(&mut message.return_route);
        if let Err(undelivered) = self.queue.push(message) {
            self.node.bounce(undelivered);
        }
    }
}
