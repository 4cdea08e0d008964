//! TCP for a node: where transports and portals meet.

use std::time::Duration;

use ockam_actix_runtime::{Address, Error, Host, Node, Result, Route};
use ockam_actix_transports::{
    tcp::{self, listener},
    ListenOptions, Listener, TCP,
};
use ockam_actix_workers::portal::{
    self,
    inlet::{check_unix, listen_unix},
    limits::RESUME_FOR,
    Inlet, Outlet, OutletOptions,
};

/// A node's connections to other nodes over TCP, and to TCP servers and clients through portals.
///
/// ```no_run
/// use ockam::{route, Context, Result, TcpTransport, TCP};
///
/// #[ockam::node]
/// async fn main(ctx: Context) -> Result<()> {
///     let tcp = TcpTransport::create(&ctx).await?;
///     tcp.create_inlet("127.0.0.1:4001", route![(TCP, "127.0.0.1:4000"), "outlet"]).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct TcpTransport {
    node: Node,
}

impl TcpTransport {
    /// Makes the node able to dial: routes that start with `(TCP, "host:port")` work from here on.
    ///
    /// Connections go through the proxy that the environment names, as
    /// [`Proxies`](ockam_actix_transports::Proxies) says.
    ///
    /// # Errors
    /// If `HTTPS_PROXY`, `ALL_PROXY` or `NO_PROXY` is set and has another form than is expected.
    pub async fn create(node: &impl AsRef<Node>) -> Result<Self> {
        let node = node.as_ref();
        tcp::add(node)?;
        Ok(Self { node: node.clone() })
    }

    /// As [`create`](Self::create), with several TCP connections to each peer, up to
    /// [`MAX_PARTS`](ockam_actix_transports::limits::MAX_PARTS), which carry what one would.
    ///
    /// For long paths: a system lets one TCP connection have a few megabytes under way, which at a
    /// round trip of 100 ms are 30 MB/s. Whoever listens needs to do nothing, and counts each
    /// connection against its limits.
    ///
    /// ```no_run
    /// # async fn example(ctx: ockam::Context) -> ockam::Result<()> {
    /// let tcp = ockam::TcpTransport::with_connections(&ctx, 8).await?;
    /// # let _ = tcp;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`create`](Self::create), or if `connections` is 0 or too large.
    pub async fn with_connections(node: &impl AsRef<Node>, connections: usize) -> Result<Self> {
        let node = node.as_ref();
        tcp::add_bundling(node, connections)?;
        Ok(Self { node: node.clone() })
    }

    /// Listens for connections of other nodes on `"host:port"`, or with [`ListenOptions`] that say
    /// what anybody may reach through the listener.
    ///
    /// # Errors
    /// If the address is invalid, or cannot be bound, for example because another program uses the
    /// port.
    pub async fn listen(&self, options: impl Into<ListenOptions>) -> Result<Listener> {
        listener::listen(&self.node, options.into()).await
    }

    /// Connects to the node at `peer` (`host:port`), or uses the connection that exists; returns
    /// the address that stands for it in routes.
    ///
    /// # Errors
    /// If nothing answers at `peer`, or what answers is not a node.
    pub async fn connect(&self, peer: impl AsRef<str>) -> Result<Address> {
        connect(&self.node, Address::from((TCP, peer.as_ref()))).await
    }

    /// Starts an outlet: a worker at `address` whose streams connect to a target, which is
    /// `"host:port"`, `"unix:/path"`, or [`OutletOptions`] that also say for whom, and for how long
    /// streams outlive a lost path.
    ///
    /// # Errors
    /// If the address is invalid or already in use, or the target has another form.
    pub async fn create_outlet(
        &self,
        address: impl Into<Address>,
        options: impl Into<OutletOptions>,
    ) -> Result<Outlet> {
        Outlet::start(&self.node, address, options)
    }

    /// Starts an inlet: a TCP server that tunnels each client along `route` to an outlet. It
    /// listens on `"host:port"`, at `"unix:/path"`, or as [`InletOptions`] say.
    ///
    /// # Errors
    /// If the address cannot be bound, or the route's first hop does not exist.
    pub async fn create_inlet(
        &self,
        options: impl Into<InletOptions>,
        route: impl Into<Route>,
    ) -> Result<Inlet> {
        let InletOptions { listen, mode, resume_for, hides_clients, is_socks } = options.into();
        let listener = match listen {
            Listen::On(address) => match listen_unix(&address, mode) {
                Some(listener) => listener?,
                None => listener::bind(self.node.network(), &address).await?,
            },
            Listen::With(listener) => listener.into(),
        };
        let mut streams = portal::InletOptions::along(route).resume_for(resume_for);
        if hides_clients {
            streams = streams.hide_clients();
        }
        if is_socks {
            streams = streams.socks();
        }
        Inlet::start(&self.node, listener, streams)
    }
}

/// Waits for the connection to a peer.
pub(crate) async fn connect(node: &Node, address: Address) -> Result<Address> {
    let mut first_hop = node.first_hop(&Route::from(address.clone()))?;
    first_hop.attempted().await.map_err(|why| Error::Usage(why.to_string()))?;
    Ok(address)
}

/// Where an inlet listens, and for how long its streams outlive a lost path. An address alone
/// (`host:port`, or `unix:/path`) converts into it.
///
/// ```no_run
/// # async fn example(tcp: ockam::TcpTransport) -> ockam::Result<()> {
/// use std::{net::TcpListener, time::Duration};
///
/// use ockam::{route, InletOptions};
///
/// // A socket that was opened before privileges were dropped.
/// let listener = TcpListener::bind("127.0.0.1:80")?;
/// tcp.create_inlet(InletOptions::with(listener), route!["outlet"]).await?;
///
/// // For clients that rather begin anew than wait for longer than five seconds.
/// let impatient = InletOptions::on("127.0.0.1:4001").resume_for(Duration::from_secs(5));
/// tcp.create_inlet(impatient, route!["outlet"]).await?;
///
/// // A Unix socket, for all of its file's group.
/// let local = InletOptions::on("unix:/run/db.sock").mode(0o660);
/// println!("inlet on {}", tcp.create_inlet(local, route!["outlet"]).await?.endpoint());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct InletOptions {
    listen: Listen,
    mode: u32,
    resume_for: Duration,
    hides_clients: bool,
    is_socks: bool,
}

#[derive(Debug)]
enum Listen {
    On(String),
    With(std::net::TcpListener),
}

impl InletOptions {
    /// On `address`: `host:port`, or `unix:/path` for a Unix socket.
    ///
    /// The file of a Unix socket is removed when the inlet stops, and replaced if a program has
    /// left it behind. Such a socket knows no reset: its clients see one as an end.
    pub fn on(address: impl Into<String>) -> Self {
        Self::of(Listen::On(address.into()))
    }

    /// With a socket that listens already.
    pub fn with(listener: std::net::TcpListener) -> Self {
        Self::of(Listen::With(listener))
    }

    /// Checks what needs nothing to be bound.
    ///
    /// # Errors
    /// If the address is none to listen on.
    pub fn check(&self) -> Result<()> {
        match &self.listen {
            Listen::On(address) => match check_unix(address) {
                Some(checked) => checked,
                None => tcp::check_peer(address),
            },
            Listen::With(_) => Ok(()),
        }
    }

    const fn of(listen: Listen) -> Self {
        Self { listen, mode: 0o600, resume_for: RESUME_FOR, hides_clients: false, is_socks: false }
    }

    /// Who may connect to a Unix socket, as the mode of its file: with `0o660`, for example, all of
    /// its group. `0o600` if this is not called: only this user. An address does without it.
    pub const fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Keeps a stream whose path is lost, and its client, for up to `limit` until there is a path
    /// again; [`RESUME_FOR`] if this is not called. Zero has streams end with their paths.
    ///
    /// The outlet has a limit of its own, [`OutletOptions::resume_for`], and whichever is reached
    /// first ends the stream.
    pub const fn resume_for(mut self, limit: Duration) -> Self {
        self.resume_for = limit;
        self
    }

    /// Does not tell the outlet where clients come from, which it would else tell its target with
    /// [`OutletOptions::proxy_protocol`].
    pub const fn hide_clients(mut self) -> Self {
        self.hides_clients = true;
        self
    }

    /// Clients speak SOCKS5, and name the servers that the outlet connects them to, if its
    /// [patterns](OutletOptions::to) permit these. Whoever reaches the inlet may ask, as there is
    /// no authentication.
    pub const fn socks(mut self) -> Self {
        self.is_socks = true;
        self
    }
}

impl<T: Into<String>> From<T> for InletOptions {
    fn from(address: T) -> Self {
        Self::on(address)
    }
}
