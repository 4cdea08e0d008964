//! Your own transport: two nodes of one process connect over a Unix socket.

use std::{
    io::{IoSlice, Result as IoResult},
    task::{Context as TaskContext, Poll},
};

use ockam::{author::*, route, Context, Echoer, Error, Node, NodeBuilder, Result, TransportType};
use tokio::net::{UnixListener, UnixStream};

/// Peers of this transport have addresses such as `local#/run/node.sock`.
const LOCAL: TransportType = TransportType::new("local");

/// A connected socket. The node does everything else: greeting, frames, limits and pauses.
struct Socket(UnixStream);

impl Carrier for Socket {
    fn poll_read_ready(&self, task: &mut TaskContext<'_>) -> Poll<IoResult<()>> {
        self.0.poll_read_ready(task)
    }
    fn try_read(&self, buffer: &mut BytesMut) -> IoResult<usize> {
        self.0.try_read_buf(buffer)
    }
    fn poll_write_ready(&self, task: &mut TaskContext<'_>) -> Poll<IoResult<()>> {
        self.0.poll_write_ready(task)
    }
    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> IoResult<usize> {
        self.0.try_write_vectored(slices)
    }
}

/// Makes a socket for a peer, given what follows the `#` in its address.
struct Local;

impl Connector for Local {
    type Carrier = Socket;

    fn check(&self, path: &str) -> Result<()> {
        let relative = || Error::Usage(format!("\"{path}\" is not an absolute path"));
        path.starts_with('/').then_some(()).ok_or_else(relative)
    }
    async fn connect(&self, path: String) -> Result<Socket> {
        Ok(Socket(UnixStream::connect(path).await?))
    }
}

/// Accepts connections for `node`, on its first arbiter.
fn listen(node: &Node, listener: std::os::unix::net::UnixListener) {
    let (node, limits) = (node.clone(), ConnectionLimits::of(node));
    node.clone().spawn_on(0, async move {
        let listener = UnixListener::from_std(listener).expect("it does not block");
        while let Ok((stream, _)) = listener.accept().await {
            let peer = Peer { name: "a local peer".into(), source: None };
            // Only programs of this machine connect, as through a loopback address.
            let door = Door::Listener { loopback: true, exposed: Default::default() };
            // Over the limit, the connection is dropped.
            let Ok(slot) = limits.take(None) else { continue };
            actix_rt::spawn(accept(node.clone(), Socket(stream), peer, door, vec![slot]));
        }
    });
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    // One node listens, and answers.
    let path = std::env::temp_dir().join(format!("ockam-{}.sock", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&path)?;
    listener.set_nonblocking(true)?;
    let there = NodeBuilder::new().start().await?;
    Echoer::start(&there, "echoer")?;
    listen(&there, listener);

    // The other one dials, and asks.
    add_connector(&ctx, LOCAL, Local);
    let path = path.display().to_string();
    let answer: String =
        ctx.ask(route![(LOCAL, &path), "echoer"], "hello".to_string()).reply_as().await?;
    println!("over {path}: {answer}");

    std::fs::remove_file(path)?;
    there.stop().await;
    ctx.stop().await
}
