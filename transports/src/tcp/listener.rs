//! The TCP listener.
//!
//! * Owns: the listening socket.
//! * Inbox: none; it accepts until the node begins to stop.
//! * Started by [`listen`], on the first arbiter; accepted connections go to the arbiters in turn.
//! * A panic interrupts accepting for a moment: the actor is [`Supervised`], the socket stays open,
//!   and peers wait in its queue. Open connections go on.

use std::{collections::HashSet, fmt, future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture,
};
use ockam_actix_runtime::{
    socket::{
        accept::accept_all, listener::Listener as ListeningSocket, network::Network, stream::Socket,
    },
    trust::{
        origin::Door, reachability::Listening, refusal_log::RefusalLog, source::SourceAddress,
    },
    worker::supervision::{Restartable, Restarting, Supervised},
    Address, Error, Host, Node, Result,
};
use socket2::{Domain, Protocol, Socket as SystemSocket, Type};

use crate::{
    connection::{
        accepted::{accept, Peer},
        connection_limits::ConnectionLimits,
    },
    tcp::{configure, resolve},
};

/// Where a listener listens, and who reaches what through it. An address alone (`host:port`)
/// converts into it.
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
    address: String,
    exposed: HashSet<Address>,
}

impl ListenOptions {
    /// A listener on `address` through which secure channel listeners, the forwarding service,
    /// forwarders and reply addresses are reached. Bound to a loopback address of a node without a
    /// secure channel listener, it reaches every named worker too.
    pub fn on(address: impl Into<String>) -> Self {
        Self { address: address.into(), exposed: HashSet::new() }
    }

    /// Lets anybody who connects reach the worker at `address`, without a secure channel.
    pub fn expose(mut self, address: impl Into<Address>) -> Self {
        self.exposed.insert(address.into());
        self
    }
}

impl<T: Into<String>> From<T> for ListenOptions {
    fn from(address: T) -> Self {
        Self::on(address)
    }
}

/// A TCP listener. Dropping this does not stop it; [`Listener::stop`] does.
#[derive(Clone)]
pub struct Listener {
    node: Node,
    address: SocketAddr,
    actor: Restarting<Acceptor>,
}

impl Listener {
    /// The address that it is bound to, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more connections; those that are open go on.
    ///
    /// # Errors
    /// If it was stopped before.
    pub fn stop(&self) -> Result<()> {
        let stopped =
            || Error::Usage(format!("the listener on {} was stopped before", self.address));
        stop_accepting(&self.actor.end().ok_or_else(stopped)?);
        self.node.remove_listener(&self.address.to_string());
        Ok(())
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({})", self.address)
    }
}

/// Listens for connections of other nodes.
///
/// # Errors
/// If the address is invalid, or cannot be bound, for example because another program uses the
/// port.
pub async fn listen(node: &Node, options: ListenOptions) -> Result<Listener> {
    let ListenOptions { address, exposed } = options;
    let socket = bind(node.network(), &address).await?;
    let bound = socket
        .local_address()
        .map_err(|source| Error::transport(format!("cannot listen on {address}"), source))?;
    let exposed = Arc::new(exposed);
    let listening = Listening {
        bound: bound.to_string(),
        loopback: bound.ip().is_loopback(),
        exposed: exposed.clone(),
    };
    node.add_listener(listening);
    let spec = ListenerSpec {
        node: node.clone(),
        socket: socket.into(),
        bound,
        exposed,
        limits: ConnectionLimits::of(node),
    };
    let actor = Restarting::start(node, format!("the listener on {bound}"), spec)?;
    log::info!("listening for nodes on {bound}");
    Ok(Listener { node: node.clone(), address: bound, actor })
}

/// Binds the first of `address`'s network addresses that can be bound.
///
/// # Errors
/// As [`listen`].
pub async fn bind(network: &Network, address: &str) -> Result<ListeningSocket> {
    let mut last = None;
    for candidate in resolve(network, address).await? {
        match network.bind(candidate, bind_one) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    let source = last.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
    Err(Error::transport(format!("cannot listen on {address}"), source))
}

fn bind_one(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let socket =
        SystemSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted program gets its port back although old connections linger on it.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// The spec from which every acceptor of one listener is started.
#[derive(Clone)]
struct ListenerSpec {
    node: Node,
    socket: Arc<ListeningSocket>,
    bound: SocketAddr,
    exposed: Arc<HashSet<Address>>,
    /// Count the connections of all listeners of the node.
    limits: ConnectionLimits,
}

impl Restartable for ListenerSpec {
    type Actor = Acceptor;

    fn start(&self, supervised: Supervised) -> Result<Addr<Acceptor>> {
        let failed = |source| Error::transport("cannot use the listening socket", source);
        let socket = self.socket.try_clone().map_err(failed)?;
        let accepting: Accepting = Box::pin(accept_nodes(self.clone(), socket));
        let acceptor = Acceptor { accepting: Some(accepting), supervised };
        Ok(self.node.start_on(0, move |_| acceptor))
    }

    fn stop(&self, acceptor: Addr<Acceptor>) {
        stop_accepting(&acceptor);
    }
}

type Accepting = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct Acceptor {
    /// The accept loop, until the actor starts it.
    accepting: Option<Accepting>,
    supervised: Supervised,
}

impl Actor for Acceptor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        let Some(accepting) = self.accepting.take() else { return };
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

impl Handler<Stop> for Acceptor {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Context<Self>) {
        self.supervised.end();
        context.stop();
    }
}

fn stop_accepting(acceptor: &Addr<Acceptor>) {
    // One control message for each actor.
    #[allow(clippy::disallowed_methods)]
    acceptor.do_send(Stop);
}

async fn accept_nodes(spec: ListenerSpec, socket: ListeningSocket) {
    let refusal_log = spec.node.refusals();
    let who = format!("the listener on {}", spec.bound);
    let serve = |stream, peer| spec.serve(stream, peer, &refusal_log);
    tokio::select! {
        biased;
        error = accept_all(socket, &who, &refusal_log, serve) => {
            log::error!("{who} ended: {error}");
        }
        () = spec.node.stopping() => {}
    }
}

impl ListenerSpec {
    /// Has an arbiter serve a connection, if it is admitted.
    fn serve(&self, stream: Socket, peer: SocketAddr, refusal_log: &RefusalLog) {
        let source = Some(SourceAddress::of(peer.ip()));
        let slot = match self.limits.take(source) {
            Ok(slot) => slot,
            Err(refusal) => {
                let what = format_args!("refused {peer} on {}: {refusal}", self.bound);
                return refusal_log.warn(refusal.rule(), what);
            }
        };
        let loopback = self.bound.ip().is_loopback();
        let door = Door::Listener { loopback, exposed: self.exposed.clone() };
        let lost = move |error| log::warn!("lost the connection with {peer}: {error}");
        let stream = match configure(&stream).and_then(|()| stream.detach()) {
            Ok(stream) => stream,
            Err(error) => return lost(error),
        };
        let node = self.node.clone();
        self.node.spawn_on(node.next_arbiter(), async move {
            let peer = Peer { name: peer.to_string(), source };
            match stream.attach() {
                Ok(stream) => accept(node, stream, peer, door, slot).await,
                Err(error) => lost(error),
            }
        });
    }
}
