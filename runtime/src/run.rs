//! Programs that are a node: what `#[ockam::node]` calls.

use std::{fmt, future::Future, process::ExitCode};

use tokio::signal::unix::{signal, SignalKind};

use crate::{
    context::Context,
    error::{Error, Result},
    node::Node,
};

/// Starts nodes inside an actix `System` that already runs.
///
/// ```
/// # actix_rt::System::new().block_on(async {
/// use crate::NodeBuilder;
/// let node = NodeBuilder::new().arbiters(1).start().await?;
/// assert_eq!(node.arbiter_count(), 1);
/// node.stop().await;
/// # Ok::<(), ockam_actix_runtime::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct NodeBuilder {
    arbiters: Option<usize>,
}

impl NodeBuilder {
    /// A builder with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many arbiters (threads) the node owns; at least 1. By default as many as the machine
    /// has cores, or what the environment variable `OCKAM_ARBITERS` says.
    #[must_use]
    pub fn arbiters(mut self, count: usize) -> Self {
        self.arbiters = Some(count.max(1));
        self
    }

    /// Starts the node.
    ///
    /// # Errors
    /// If no actix `System` runs on this thread, or its threads cannot be started.
    pub async fn start(self) -> Result<Node> {
        if actix_rt::System::try_current().is_none() {
            let text = "a node is started inside a running actix System: use #[ockam::node] or actix_rt::System::new().block_on(...)";
            return Err(Error::Usage(text.into()));
        }
        let arbiters = match self.arbiters {
            Some(count) => count,
            None => default_arbiters()?,
        };
        Node::start(arbiters).await
    }

    /// Starts the node and gives the program an address on it.
    ///
    /// # Errors
    /// As [`NodeBuilder::start`].
    pub async fn start_with_context(self) -> Result<Context> {
        Context::new(&self.start().await?)
    }
}

fn default_arbiters() -> Result<usize> {
    match std::env::var("OCKAM_ARBITERS") {
        Ok(text) => match text.parse() {
            Ok(count @ 1..=1024) => Ok(count),
            _ => Err(Error::Usage(format!(
                "OCKAM_ARBITERS is {text:?}: expected a number from 1 to 1024"
            ))),
        },
        Err(_) => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}

/// Runs a program that is a node: starts it, runs `main`, and keeps it until it is stopped, or
/// Ctrl-C or SIGTERM arrives.
pub fn run<M, F, E>(main: M) -> ExitCode
where
    M: FnOnce(Context) -> F,
    F: Future<Output = std::result::Result<(), E>>,
    E: Into<Error>,
{
    let log = env_logger::Env::default().default_filter_or("info");
    // A program that has set up its own logger keeps it.
    let _ = env_logger::Builder::from_env(log).format_target(false).try_init();
    actix_rt::System::new().block_on(async {
        match live(main).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&error.one_line());
                ExitCode::FAILURE
            }
        }
    })
}

async fn live<M, F, E>(main: M) -> Result<()>
where
    M: FnOnce(Context) -> F,
    F: Future<Output = std::result::Result<(), E>>,
    E: Into<Error>,
{
    let node = NodeBuilder::new().start().await?;
    let context = Context::new(&node)?;
    let mut interrupt = signal_of(SignalKind::interrupt())?;
    let mut terminate = signal_of(SignalKind::terminate())?;
    let program = async {
        main(context).await.map_err(Into::into)?;
        node.stopped().await;
        Ok(())
    };
    let ended = tokio::select! {
        ended = program => ended,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    tokio::select! {
        () = node.stop() => {}
        // Whoever asks a second time does not want to wait for open streams.
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    ended
}

fn signal_of(kind: SignalKind) -> Result<tokio::signal::unix::Signal> {
    signal(kind).map_err(|source| Error::transport("cannot wait for Ctrl-C and SIGTERM", source))
}

/// One line for the person who started the program.
fn complain(line: &dyn fmt::Display) {
    eprintln!("error: {line}");
}
