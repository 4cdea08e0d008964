//! A node of a simulated network, with the power button of its host.

use std::{
    fmt,
    future::Future,
    ops::Deref,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures::FutureExt as _;
use ockam_actix_runtime::{
    simulated::Host, Context as NodeContext, Error, Node, NodeBuilder, Result,
};
use tokio::sync::oneshot;

type Program = Rc<dyn Fn(Node) -> Pin<Box<dyn Future<Output = Result<()>>>>>;

/// A node of a simulated [`Network`](super::Network).
///
/// It is used like any other node: `TcpTransport::create(&node)`, `node.worker("shop", Shop)`.
/// What is to come back after a restart is put into [`boot`](Self::boot).
///
/// ```
/// use ockam::{testing::Network, Echoer, Result};
///
/// # fn main() -> Result<()> {
/// let net = Network::seeded(1);
/// let mut a = net.node("a");
/// net.run(async {
///     a.boot(|node| async move { Echoer::start(&node, "echo").map(drop) }).await?;
///     a.kill();
///     a.restart().await?;
///     let answer: u32 = a.context()?.ask("echo", 7_u32).reply_as().await?;
///     assert_eq!(answer, 7);
///     Ok(())
/// })
/// # }
/// ```
pub struct TestNode {
    host: Host,
    node: Node,
    program: Option<Program>,
}

impl TestNode {
    /// Starts a node.
    pub(super) fn start(host: Host) -> Self {
        let node = start(&host);
        Self { host, node, program: None }
    }

    /// Runs `program` in the node, now and after each [`restart`](Self::restart): what a program's
    /// `main` does. All that it starts ends with the node.
    ///
    /// # Errors
    /// That of the program; [`Error::Stopped`] if the node ends before it is done.
    pub async fn boot<F, P>(&mut self, program: F) -> Result<()>
    where
        F: Fn(Node) -> P + 'static,
        P: Future<Output = Result<()>> + 'static,
    {
        self.program = Some(Rc::new(move |node| program(node).boxed_local()));
        self.run_program().await
    }

    fn run_program(&self) -> Booting {
        let (done, result) = oneshot::channel();
        let (node, program) = (self.node.clone(), self.program.clone());
        self.node.spawn_local(async move {
            let result = match program {
                Some(program) => program(node).await,
                None => Ok(()),
            };
            // Nobody may wait for it any more.
            let _ = done.send(result);
        });
        Booting(result)
    }

    /// Ends the node as SIGKILL ends a process: none of its code runs any more, and the system
    /// closes its sockets.
    pub fn kill(&self) {
        self.host.network().note(format_args!("{} is killed", self.host.name()));
        self.node.kill();
    }

    /// Takes the power from the host: none of its code runs any more, and nobody is told.
    pub fn crash(&self) {
        self.host.switch_off();
        self.node.kill();
    }

    /// Starts a new node on the host, after a stop, [`kill`](Self::kill) or [`crash`](Self::crash),
    /// and runs the program of [`boot`](Self::boot) in it, whether or not anybody waits for that.
    pub fn restart(&mut self) -> Booting {
        self.node.kill();
        self.host.switch_on();
        self.node = start(&self.host);
        self.run_program()
    }

    /// An address of the test's own on the node, to send, ask and receive with.
    ///
    /// # Errors
    /// If the node is stopped.
    pub fn context(&self) -> Result<NodeContext> {
        NodeContext::new(&self.node)
    }

    /// The host that it is on, for applications beside the node.
    pub fn host(&self) -> &Host {
        &self.host
    }
}

/// The program of a node that is being started: wait for it, or let it go on by itself.
///
/// # Errors
/// As [`TestNode::boot`].
#[derive(Debug)]
pub struct Booting(oneshot::Receiver<Result<()>>);

impl Future for Booting {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll(task).map(|result| result.unwrap_or(Err(Error::Stopped)))
    }
}

/// Starts a node in the System of this thread.
fn start(host: &Host) -> Node {
    let starting = NodeBuilder::new().on_host(host.clone()).start();
    let started = starting.now_or_never().expect("a node that has no threads is started at once");
    started.expect("it is started inside the network's System")
}

/// What a node does: `worker`, `ask`, `watch` and so on.
impl Deref for TestNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl AsRef<Node> for TestNode {
    fn as_ref(&self) -> &Node {
        &self.node
    }
}

impl fmt::Debug for TestNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestNode({})", self.host.name())
    }
}
