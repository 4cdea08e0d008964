//! What an inlet does until it is stopped: accepting clients, or taking their datagrams.
//!
//! * Owns: nothing but the [`Serve`], which keeps its socket open over restarts.
//! * Inbox: none that workers use.
//! * Started by [`Service::start`]; ends by [`Service::stop`], when the node begins to stop, or
//!   when there is nothing more to do.
//! * A panic ends it for a moment: it is [`Supervised`], and clients wait in the socket. Streams
//!   and flows go on.

use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture,
};
use futures::future::LocalBoxFuture;
use ockam_actix_runtime::{
    node::{directory::Registration, entry::Description},
    worker::{
        mailbox::Registered,
        supervision::{Restartable, Restarting, Supervised},
    },
    Address, Class, Error, Host, Node, Payload, Result, Routed,
};

/// What one service does.
pub(crate) trait Serve: Send + Sync + 'static {
    /// What an actor is to run, on its arbiter.
    ///
    /// # Errors
    /// If that cannot be begun. It is tried again, as after a panic.
    fn begin(self: Arc<Self>) -> Result<Serving>;

    /// Called when the service has ended, but not between an actor and the next one.
    fn ended(&self) {}
}

/// Runs until it is dropped, or cannot go on.
pub(crate) type Serving = Box<dyn FnOnce(Node) -> LocalBoxFuture<'static, ()> + Send>;

/// A running service. Dropping this does not stop it; [`Service::stop`] does.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    node: Node,
    worker: Address,
    actor: Restarting<Server>,
}

impl Service {
    /// Starts it on an arbiter; `what` names it in the log.
    ///
    /// # Errors
    /// If the first actor cannot be started.
    pub(crate) fn start(
        node: &Node,
        what: String,
        arbiter: usize,
        serve: Arc<dyn Serve>,
    ) -> Result<Self> {
        let worker = Address::random();
        let spec = Spec { node: node.clone(), worker: worker.clone(), arbiter, serve };
        Ok(Self { node: node.clone(), worker, actor: Restarting::start(node, what, spec)? })
    }

    /// Ends it.
    ///
    /// # Errors
    /// If it has been stopped before.
    pub(crate) fn stop(&self) -> Result<()> {
        let stopped = || Error::WorkerEnded(self.worker.clone());
        self.actor.end().ok_or_else(stopped)?;
        // In the pause before a restart there is no actor to stop.
        let _ = self.node.stop_worker(self.worker.clone());
        Ok(())
    }
}

/// What every actor of one service is started with.
struct Spec {
    node: Node,
    worker: Address,
    arbiter: usize,
    serve: Arc<dyn Serve>,
}

impl Restartable for Spec {
    type Actor = Server;

    fn start(&self, supervised: Supervised) -> Result<Addr<Server>> {
        let server = Server {
            node: self.node.clone(),
            serving: Some(self.serve.clone().begin()?),
            serve: self.serve.clone(),
            registration: None,
            supervised,
        };
        let description = Description::new(self.worker.clone(), Class::Internal);
        self.node.launch(description.on(self.arbiter), move |_| server)
    }

    fn stop(&self, _: Addr<Server>) {
        // An error means that it has ended already.
        let _ = self.node.stop_worker(self.worker.clone());
    }

    fn ended_in_pause(&self) {
        self.serve.ended();
    }
}

struct Server {
    node: Node,
    serving: Option<Serving>,
    serve: Arc<dyn Serve>,
    registration: Option<Registration>,
    supervised: Supervised,
}

impl Actor for Server {
    type Context = Context<Self>;
}

impl Handler<Registered> for Server {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, context: &mut Context<Self>) {
        let gone = registration.entry().stop_signal();
        self.registration = Some(registration);
        let Some(serving) = self.serving.take() else { return };
        let (node, serving) = (self.node.clone(), serving(self.node.clone()));
        let serving = async move {
            tokio::select! {
                biased;
                () = serving => {}
                () = node.stopping() => {}
                _ = gone => {}
            }
        };
        context.spawn(serving.into_actor(self).map(|(), server, context| {
            server.serve.ended();
            server.supervised.end();
            context.stop();
        }));
    }
}

impl Handler<Routed<Payload>> for Server {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        log::debug!("an inlet takes no messages, but one came from {}", message.return_route());
    }
}
