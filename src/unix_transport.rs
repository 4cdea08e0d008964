//! Unix sockets for a node.

use std::path::{Path, PathBuf};

use ockam_actix_runtime::{Address, Node, Result};
use ockam_actix_transports::{unix, ListenOptions, Listener, UNIX};

use crate::tcp_transport::connect;

/// A node's connections to other nodes of the same machine over Unix sockets.
///
/// ```no_run
/// use ockam::{route, Context, Echoer, ListenOptions, Result, UnixTransport, UNIX};
///
/// #[ockam::node]
/// async fn main(ctx: Context) -> Result<()> {
///     let unix = UnixTransport::create(&ctx).await?;
///     // For all of the file's group.
///     unix.listen(ListenOptions::on("/run/ockam/node.sock").mode(0o660)).await?;
///     let route = route![(UNIX, "/run/ockam/other.sock"), "echoer"];
///     let _: String = ctx.ask(route, "hello".to_string()).reply_as().await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct UnixTransport {
    node: Node,
}

impl UnixTransport {
    /// Makes the node able to dial: routes that start with `(UNIX, "/path")` work from here on.
    ///
    /// # Errors
    /// None at present; it returns a result because setting up a transport may fail.
    pub async fn create(node: &impl AsRef<Node>) -> Result<Self> {
        let node = node.as_ref();
        unix::add(node);
        Ok(Self { node: node.clone() })
    }

    /// Listens for connections of other nodes on an absolute path, or with [`ListenOptions`] that
    /// also say who may connect, and what they reach.
    ///
    /// A socket that a process has left behind is replaced. The file is removed when the listener
    /// stops.
    ///
    /// # Errors
    /// If the path is relative or in use, or cannot be bound.
    pub async fn listen(&self, options: impl Into<ListenOptions>) -> Result<Listener<PathBuf>> {
        unix::listen(&self.node, options.into())
    }

    /// Connects to the node that listens on `path`, or uses the connection that exists; returns the
    /// address that stands for it in routes.
    ///
    /// # Errors
    /// If nothing answers there, or what answers is not a node.
    pub async fn connect(&self, path: impl AsRef<Path>) -> Result<Address> {
        connect(&self.node, Address::from((UNIX, path.as_ref().to_string_lossy()))).await
    }
}
