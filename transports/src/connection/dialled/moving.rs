//! How a connection moves to another peer of its list when its own is about to stop: it goes on
//! until the other peer has answered, so that nobody waits for that.

use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use ockam_actix_runtime::{
    clock::Instant,
    edge::backoff::Backoff,
    socket::connect::{race, NoneAnswered},
    Address, Error,
};
use tokio::time::sleep;

use crate::{
    connection::dialled::{greet, Dialled, Phase},
    limits::{DIAL_TIMEOUT, FIRST_BACKOFF, MAX_BACKOFF, STEADY_AFTER},
};

/// From a session to its connection: the peer is about to stop.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct MoveOn {
    /// The session, by the address that its answers come back to.
    via: Address,
}

impl Dialled {
    /// What the session at `via` calls when its peer is about to stop.
    pub(super) fn start_move(
        &self,
        via: &Address,
        context: &mut Context<Self>,
    ) -> impl Fn() -> bool + 'static {
        let can_move = self.address.alternatives().nth(1).is_some();
        let (actor, via) = (context.address(), via.clone());
        move || {
            if can_move {
                // One control message at the end of a connection.
                #[allow(clippy::disallowed_methods)]
                actor.do_send(MoveOn { via: via.clone() });
            }
            can_move
        }
    }

    /// Connects to another peer of the list.
    fn move_on(&mut self, context: &mut Context<Self>) {
        let (peer, list) = (self.connected_peer(), self.peer());
        log::info!("the node at {peer} stops soon; moving to another one of {list}");
        let others: Vec<_> =
            self.address.alternatives().filter(|peer| Some(peer) != self.last.as_ref()).collect();
        let connectors = self.connectors.clone();
        // Peers that send each other their clients cannot make this node busy.
        let pause = STEADY_AFTER.saturating_sub(self.since.elapsed());
        let connecting = async move {
            sleep(pause).await;
            let mut backoff = Backoff::new(FIRST_BACKOFF, MAX_BACKOFF);
            loop {
                let begun = Instant::now();
                let greeted = |peer| greet(&connectors, peer);
                let connected: Result<_, NoneAnswered<Error>> =
                    race(others.clone(), begun + DIAL_TIMEOUT, greeted).await;
                match connected {
                    Ok(connected) => return (begun, connected),
                    Err(_) => sleep(backoff.next_pause()).await,
                }
            }
        };
        let moved = connecting.into_actor(self).map(|(begun, (session, peer)), actor, context| {
            actor.since = begun;
            actor.connected(session, peer, context);
        });
        let moved = context.spawn(moved);
        if let Phase::Connected { moving, .. } = &mut self.phase {
            *moving = Some(moved);
        }
    }

    /// Whether answers come back to `address` over the connection that it has now.
    pub(super) fn is_connected_by(&self, address: &Address) -> bool {
        matches!(&self.phase, Phase::Connected { via, .. } if via.address() == address)
    }
}

impl Handler<MoveOn> for Dialled {
    type Result = ();

    fn handle(&mut self, MoveOn { via }: MoveOn, context: &mut Context<Self>) {
        match &self.phase {
            Phase::Connected { via: own, moving: None, .. } if *own.address() == via => {
                self.move_on(context);
            }
            // It moves already, or has another connection by now.
            _ => {}
        }
    }
}
