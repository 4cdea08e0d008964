//! The inlet: accepts clients and tunnels each connection to an outlet.
//!
//! * Owns: the listening socket, and the file of a Unix socket, which goes when it ends.
//! * Inbox: none that workers use; it accepts until it is stopped or the node begins to stop.
//! * Started by [`Inlet::start`], on the arbiter of its route's first hop, so that clients of a
//!   channel begin where the channel lives; where the first hop is a worker of this node, clients
//!   go to the arbiters in turn.
//! * A panic ends accepting for a moment: it is a [`Service`], the socket stays open, and clients
//!   wait in its queue. Streams go on.

mod clients;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use futures::FutureExt;
use ockam_actix_runtime::{
    metrics::{
        portal::{Portal, PortalKind},
        Metrics,
    },
    socket::{endpoint::Endpoint, listener::Listener, unix::UnixSocket},
    Error, Host, Node, Result, Route,
};
use socket2::SockRef;

use crate::portal::{
    inlet::clients::{accept_clients, Accept},
    known_outlet::KnownOutlet,
    limits::RESUME_FOR,
    service::{Serve, Service, Serving},
    target::{connect::prepare, unix_path},
};

/// A running inlet. Dropping this does not stop it; [`Inlet::stop`] does.
#[derive(Clone, Debug)]
pub struct Inlet {
    service: Service,
    endpoint: Endpoint,
}

/// Along which route an inlet's streams go, and for how long they outlive it. A route alone
/// converts into one.
///
/// ```
/// use std::time::Duration;
/// use ockam_actix_workers::portal::InletOptions;
///
/// let options = InletOptions::along("outlet").resume_for(Duration::from_secs(600));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct InletOptions {
    route: Route,
    resume_for: Duration,
    hides_clients: bool,
    is_socks: bool,
}

impl InletOptions {
    /// Streams go along `route`, to an outlet.
    pub fn along(route: impl Into<Route>) -> Self {
        Self { route: route.into(), resume_for: RESUME_FOR, hides_clients: false, is_socks: false }
    }

    /// Keeps a stream whose path is lost, and its client, for up to `limit` until there is a path
    /// again; [`RESUME_FOR`] if this is not called. Zero has streams end with their paths.
    pub const fn resume_for(mut self, limit: Duration) -> Self {
        self.resume_for = limit;
        self
    }

    /// Does not tell the outlet, which else may tell its target, where clients come from.
    pub const fn hide_clients(mut self) -> Self {
        self.hides_clients = true;
        self
    }

    /// Clients speak SOCKS5 without authentication, and name the servers that the outlet connects
    /// them to, if it permits these.
    pub const fn socks(mut self) -> Self {
        self.is_socks = true;
        self
    }
}

impl<T: Into<Route>> From<T> for InletOptions {
    fn from(route: T) -> Self {
        Self::along(route)
    }
}

/// Checks the path of a Unix socket, if `address` is `unix:/path` or `unix:///path`.
///
/// # Errors
/// If no socket can have it.
pub fn check_unix(address: &str) -> Option<Result<()>> {
    Some(socket_path(address)?.map(drop))
}

fn socket_path(address: &str) -> Option<Result<PathBuf>> {
    let is_right = |meant: &str| matches!(unix_path(meant), Some(Ok(_)));
    let written = (address, "a place to listen");
    Some(unix_path(address)?.map_err(|misspelt| misspelt.error(written, is_right)))
}

/// Listens at a Unix socket, if `address` is `unix:/path` or `unix:///path`. Its file has `mode`,
/// which says who may connect, and is removed when nothing listens any more; one that a socket has
/// left behind is replaced.
///
/// # Errors
/// If the path cannot be used, or something listens there.
pub fn listen_unix(address: &str, mode: u32) -> Option<Result<Listener>> {
    let failed = |source| Error::not_bound(address, source);
    let bind = |path| Ok(UnixSocket::bind(path, mode).map_err(failed)?.into());
    Some(socket_path(address)?.and_then(bind))
}

impl Inlet {
    /// Accepts clients on `listener` and tunnels them to an outlet: along a route, or as
    /// [`InletOptions`] say.
    ///
    /// # Errors
    /// If the route is invalid or empty, or its first hop does not exist and cannot be dialled.
    pub fn start(
        node: &impl AsRef<Node>,
        listener: impl Into<Listener>,
        options: impl Into<InletOptions>,
    ) -> Result<Self> {
        let (node, listener) = (node.as_ref(), listener.into());
        let InletOptions { route, resume_for, hides_clients, is_socks } = options.into();
        let first_hop = node.first_hop(&route)?;
        let failed = |source| Error::transport("cannot use the inlet's listening socket", source);
        let endpoint = listener.endpoint().map_err(failed)?;
        for listener in listener.system() {
            listener.set_nonblocking(true).map_err(failed)?;
            // Each accepted socket inherits this, so that there is no moment at which SIGKILL looks
            // like an end.
            prepare(&SockRef::from(listener)).map_err(failed)?;
        }
        let arbiter = first_hop.arbiter.unwrap_or(0);
        let portal = Portal::new(PortalKind::Inlet, endpoint.to_string(), route.to_string());
        let portal = Metrics::of(node).portals.list(portal.over(route.first()));
        log::info!("inlet on {endpoint} leads to {route}");
        let accept = Accept {
            endpoint: endpoint.clone(),
            route,
            resume_for,
            hides_clients,
            is_socks,
            outlet: KnownOutlet::default(),
            portal: portal.into(),
            first_hop,
        };
        let what = format!("the inlet on {endpoint}");
        let service =
            Service::start(node, what, arbiter, Arc::new(Accepting { listener, accept }))?;
        Ok(Self { service, endpoint })
    }

    /// The address that clients connect to, with the port that the system chose for port 0. Of an
    /// inlet at a Unix socket, this is `0.0.0.0:0`: see [`Inlet::endpoint`].
    pub fn address(&self) -> SocketAddr {
        self.endpoint.network().unwrap_or(SocketAddr::from(([0; 4], 0)))
    }

    /// Where clients connect: an address, or the path of a Unix socket.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Stops accepting clients; open streams go on.
    ///
    /// # Errors
    /// If it has been stopped before.
    pub fn stop(&self) -> Result<()> {
        self.service.stop()
    }
}

/// What every actor of one inlet accepts with.
struct Accepting {
    listener: Listener,
    accept: Accept,
}

impl Serve for Accepting {
    fn begin(self: Arc<Self>) -> Result<Serving> {
        let failed = |source| Error::transport("cannot use the listening socket", source);
        let listener = self.listener.try_clone().map_err(failed)?;
        Ok(Box::new(move |node| {
            let serving = async move {
                tokio::select! {
                    biased;
                    () = accept_clients(&node, listener, &self.accept) => {}
                    () = self.accept.learn_of_outlet(&node) => {}
                }
            };
            serving.boxed_local()
        }))
    }

    fn ended(&self) {
        if let Some(socket) = self.listener.unix() {
            socket.remove_file();
        }
    }
}
