//! Proxies for outgoing connections over TCP, where a network lets nothing out but through one.
//!
//! | idea | module |
//! |---|---|
//! | which variables of the environment name a proxy | [`environment`] |
//! | a proxy's URL, with credentials that nobody sees | [`server`] |
//! | the peers that are connected to without it, as `NO_PROXY` lists them | [`exceptions`] |
//! | asking a proxy for a peer: HTTP `CONNECT`, SOCKS5 | [`tunnel`], [`http`], [`socks`] |
//!
//! The proxy sees bytes that it cannot read if they are those of a secure channel, so `HTTPS_PROXY`
//! is the variable that applies to all connections between nodes, and `ALL_PROXY` where that is not
//! set; `HTTP_PROXY`, for content that a proxy reads and caches, never applies. Names are those of
//! curl: the form in lower case takes precedence, and an empty variable counts as not set. Unlike
//! with curl, a proxy is never asked for this machine or this link, such as `localhost`: to the
//! proxy, that would be its own.
//!
//! The code that reads variables and speaks to proxies is not from a crate: the existing ones skip
//! a variable that they cannot read, know no ports in `NO_PROXY`, lose bytes that a peer sends
//! together with a proxy's answer, say too little about a refusal, or bring a second version of
//! dependencies that are built already. The intricate parts come from small crates: `httparse`,
//! `base64`, `percent-encoding`, and `ipnet` for networks in `NO_PROXY`.

mod environment;
mod exceptions;
mod http;
mod server;
mod socks;
mod tunnel;
mod wire;

use std::{env, sync::Arc};

use ockam_actix_runtime::{
    lock::Lock,
    socket::{host_port::HostPort, network::Network},
    Error, Host, Node, Result,
};

use exceptions::Exceptions;
pub(crate) use server::ProxyServer;

/// Which connections to other nodes go through a proxy.
///
/// Unless a node is told otherwise, it does as the environment says when its first transport is
/// created: `HTTPS_PROXY` or `ALL_PROXY` names the proxy, as `http://proxy:3128` for one that
/// understands HTTP's `CONNECT`, or `socks5h://proxy:1080` for SOCKS5 (`socks5://` if names are to
/// be looked up here and not by the proxy), both with `user:password@` before the host if it asks
/// for that. `NO_PROXY` lists the peers that are connected to without it.
///
/// ```
/// # actix_rt::System::new().block_on(async {
/// use ockam_actix_runtime::NodeBuilder;
/// use ockam_actix_transports::Proxies;
///
/// let node = NodeBuilder::new().start().await?;
/// let proxies = Proxies::through("http://user:secret@proxy.example.org:3128")?;
/// proxies.except("10.0.0.0/8, .internal.example.org")?.use_for(&node)?;
/// # node.stop().await;
/// # Ok::<(), ockam_actix_runtime::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Proxies {
    server: Option<Arc<ProxyServer>>,
    exceptions: Exceptions,
}

/// What a node uses: chosen by its application, or else by its first transport.
#[derive(Default)]
struct Chosen(Lock<Option<Arc<Proxies>>>);

impl Proxies {
    /// No proxy, whatever the environment says.
    pub fn none() -> Self {
        Self::default()
    }

    /// What `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say now.
    ///
    /// # Errors
    /// If one of them has another form than the one that is expected.
    pub fn from_environment() -> Result<Self> {
        environment::read(|name| env::var_os(name)).map(Self::named)
    }

    fn named(named: Option<(ProxyServer, Exceptions)>) -> Self {
        let through = |(server, exceptions)| Self { server: Some(Arc::new(server)), exceptions };
        named.map_or_else(Self::none, through)
    }

    /// All connections through the proxy at `url`: `http://`, `socks5://` or `socks5h://`, perhaps
    /// `user:password@`, the host, and perhaps a port; without one, 80 and 1080.
    ///
    /// # Errors
    /// If it has another form.
    pub fn through(url: &str) -> Result<Self> {
        let server = ProxyServer::parse(url, "the proxy's URL")?;
        Ok(Self::named(Some((server, Exceptions::default()))))
    }

    /// But to some peers without it: a list, with commas between them, of names, which stand for
    /// all below them, too, addresses, networks such as `10.0.0.0/8`, each of the first two perhaps
    /// with a port, or `*` for all.
    ///
    /// # Errors
    /// If one of them is none of these.
    pub fn except(mut self, peers: &str) -> Result<Self> {
        let parsed = Exceptions::parse(peers);
        self.exceptions = parsed.map_err(|why| Error::Usage(format!("the exceptions: {why}")))?;
        Ok(self)
    }

    /// Has the node connect through these. To be called before its first transport is created.
    ///
    /// # Errors
    /// If that has been.
    pub fn use_for(self, node: &impl AsRef<Node>) -> Result<()> {
        let chosen = node.as_ref().extension(Chosen::default);
        let mut chosen = chosen.0.lock();
        if chosen.is_some() {
            return Err("choose the proxies once, before the first transport is created".into());
        }
        *chosen = Some(Arc::new(self));
        Ok(())
    }

    /// Those of `node`. One in a simulated network has none, whatever the machine's environment.
    pub(crate) fn of(node: &Node) -> Result<Arc<Self>> {
        let chosen = node.extension(Chosen::default);
        let mut chosen = chosen.0.lock();
        if let Some(proxies) = &*chosen {
            return Ok(proxies.clone());
        }
        let proxies = match matches!(node.network(), Network::System) {
            true => Self::from_environment()?,
            false => Self::none(),
        };
        Ok(chosen.insert(Arc::new(proxies)).clone())
    }

    /// The proxy that a connection to `peer` goes through, if it is one that has to.
    pub(crate) fn server_for(&self, peer: &HostPort<'_>) -> Option<&ProxyServer> {
        let server = self.server.as_deref()?;
        (!peer.is_local() && !self.exceptions.contain(peer)).then_some(server)
    }
}

#[cfg(test)]
mod tests;
