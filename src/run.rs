//! Programs that are a node: what `#[ockam::node]` calls.

use std::{fmt, future::Future, process::ExitCode};

use actix_rt::System;
use ockam_actix_runtime::{process, Context, Error, NodeBuilder, Result};
use tokio::signal::unix::{signal, Signal, SignalKind};

/// Starts a logger that writes to standard error what `RUST_LOG` asks for, by default `info`.
///
/// A program that has installed a logger of its own keeps it. Without the feature `logger` this
/// does nothing.
pub fn start_logger() {
    #[cfg(feature = "logger")]
    {
        let filter = env_logger::Env::default().default_filter_or("info");
        // The error says that there is a logger already.
        let _ = env_logger::Builder::from_env(filter).format_target(false).try_init();
    }
}

/// Runs a program that is a node: starts the node, runs `main`, and keeps the node until it is
/// stopped, or Ctrl-C or SIGTERM arrives.
///
/// It first raises the soft limit of descriptors to the hard one, as each connection and each
/// stream takes one.
pub fn run<M, F, E>(main: M) -> ExitCode
where
    M: FnOnce(Context) -> F,
    F: Future<Output = std::result::Result<(), E>>,
    E: Into<Error>,
{
    process::raise_descriptor_limit();
    System::new().block_on(async {
        match run_node(main).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                print_error(&error.one_line());
                ExitCode::FAILURE
            }
        }
    })
}

async fn run_node<M, F, E>(main: M) -> Result<()>
where
    M: FnOnce(Context) -> F,
    F: Future<Output = std::result::Result<(), E>>,
    E: Into<Error>,
{
    let context = NodeBuilder::new().start_with_context().await?;
    let node = context.node().clone();
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

fn signal_of(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|source| Error::transport("cannot wait for Ctrl-C and SIGTERM", source))
}

/// One line for the person who started the program.
fn print_error(line: &dyn fmt::Display) {
    eprintln!("error: {line}");
}
