//! A listener.
//!
//! * Owns: the listening socket.
//! * Inbox: none; it accepts until the node begins to stop.
//! * Started by [`listen`], on the first arbiter; accepted connections go to the arbiters in turn.
//! * A panic ends accepting for a moment: it is [`Supervised`], the socket stays open, and peers wait in its
//!   queue. Connections go on.

use std::{
    collections::HashSet, fmt, future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Instant,
};

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, WrapFuture};
use ockam_actix_runtime::{
    socket::accept::accept_all,
    trust::{
        origin::Door, reachability::Listening, refusal_log::RefusalLog, source::SourceAddress,
    },
    worker::supervision::{Restartable, Restarting, Supervised},
    Address, Error, Node, Result,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

use crate::{
    connection::{
        accepted::{serve, Peer},
        connection_limits::ConnectionLimits,
    },
    tcp::{configure, resolve},
};

/// How a listener is opened.
///
/// ```
/// use ockam_actix_transports::ListenOptions;
/// let options = ListenOptions::new().expose("outlet");
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    exposed: HashSet<Address>,
}

impl ListenOptions {
    /// A listener through which secure channel listeners, the forwarding service, forwarders and
    /// reply addresses are reached. Bound to a loopback address of a node without a secure
    /// channel listener, it reaches every named worker too.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets anybody who connects reach the worker at `address`, without a secure channel.
    #[must_use]
    pub fn expose(mut self, address: impl Into<Address>) -> Self {
        self.exposed.insert(address.into());
        self
    }
}

/// A TCP listener that runs until its node stops.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    address: SocketAddr,
}

impl Listener {
    /// The address that it is bound to, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({})", self.address)
    }
}

/// Listens on `address` (`host:port`) for connections of other nodes.
///
/// # Errors
/// If the address is invalid, or cannot be bound, for example because another program uses the port.
pub async fn listen(node: &Node, address: &str, options: ListenOptions) -> Result<Listener> {
    let socket = bind(address).await?;
    let bound = socket
        .local_addr()
        .map_err(|source| Error::transport(format!("cannot listen on {address}"), source))?;
    let exposed = Arc::new(options.exposed);
    let listening = Listening {
        bound: bound.to_string(),
        loopback: bound.ip().is_loopback(),
        exposed: exposed.clone(),
    };
    node.add_listener(listening);
    let plan = ListenerSpec {
        node: node.clone(),
        socket: socket.into(),
        bound,
        exposed,
        limits: ConnectionLimits::default(),
        opened: Instant::now(),
    };
    Restarting::start(node, format!("the listener on {bound}"), plan)?;
    log::info!("listening for nodes on {bound}");
    Ok(Listener { address: bound })
}

/// Binds the first of `address`'s network addresses that can be bound.
///
/// # Errors
/// As [`listen`].
pub async fn bind(address: &str) -> Result<std::net::TcpListener> {
    let mut last = None;
    for candidate in resolve(address).await? {
        match bind_one(candidate) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    let source = last.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
    Err(Error::transport(format!("cannot listen on {address}"), source))
}

fn bind_one(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted program gets its port back although old connections linger on it.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// What every acceptor of one listener begins with.
#[derive(Clone)]
struct ListenerSpec {
    node: Node,
    socket: Arc<std::net::TcpListener>,
    bound: SocketAddr,
    exposed: Arc<HashSet<Address>>,
    /// Of all connections since `opened`, also those that an acceptor before has made.
    limits: ConnectionLimits,
    opened: Instant,
}

impl Restartable for ListenerSpec {
    type Actor = Acceptor;

    fn start(&self, supervised: Supervised) -> Result<Addr<Acceptor>> {
        let failed = |source| Error::transport("cannot use the listening socket", source);
        let socket = self.socket.try_clone().map_err(failed)?;
        let accepting: Accepting = Box::pin(accept(self.clone(), socket));
        let acceptor = Acceptor { accepting: Some(accepting), supervised };
        Ok(self.node.start_on(0, move |_| acceptor))
    }

    fn stop(&self, _: Addr<Acceptor>) {}
}

type Accepting = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Acceptor {
    /// What runs from the actor's start on.
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

async fn accept(plan: ListenerSpec, socket: std::net::TcpListener) {
    let refusal_log = plan.node.refusals();
    let who = format!("the listener on {}", plan.bound);
    let serve = |stream, peer| plan.serve(stream, peer, &refusal_log);
    tokio::select! {
        error = accept_all(socket, &who, &refusal_log, serve) => log::error!("{who} ended: {error}"),
        () = plan.node.stopping() => {}
    }
}

impl ListenerSpec {
    /// Has an arbiter serve a connection, if it is admitted.
    fn serve(&self, stream: TcpStream, peer: SocketAddr, refusal_log: &RefusalLog) {
        let source = SourceAddress::of(peer.ip());
        let slot = match self.limits.take(source, self.opened.elapsed()) {
            Ok(slot) => slot,
            Err(refusal) => {
                let what = format_args!("refused {peer} on {}: {refusal}", self.bound);
                return refusal_log.warn(refusal.rule(), what);
            }
        };
        let loopback = self.bound.ip().is_loopback();
        let door = Door::Listener { loopback, exposed: self.exposed.clone() };
        let lost = move |error| log::warn!("lost the connection with {peer}: {error}");
        let stream = match configure(&stream).and_then(|()| stream.into_std()) {
            Ok(stream) => stream,
            Err(error) => return lost(error),
        };
        let node = self.node.clone();
        self.node.spawn_on(node.next_arbiter(), async move {
            let peer = Peer { name: peer.to_string(), source };
            match TcpStream::from_std(stream) {
                Ok(stream) => serve(node, stream, peer, door, slot).await,
                Err(error) => lost(error),
            }
        });
    }
}
