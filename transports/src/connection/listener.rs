//! The listener of any transport.
//!
//! * Owns: the listening socket.
//! * Inbox: none; it accepts until the node begins to stop.
//! * Started by [`listen`], on the first arbiter; accepted connections go to the arbiters in turn.
//! * A panic interrupts accepting for a moment: the actor is [`Supervised`], the socket stays open,
//!   and peers wait in its queue. Open connections go on.

use std::{collections::HashSet, fmt, future::Future, io, net::SocketAddr, sync::Arc};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture,
};
use ockam_actix_runtime::{
    node::Busy,
    trust::{
        members::Members, origin::Door, reachability::Listening, refusal_log::RefusalLog,
        source::SourceAddress,
    },
    worker::supervision::{Restartable, Restarting, Supervised},
    Address, Error, Host, Node, Result,
};
use tokio::time::timeout;

use crate::{
    connection::{
        accepted::{accept, log_ungreeted, Peer},
        carrier::Carrier,
        connection_limits::{ConnectionLimits, ConnectionSlot},
    },
    limits::GREETING_TIMEOUT,
};

/// A bound socket of one transport, on which other nodes connect.
pub trait Binding: Send + Sync + 'static {
    /// What the socket is bound to.
    type Address: Clone + fmt::Debug + Send + Sync + 'static;
    /// What it accepts.
    type Incoming: Incoming;

    /// What it is bound to, with the port that the system chose for port 0.
    fn address(&self) -> Self::Address;

    /// The same for people, unique among the listeners of a node: `127.0.0.1:4000`, or
    /// `quic#127.0.0.1:4000`.
    fn name(&self) -> String;

    /// Whether only programs of this machine can connect.
    fn is_loopback(&self) -> bool;

    /// Accepts connections and hands each to `serve`, until the future is dropped. It runs on the
    /// first arbiter, and again after a panic. A failure to accept is logged, as one of `who`, as
    /// often as `log` permits, and accepting goes on.
    ///
    /// # Errors
    /// Returns only if the socket cannot be used any more.
    fn accept_all(
        &self,
        who: &str,
        log: &RefusalLog,
        serve: impl FnMut(Self::Incoming, Peer),
    ) -> impl Future<Output = io::Error>;
}

/// A connection that was accepted and is not on an arbiter yet.
pub trait Incoming: Send + 'static {
    /// What carries the bytes of the connection.
    type Carrier: Carrier;

    /// Does what the transport has to do before nodes greet each other, on the arbiter that the
    /// connection stays on: a handshake, for example. The caller bounds its time. The slot counts
    /// the connection until it is dropped.
    ///
    /// # Errors
    /// If the peer does not keep to the transport's protocol, or is gone.
    fn open(self, slot: ConnectionSlot) -> impl Future<Output = Result<Opened<Self::Carrier>>>;
}

/// What an accepted connection has become.
pub enum Opened<C> {
    /// A carrier, with the slots of the connections that it takes.
    Carrier(C, Vec<ConnectionSlot>),
    /// A part of a carrier that another one brings.
    Part,
}

impl<C> Opened<C> {
    /// The carrier that one connection is.
    pub fn one(carrier: C, slot: ConnectionSlot) -> Self {
        Self::Carrier(carrier, vec![slot])
    }
}

/// Where a listener listens, and who reaches what through it. An address alone converts into it.
///
/// ```
/// use ockam_actix_transports::ListenOptions;
///
/// let options = ListenOptions::on("127.0.0.1:4000").expose("outlet");
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ListenOptions {
    pub(crate) address: String,
    exposed: HashSet<Address>,
    pub(crate) mode: u32,
}

impl ListenOptions {
    /// A listener on `address` through which secure channel listeners, the forwarding service,
    /// forwarders and reply addresses are reached. Bound to a loopback address of a node without a
    /// secure channel listener, it reaches every named worker too.
    pub fn on(address: impl Into<String>) -> Self {
        Self { address: address.into(), exposed: HashSet::new(), mode: 0o600 }
    }

    /// Lets anybody who connects reach the worker at `address`, without a secure channel.
    pub fn expose(mut self, address: impl Into<Address>) -> Self {
        self.exposed.insert(address.into());
        self
    }

    /// Who may connect to a Unix socket, as the mode of its file: with `0o660`, for example, all
    /// of the file's group. Without this call, only the user that the node runs as.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }
}

impl<T: Into<String>> From<T> for ListenOptions {
    fn from(address: T) -> Self {
        Self::on(address)
    }
}

/// A running listener on an `A`: a [`SocketAddr`] or the path of a socket.
/// Dropping this does not stop it; [`Listener::stop`] does.
pub struct Listener<A = SocketAddr> {
    address: A,
    name: String,
    node: Node,
    /// Stops the acceptor; false if it was stopped before.
    stop: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl<A: Clone> Listener<A> {
    /// The address that it is bound to, with the port that the system chose for port 0.
    pub fn address(&self) -> A {
        self.address.clone()
    }

    /// Accepts no more connections; those that are open go on.
    ///
    /// # Errors
    /// If it was stopped before.
    pub fn stop(&self) -> Result<()> {
        if !(self.stop)() {
            return Err(Error::Usage(format!("the listener on {} was stopped before", self.name)));
        }
        self.node.remove_listener(&self.name);
        Ok(())
    }
}

impl<A: Clone> Clone for Listener<A> {
    fn clone(&self) -> Self {
        let Self { address, name, node, stop } = self;
        Self {
            address: address.clone(),
            name: name.clone(),
            node: node.clone(),
            stop: stop.clone(),
        }
    }
}

impl<A> fmt::Debug for Listener<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({})", self.name)
    }
}

/// Accepts connections of other nodes on a bound socket, as `options` say.
///
/// # Errors
/// If the node is stopped, or the system refuses.
pub fn listen<B: Binding>(
    node: &Node,
    binding: B,
    options: ListenOptions,
) -> Result<Listener<B::Address>> {
    let (address, name) = (binding.address(), binding.name());
    let exposed = Arc::new(options.exposed);
    let loopback = binding.is_loopback();
    node.add_listener(Listening { bound: name.clone(), loopback, exposed: exposed.clone() });
    let limits = ConnectionLimits::of(node);
    let (own, open) = (node.clone(), node.link());
    let spec = Listens { node: own, binding, name: name.clone(), exposed, limits, _open: open };
    let what = format!("the listener on {name}");
    let actor = Restarting::start(node, what, Spec(Arc::new(spec)))?;
    log::info!("listening for nodes on {name}");
    let stop = move || actor.end().map(|acceptor| stop_accepting(&acceptor)).is_some();
    Ok(Listener { address, name, node: node.clone(), stop: Arc::new(stop) })
}

/// What all acceptors of one listener have in common.
struct Listens<B> {
    node: Node,
    binding: B,
    name: String,
    exposed: Arc<HashSet<Address>>,
    /// Count the connections of all listeners of the node.
    limits: ConnectionLimits,
    /// A node has stopped when its sockets are closed: others may listen in its place. Dropped
    /// after the binding.
    _open: Busy,
}

/// The spec from which every acceptor of one listener is started.
struct Spec<B>(Arc<Listens<B>>);

impl<B: Binding> Restartable for Spec<B> {
    type Actor = Acceptor<B>;

    fn start(&self, supervised: Supervised) -> Result<Addr<Acceptor<B>>> {
        let acceptor = Acceptor { listens: self.0.clone(), supervised };
        Ok(self.0.node.start_on(0, move |_| acceptor))
    }

    fn stop(&self, acceptor: Addr<Acceptor<B>>) {
        stop_accepting(&acceptor);
    }
}

struct Acceptor<B: Binding> {
    listens: Arc<Listens<B>>,
    supervised: Supervised,
}

impl<B: Binding> Actor for Acceptor<B> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        let listens = self.listens.clone();
        let accepting = async move { listens.accept().await };
        context.spawn(accepting.into_actor(self).map(|(), acceptor, context| {
            acceptor.supervised.end();
            context.stop();
        }));
    }
}

/// From the program: accept no more connections.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Stop;

impl<B: Binding> Handler<Stop> for Acceptor<B> {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Context<Self>) {
        self.supervised.end();
        context.stop();
    }
}

fn stop_accepting<B: Binding>(acceptor: &Addr<Acceptor<B>>) {
    // One control message for each actor.
    #[allow(clippy::disallowed_methods)]
    acceptor.do_send(Stop);
}

impl<B: Binding> Listens<B> {
    async fn accept(&self) {
        let refusal_log = self.node.refusals();
        let who = format!("the listener on {}", self.name);
        let serve = |incoming, peer| self.serve(incoming, peer, &refusal_log);
        tokio::select! {
            biased;
            error = self.binding.accept_all(&who, &refusal_log, serve) => {
                log::error!("{who} ended: {error}");
            }
            () = self.node.evacuating() => {}
        }
    }

    /// Has an arbiter serve a connection, if it is admitted.
    fn serve(&self, incoming: B::Incoming, peer: Peer, refusal_log: &RefusalLog) {
        let slot = self.limits.take(peer.source).or_else(|refused| {
            match Members::of(&self.node).are_expected() {
                true => self.limits.take_guest(peer.source, refused),
                false => Err(refused),
            }
        });
        let slot = match slot {
            Ok(slot) => slot,
            Err(refusal) => {
                let what = format_args!("refused {} on {}: {refusal}", peer.name, self.name);
                return refusal_log.warn(refusal.rule(), what);
            }
        };
        let loopback = self.binding.is_loopback();
        let door = Door::Listener { loopback, exposed: self.exposed.clone() };
        let node = self.node.clone();
        self.node.spawn_on(node.next_arbiter(), async move {
            // What the transport does may be bound to the arbiter that it began on.
            actix_rt::spawn(serve_here(node, incoming, peer, door, slot));
        });
    }
}

/// Makes what was accepted a connection of this arbiter.
async fn serve_here(
    node: Node,
    incoming: impl Incoming,
    peer: Peer,
    door: Door,
    slot: ConnectionSlot,
) {
    let opened = timeout(GREETING_TIMEOUT, incoming.open(slot)).await.unwrap_or_else(|_| {
        let waited_for = format!("the handshake of {}", peer.name);
        Err(Error::TimedOut { waited_for, limit: GREETING_TIMEOUT })
    });
    match opened {
        Ok(Opened::Carrier(carrier, slots)) => accept(node, carrier, peer, door, slots).await,
        Ok(Opened::Part) => {}
        Err(error) => log_ungreeted(&node, &error),
    }
}

/// A peer with a network address, which it is counted against.
impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self { name: address.to_string(), source: Some(SourceAddress::of(address.ip())) }
    }
}
